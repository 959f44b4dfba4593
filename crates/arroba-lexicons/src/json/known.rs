//! Strings with known values: an open set, so that others survive.

use arroba_core::event;

/// Declares an enum of known strings. Others are kept, as the lexicon rules for `knownValues` demand.
macro_rules! known_values {
    (
        $(#[$meta:meta])*
        pub enum $name:ident {
            $($(#[$variant_meta:meta])* $variant:ident = $text:literal,)+
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$variant_meta])* $variant,)+
            /// A value that is not known here.
            Other(String),
        }

        impl $name {
            /// The text on the wire.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $text,)+
                    Self::Other(text) => text,
                }
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                match text {
                    $($text => Self::$variant,)+
                    other => Self::Other(other.to_owned()),
                }
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(deserializer)?;
                Ok(Self::from(text.as_ref()))
            }
        }
    };
}

known_values! {
    /// Whether a written record was checked against its schema; absent when the caller asked for no check.
    pub enum ValidationStatus {
        /// The schema is known and the record keeps it.
        Valid = "valid",
        /// No schema is known for the record.
        Unknown = "unknown",
    }
}

known_values! {
    /// Why an account is not active.
    ///
    /// Spec: <https://atproto.com/specs/account#hosting-status>
    pub enum AccountStatus {
        /// Taken down by this host.
        Takendown = "takendown",
        /// Suspended by this host for a time.
        Suspended = "suspended",
        /// Deleted.
        Deleted = "deleted",
        /// Deactivated by its owner.
        Deactivated = "deactivated",
        /// The copy here lags behind.
        Desynchronized = "desynchronized",
        /// Slowed down for its resource use.
        Throttled = "throttled",
    }
}

impl From<&event::AccountStatus> for AccountStatus {
    fn from(status: &event::AccountStatus) -> Self {
        Self::from(status.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_those_of_events() {
        for status in
            ["takendown", "suspended", "deleted", "deactivated", "desynchronized", "throttled", "later"]
        {
            let here = AccountStatus::from(&event::AccountStatus::from(status));
            assert_eq!(here, AccountStatus::from(status));
            assert_eq!(matches!(here, AccountStatus::Other(_)), status == "later");
        }
    }

    #[test]
    fn unknown_values_survive() {
        let read: ValidationStatus = serde_json::from_str("\"later\"").unwrap();
        assert_eq!(read, ValidationStatus::Other("later".to_owned()));
        assert_eq!(serde_json::to_string(&read).unwrap(), "\"later\"");
        assert_eq!(serde_json::to_string(&ValidationStatus::Valid).unwrap(), "\"valid\"");
        assert!(serde_json::from_str::<ValidationStatus>("null").is_err());
    }
}
