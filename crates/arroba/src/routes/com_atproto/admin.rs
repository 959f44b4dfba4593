//! `com.atproto.admin.*`

mod delete_account;
mod get_account_info;
mod get_subject_status;
mod update_subject_status;

pub(in crate::routes) use self::delete_account::delete_account;
pub(in crate::routes) use self::get_account_info::get_account_info;
pub(in crate::routes) use self::get_subject_status::get_subject_status;
pub(in crate::routes) use self::update_subject_status::update_subject_status;
