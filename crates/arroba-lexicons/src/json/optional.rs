//! Optional fields that must not be `null`.

use serde::{Deserialize, Deserializer};

/// Reads a field that is there: unlike serde's own reading of an `Option`, `null` is an error.
///
/// Used together with `#[serde(default)]`, which supplies `None` for an absent field.
pub(crate) fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}
