//! What is wrong with a stored entity.

use arroba_core::{data::CidError, syntax::SyntaxError};

use crate::StoreError;

/// An entity that cannot be read, or a value that cannot be written: which one, where, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} {key}, property {property}")]
pub struct EntityError {
    /// The kind that was expected.
    pub kind: &'static str,
    /// The name in the entity's key; empty if it has none.
    pub key: String,
    /// The property; `__key__` for the key.
    pub property: &'static str,
    /// What is wrong with it.
    #[source]
    pub problem: EntityProblem,
}

impl From<EntityError> for StoreError {
    fn from(error: EntityError) -> Self {
        Self::corrupt_by("Datastore entity", error)
    }
}

/// What is wrong with a property.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EntityProblem {
    /// It is missing, or null.
    #[error("missing")]
    Missing,
    /// The entity is of another kind, is below another entity, or has a number for a name.
    #[error("not a root entity of this kind with a name")]
    Key,
    /// Another type of value.
    #[error("{found} instead of {expected}")]
    Type {
        /// The type that belongs there.
        expected: &'static str,
        /// The type that is there.
        found: &'static str,
    },
    /// A text that is no such identifier.
    #[error("malformed identifier")]
    Syntax(#[source] SyntaxError),
    /// A text that is no CID, or one of the wrong sort.
    #[error("malformed CID")]
    Cid(#[source] CidError),
    /// A CID for another sort of content.
    #[error("a CID of the wrong codec")]
    Codec,
    /// A text that is not among those allowed.
    #[error("unknown value {0:?}")]
    Unknown(String),
    /// A number below zero, or beyond what the database holds.
    #[error("number out of range")]
    Range,
    /// A time before 1970 or after 9999.
    #[error("time out of range")]
    Time,
    /// Operations in both forms at once.
    #[error("operations both as dotted arrays and as embedded entities")]
    BothForms,
    /// An operation whose CIDs do not fit its action.
    #[error("operation {0} has a CID that does not fit its action")]
    Operation(usize),
}
