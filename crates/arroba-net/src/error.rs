use crate::DnsError;
use std::error::Error as _;
use std::io;
use std::net::IpAddr;
use thiserror::Error;

/// Why a request failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The target, or a redirect's, is no URL.
    #[error("malformed URL")]
    Url(#[source] url::ParseError),
    /// The target, or a redirect's, is longer than 8 KiB.
    #[error("URL is too long")]
    UrlLength,
    /// The scheme is not `https` (or, in development, `http`).
    #[error("scheme {0} is not allowed")]
    Scheme(String),
    /// The URL holds a user name or password.
    #[error("URL holds credentials")]
    Userinfo,
    /// The URL names no host.
    #[error("URL names no host")]
    Host,
    /// The URL names a port of some other service.
    #[error("port {0} is not allowed")]
    Port(u16),
    /// The host is, or resolves only to, addresses that may not be reached.
    #[error("address {0} is not public")]
    Forbidden(IpAddr),
    /// The host's name does not resolve.
    #[error("name resolution failed")]
    Dns(#[source] DnsError),
    /// More redirects than allowed.
    #[error("more than {0} redirects")]
    TooManyRedirects(u8),
    /// A redirect says nowhere to go.
    #[error("redirect without a valid location")]
    Redirect,
    /// The time was up before the answer was complete.
    #[error("request timed out")]
    Timeout,
    /// The answer's body is longer than allowed.
    #[error("response is longer than {0} bytes")]
    TooLarge(u64),
    /// The stream of the request's body failed before it was sent.
    #[error("request body failed")]
    Sending(#[source] reqwest::Error),
    /// Connecting, TLS or HTTP failed.
    #[error("request failed")]
    Transport(#[source] reqwest::Error),
}

impl FetchError {
    /// Whether there was no connection, or it broke off, before an answer began: whoever asks again may be lucky.
    #[must_use]
    pub fn is_connection(&self) -> bool {
        use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
        let Self::Transport(error) = self else { return false };
        let mut source = error.source();
        while let Some(inner) = source {
            let io = inner.downcast_ref::<io::Error>();
            if io.is_some_and(|io| matches!(io.kind(), BrokenPipe | ConnectionAborted | ConnectionReset)) {
                return true;
            }
            source = inner.source();
        }
        error.is_connect()
    }

    /// Whether the target itself is unacceptable, so that another attempt is pointless.
    #[must_use]
    pub const fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::Url(_)
                | Self::UrlLength
                | Self::Scheme(_)
                | Self::Userinfo
                | Self::Host
                | Self::Port(_)
                | Self::Forbidden(_)
        )
    }
}
