//! `com.atproto.server.activateAccount`

use crate::endpoint::{NoBody, NoParams, endpoint};

endpoint! {
    /// Activates the caller's account, at the end of a move or after a deactivation.
    Procedure ActivateAccount = "com.atproto.server.activateAccount" {
        params: NoParams, input: NoBody, output: NoBody,
        errors: []
    }
}
