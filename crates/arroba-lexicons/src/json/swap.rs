//! The compare-and-swap condition on one record.

use arroba_core::data::Cid;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What the record must be before a `putRecord`; the field is absent, `null` or a CID.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SwapRecord {
    /// Absent: the record may be anything, or missing.
    #[default]
    Any,
    /// `null`: the record must not exist.
    Missing,
    /// The record must exist with this CID.
    At(Cid),
}

impl SwapRecord {
    /// Whether there is no condition, so that the field is left out.
    #[must_use]
    pub const fn is_any(&self) -> bool {
        matches!(self, Self::Any)
    }
}

impl<'de> Deserialize<'de> for SwapRecord {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::<Cid>::deserialize(deserializer)?.map_or(Self::Missing, Self::At))
    }
}

impl Serialize for SwapRecord {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Any | Self::Missing => serializer.serialize_none(),
            Self::At(cid) => cid.serialize(serializer),
        }
    }
}
