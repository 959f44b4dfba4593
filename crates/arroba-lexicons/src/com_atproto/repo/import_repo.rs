//! `com.atproto.repo.importRepo`

use crate::endpoint::{CarBytes, NoBody, NoParams, endpoint};

endpoint! {
    /// Replaces the caller's repo by the records of a CAR file.
    Procedure ImportRepo = "com.atproto.repo.importRepo" {
        params: NoParams, input: CarBytes, output: NoBody,
        errors: []
    }
}
