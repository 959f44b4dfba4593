//! `com.atproto.admin.*`: what operators do to accounts.

mod defs;
pub mod delete_account;
pub mod get_account_info;
pub mod get_subject_status;
pub mod update_subject_status;

pub use defs::{AccountView, RepoBlobRef, RepoRef, StatusAttr, Subject, ThreatSignature};
pub use delete_account::DeleteAccount;
pub use get_account_info::GetAccountInfo;
pub use get_subject_status::GetSubjectStatus;
pub use update_subject_status::UpdateSubjectStatus;
