//! `com.atproto.server.deleteSession`

use crate::endpoint::{NoBody, NoParams, endpoint};

endpoint! {
    /// Signs out: ends the session of a refresh token.
    Procedure DeleteSession = "com.atproto.server.deleteSession" {
        params: NoParams, input: NoBody, output: NoBody,
        errors: ["InvalidToken", "ExpiredToken"]
    }
}
