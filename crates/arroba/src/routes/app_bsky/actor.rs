//! `app.bsky.actor.*`

mod get_preferences;
mod put_preferences;

pub(in crate::routes) use self::get_preferences::get_preferences;
pub(in crate::routes) use self::put_preferences::put_preferences;
