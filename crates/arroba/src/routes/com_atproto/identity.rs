//! `com.atproto.identity.*`

mod get_recommended_did_credentials;
mod resolve_handle;
mod update_handle;

pub(in crate::routes) use self::get_recommended_did_credentials::get_recommended_did_credentials;
pub(in crate::routes) use self::resolve_handle::resolve_handle;
pub(in crate::routes) use self::update_handle::update_handle;
