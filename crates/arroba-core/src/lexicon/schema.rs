//! What the definitions of a lexicon document say.
//!
//! Descriptions are not kept. Fields that the language does not define are ignored, as it demands.

use std::{collections::BTreeMap, fmt};

use super::{Reference, StringFormat};
use crate::syntax::{Nsid, RecordKey, Tid};

/// A named definition.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Def {
    /// A type of records.
    Record(RecordSchema),
    /// A method that reads.
    Query(MethodSchema),
    /// A method that acts.
    Procedure(MethodSchema),
    /// An event stream.
    Subscription(SubscriptionSchema),
    /// A bundle of permissions.
    PermissionSet(PermissionSetSchema),
    /// A name without data.
    Token,
    /// A shape of data. Neither a reference, a union nor unknown: those cannot be named.
    Data(Schema),
}

/// A shape of data.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Schema {
    /// `true` or `false`.
    Boolean(BooleanSchema),
    /// A whole number of 64 bits.
    Integer(IntegerSchema),
    /// Text.
    String(StringSchema),
    /// Bytes.
    Bytes(BytesSchema),
    /// A link to a block.
    CidLink,
    /// A reference to a blob.
    Blob(BlobSchema),
    /// A list.
    Array(ArraySchema),
    /// A map with known fields.
    Object(ObjectSchema),
    /// A named definition.
    Ref(Reference),
    /// One of several named definitions, told apart by `$type`.
    Union(UnionSchema),
    /// Any map.
    Unknown,
}

/// A record definition.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordSchema {
    /// What its record keys must be.
    pub key: KeyKind,
    /// Its fields.
    pub record: ObjectSchema,
}

/// What the record keys of a collection must be.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyKind {
    /// A TID.
    Tid,
    /// An NSID.
    Nsid,
    /// One key only.
    Literal(RecordKey),
    /// Any record key.
    Any,
}

impl KeyKind {
    /// Whether a collection of this kind takes the key.
    #[must_use]
    pub fn admits(&self, key: &RecordKey) -> bool {
        match self {
            Self::Tid => Tid::parse(key.as_str()).is_ok(),
            Self::Nsid => Nsid::parse(key.as_str()).is_ok(),
            Self::Literal(only) => key == only,
            Self::Any => true,
        }
    }
}

impl fmt::Display for KeyKind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tid => out.write_str("a TID"),
            Self::Nsid => out.write_str("an NSID"),
            Self::Literal(only) => write!(out, "the only one allowed, {only}"),
            Self::Any => out.write_str("a record key"),
        }
    }
}

/// A query or a procedure.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MethodSchema {
    /// The parameters in the query string.
    pub parameters: ParamsSchema,
    /// The request's body; only procedures have one.
    pub input: Option<BodySchema>,
    /// The response's body.
    pub output: Option<BodySchema>,
    /// The names of the errors that the method declares.
    pub errors: Vec<String>,
}

/// A body.
#[derive(Debug, Clone, PartialEq)]
pub struct BodySchema {
    /// Its media type; may be `*/*` or like `image/*`.
    pub encoding: String,
    /// Its shape, if it is JSON: an object, a reference or a union.
    pub schema: Option<Schema>,
}

/// An event stream.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SubscriptionSchema {
    /// The parameters in the query string.
    pub parameters: ParamsSchema,
    /// The messages.
    pub message: Option<UnionSchema>,
    /// The names of the errors that the stream declares.
    pub errors: Vec<String>,
}

/// The parameters of a method: booleans, integers, strings, and arrays of these.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ParamsSchema {
    /// The parameters by name.
    pub properties: BTreeMap<String, Schema>,
    /// The names of those that must be there.
    pub required: Vec<String>,
}

/// A bundle of permissions.
#[derive(Debug, Clone, PartialEq)]
pub struct PermissionSetSchema {
    /// The permissions; those that are not understood are to be skipped by whoever expands the set.
    pub permissions: Vec<Permission>,
}

/// One permission of a set.
#[derive(Debug, Clone, PartialEq)]
pub struct Permission {
    /// What it is about, such as `repo` or `rpc`.
    pub resource: String,
    /// Everything else that it says.
    pub fields: serde_json::Map<String, serde_json::Value>,
}

/// `true` or `false`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BooleanSchema {
    /// What an absent value stands for.
    pub default: Option<bool>,
    /// The only value allowed.
    pub constant: Option<bool>,
}

/// A whole number.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IntegerSchema {
    /// The smallest value allowed.
    pub minimum: Option<i64>,
    /// The largest value allowed.
    pub maximum: Option<i64>,
    /// The only values allowed.
    pub values: Option<Vec<i64>>,
    /// What an absent value stands for.
    pub default: Option<i64>,
    /// The only value allowed.
    pub constant: Option<i64>,
}

/// Text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StringSchema {
    /// What it must look like.
    pub format: Option<StringFormat>,
    /// The smallest length, in bytes of UTF-8.
    pub min_length: Option<usize>,
    /// The largest length, in bytes of UTF-8.
    pub max_length: Option<usize>,
    /// The smallest length, in extended grapheme clusters.
    pub min_graphemes: Option<usize>,
    /// The largest length, in extended grapheme clusters.
    pub max_graphemes: Option<usize>,
    /// Values that have a meaning; others are allowed.
    pub known_values: Vec<String>,
    /// The only values allowed.
    pub values: Option<Vec<String>>,
    /// What an absent value stands for.
    pub default: Option<String>,
    /// The only value allowed.
    pub constant: Option<String>,
}

/// Bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BytesSchema {
    /// The smallest number of bytes.
    pub min_length: Option<usize>,
    /// The largest number of bytes.
    pub max_length: Option<usize>,
}

/// A reference to a blob.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BlobSchema {
    /// Media types: exact ones, `type/*`, or `*/*`. Any if absent.
    pub accept: Option<Vec<String>>,
    /// The largest size, in bytes.
    pub max_size: Option<u64>,
}

/// A list.
#[derive(Debug, Clone, PartialEq)]
pub struct ArraySchema {
    /// What each item must be.
    pub items: Box<Schema>,
    /// The smallest number of items.
    pub min_length: Option<usize>,
    /// The largest number of items.
    pub max_length: Option<usize>,
}

/// A map with known fields. Other fields are always allowed.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ObjectSchema {
    /// The known fields by name.
    pub properties: BTreeMap<String, Schema>,
    /// The names of those that must be there.
    pub required: Vec<String>,
    /// The names of those that may be null.
    pub nullable: Vec<String>,
}

/// One of several named definitions.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UnionSchema {
    /// The definitions, each an object or a record.
    pub refs: Vec<Reference>,
    /// Whether no other type may stand there.
    pub closed: bool,
}
