//! How values are written.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use arroba_core::lexicon::Unknown;
use arroba_core::syntax::{Did, Nsid};
use arroba_lexicons::json::Secret;
use url::Url;

/// A type that a setting can have. The error says what was expected.
pub(super) trait Setting: Sized {
    fn parse(text: &str) -> Result<Self, &'static str>;

    /// The value as it would be written.
    fn show(&self) -> String;
}

impl Setting for String {
    fn parse(text: &str) -> Result<Self, &'static str> {
        Ok(text.to_owned())
    }

    fn show(&self) -> String {
        self.clone()
    }
}

impl Setting for Secret {
    fn parse(text: &str) -> Result<Self, &'static str> {
        Ok(Self::new(text))
    }

    fn show(&self) -> String {
        String::new()
    }
}

impl Setting for bool {
    fn parse(text: &str) -> Result<Self, &'static str> {
        match text {
            "true" | "1" => Ok(true),
            "false" | "0" => Ok(false),
            _ => Err("true or false"),
        }
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Setting for Unknown {
    fn parse(text: &str) -> Result<Self, &'static str> {
        match text {
            "allow" => Ok(Self::Allow),
            "refuse" => Ok(Self::Refuse),
            _ => Err("allow or refuse"),
        }
    }

    fn show(&self) -> String {
        match self {
            Self::Allow => "allow",
            Self::Refuse => "refuse",
        }
        .to_owned()
    }
}

impl Setting for Duration {
    fn parse(text: &str) -> Result<Self, &'static str> {
        text.parse().map(Self::from_millis).map_err(|_| "a number of milliseconds")
    }

    fn show(&self) -> String {
        self.as_millis().to_string()
    }
}

/// A time that a setting gives in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seconds(pub Duration);

/// A time that a setting gives in days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Days(pub Duration);

const DAY_SECONDS: f64 = 86_400.0;

impl Setting for Seconds {
    fn parse(text: &str) -> Result<Self, &'static str> {
        time(text, 1.0).map(Self).ok_or("a number of seconds")
    }

    fn show(&self) -> String {
        self.0.as_secs_f64().to_string()
    }
}

impl Setting for Days {
    fn parse(text: &str) -> Result<Self, &'static str> {
        time(text, DAY_SECONDS).map(Self).ok_or("a number of days")
    }

    fn show(&self) -> String {
        (self.0.as_secs_f64() / DAY_SECONDS).to_string()
    }
}

/// Who gives out the sequence numbers of a Datastore.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SequenceSource {
    /// The counter in Datastore, which the Python library may use too.
    Datastore,
    /// A counter in memcached, which the Python library may use too.
    Memcached,
    /// Programs of this library alone.
    Exclusive,
}

impl Setting for SequenceSource {
    fn parse(text: &str) -> Result<Self, &'static str> {
        match text {
            "datastore" => Ok(Self::Datastore),
            "memcached" => Ok(Self::Memcached),
            "exclusive" => Ok(Self::Exclusive),
            _ => Err("datastore, memcached or exclusive"),
        }
    }

    fn show(&self) -> String {
        match self {
            Self::Datastore => "datastore",
            Self::Memcached => "memcached",
            Self::Exclusive => "exclusive",
        }
        .to_owned()
    }
}

/// A time in units of so many seconds; digits and a point, nothing else that Rust takes for a number.
fn time(text: &str, unit: f64) -> Option<Duration> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let number: f64 = text.parse().ok().filter(|_| plain)?;
    Duration::try_from_secs_f64(number * unit).ok()
}

macro_rules! from_str {
    ($($type:ty: $expected:literal;)+) => {$(
        impl Setting for $type {
            fn parse(text: &str) -> Result<Self, &'static str> {
                text.parse().map_err(|_| $expected)
            }

            fn show(&self) -> String {
                self.to_string()
            }
        }
    )+};
}

from_str! {
    u16: "a port number";
    u32: "a whole number";
    u64: "a whole number";
    Did: "a DID";
    Nsid: "a list of collection names (NSIDs)";
    SocketAddr: "an address with a port, such as 127.0.0.1:9090";
}

impl Setting for PathBuf {
    fn parse(text: &str) -> Result<Self, &'static str> {
        Ok(Self::from(text))
    }

    fn show(&self) -> String {
        self.display().to_string()
    }
}

impl Setting for Url {
    fn parse(text: &str) -> Result<Self, &'static str> {
        let expected = "an address that starts with http:// or https://";
        let url = Self::parse(text).map_err(|_| expected)?;
        if matches!(url.scheme(), "http" | "https") { Ok(url) } else { Err(expected) }
    }

    fn show(&self) -> String {
        self.as_str().trim_end_matches('/').to_owned()
    }
}

impl<T: Setting> Setting for Option<T> {
    fn parse(text: &str) -> Result<Self, &'static str> {
        T::parse(text).map(Some)
    }

    fn show(&self) -> String {
        self.as_ref().map(T::show).unwrap_or_default()
    }
}

impl<T: Setting> Setting for Vec<T> {
    fn parse(text: &str) -> Result<Self, &'static str> {
        text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(T::parse).collect()
    }

    fn show(&self) -> String {
        self.iter().map(T::show).collect::<Vec<_>>().join(",")
    }
}

/// An address that is written in this program.
#[expect(clippy::expect_used, reason = "the texts are constants of this module's callers, parsed by a test")]
pub(super) fn url(text: &'static str) -> Url {
    Url::parse(text).expect("a literal address is well-formed")
}
