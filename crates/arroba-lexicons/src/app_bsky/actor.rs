//! `app.bsky.actor.*`: private preferences.

pub mod get_preferences;
pub mod put_preferences;

pub use get_preferences::GetPreferences;
pub use put_preferences::PutPreferences;
