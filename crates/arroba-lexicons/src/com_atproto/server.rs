//! `com.atproto.server.*`: accounts and sessions.

pub mod activate_account;
pub mod check_account_status;
pub mod create_account;
pub mod create_invite_code;
pub mod create_invite_codes;
pub mod create_session;
pub mod deactivate_account;
mod defs;
pub mod delete_session;
pub mod describe_server;
pub mod get_service_auth;
pub mod get_session;
pub mod refresh_session;

pub use activate_account::ActivateAccount;
pub use check_account_status::CheckAccountStatus;
pub use create_account::CreateAccount;
pub use create_invite_code::CreateInviteCode;
pub use create_invite_codes::CreateInviteCodes;
pub use create_session::CreateSession;
pub use deactivate_account::DeactivateAccount;
pub use defs::{InviteCode, InviteCodeUse};
pub use delete_session::DeleteSession;
pub use describe_server::DescribeServer;
pub use get_service_auth::GetServiceAuth;
pub use get_session::GetSession;
pub use refresh_session::RefreshSession;
