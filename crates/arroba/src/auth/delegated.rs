//! Which methods services may be called for in an account's name, by the lists of the reference server.

use arroba_core::syntax::Nsid;

/// Methods that only the account itself may call, never a service in its name.
const PROTECTED: &[&str] = &[
    "com.atproto.admin.sendEmail",
    "com.atproto.identity.requestPlcOperationSignature",
    "com.atproto.identity.signPlcOperation",
    "com.atproto.identity.updateHandle",
    "com.atproto.server.activateAccount",
    "com.atproto.server.confirmEmail",
    "com.atproto.server.createAppPassword",
    "com.atproto.server.deactivateAccount",
    "com.atproto.server.getAccountInviteCodes",
    "com.atproto.server.getSession",
    "com.atproto.server.listAppPasswords",
    "com.atproto.server.requestAccountDelete",
    "com.atproto.server.requestEmailConfirmation",
    "com.atproto.server.requestEmailUpdate",
    "com.atproto.server.revokeAppPassword",
    "com.atproto.server.updateEmail",
];

/// The method by which an account that moves away gets its new home.
pub(crate) const CREATE_ACCOUNT: &str = "com.atproto.server.createAccount";

/// Whether a method is for the account itself alone.
pub(crate) fn is_protected(method: &Nsid) -> bool {
    PROTECTED.iter().any(|protected| method.as_str().eq_ignore_ascii_case(protected))
}

/// Whether a method is closed to app passwords without privileges: private messages, all of them, and moving away.
pub(crate) fn is_privileged(method: &Nsid) -> bool {
    let name = method.as_str().to_ascii_lowercase();
    name.starts_with("chat.bsky.") || name.eq_ignore_ascii_case(CREATE_ACCOUNT)
}

/// Whether a method is the one by which accounts move.
pub(crate) fn is_create_account(method: &Nsid) -> bool {
    method.as_str().eq_ignore_ascii_case(CREATE_ACCOUNT)
}
