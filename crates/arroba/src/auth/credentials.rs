//! The `Authorization` header, before anything in it is believed.

use arroba_xrpc::{Result, XrpcError};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use zeroize::Zeroizing;

use crate::session::invalid;

/// What a caller shows.
pub(super) enum Credentials<'a> {
    None,
    Bearer(&'a str),
    Basic { user: String, password: Zeroizing<String> },
}

impl<'a> Credentials<'a> {
    /// Reads the header; the scheme has no letter case.
    pub(super) fn of(headers: &'a HeaderMap) -> Result<Self> {
        let Some(value) = headers.get(AUTHORIZATION) else { return Ok(Self::None) };
        let value = value.to_str().map_err(|_| invalid("Malformed authorization header"))?.trim();
        if value.is_empty() {
            return Ok(Self::None);
        }
        let (scheme, rest) = value.split_once(' ').unwrap_or((value, ""));
        let rest = rest.trim();
        if scheme.eq_ignore_ascii_case("bearer") {
            Ok(Self::Bearer(rest))
        } else if scheme.eq_ignore_ascii_case("basic") {
            basic(rest).ok_or_else(|| XrpcError::authentication_required("Malformed authorization header"))
        } else {
            Err(invalid("Unexpected authorization type"))
        }
    }
}

/// The password may contain colons, the user name may not.
fn basic(encoded: &str) -> Option<Credentials<'static>> {
    let decoded = Zeroizing::new(STANDARD.decode(encoded).ok()?);
    let text = std::str::from_utf8(&decoded).ok()?;
    let (user, password) = text.split_once(':')?;
    Some(Credentials::Basic { user: user.to_owned(), password: Zeroizing::new(password.to_owned()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &str) -> String {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, value.parse().unwrap());
        match Credentials::of(&headers) {
            Ok(Credentials::None) => "none".into(),
            Ok(Credentials::Bearer(token)) => format!("bearer {token}"),
            Ok(Credentials::Basic { user, password }) => format!("{user}/{}", *password),
            Err(error) => format!("{} {}", error.status().as_u16(), error.error()),
        }
    }

    #[test]
    fn each_scheme() {
        assert_eq!(read("BEARER  x"), "bearer x");
        assert_eq!(read("Bearer"), "bearer ");
        assert_eq!(read("bAsIc YWRtaW46YTpi"), "admin/a:b");
        assert_eq!(read("Basic !!!"), "401 AuthenticationRequired");
        assert_eq!(read("Basic YWRtaW4="), "401 AuthenticationRequired");
        assert_eq!(read("DPoP x"), "400 InvalidToken");
        assert_eq!(read(" "), "none");
    }
}
