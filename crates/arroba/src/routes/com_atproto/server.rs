//! `com.atproto.server.*`

mod activate_account;
mod check_account_status;
mod create_account;
mod create_invite_code;
mod create_invite_codes;
mod create_session;
mod deactivate_account;
mod delete_session;
mod describe_server;
mod get_service_auth;
mod get_session;
mod refresh_session;

pub(in crate::routes) use self::activate_account::activate_account;
pub(in crate::routes) use self::check_account_status::check_account_status;
pub(in crate::routes) use self::create_account::create_account;
pub(in crate::routes) use self::create_invite_code::create_invite_code;
pub(in crate::routes) use self::create_invite_codes::create_invite_codes;
pub(in crate::routes) use self::create_session::create_session;
pub(in crate::routes) use self::deactivate_account::deactivate_account;
pub(in crate::routes) use self::delete_session::delete_session;
pub(in crate::routes) use self::describe_server::describe_server;
pub(in crate::routes) use self::get_service_auth::get_service_auth;
pub(in crate::routes) use self::get_session::get_session;
pub(in crate::routes) use self::refresh_session::refresh_session;
