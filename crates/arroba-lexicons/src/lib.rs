//! The com.atproto lexicons and the record schemas of app.bsky and chat.bsky.
