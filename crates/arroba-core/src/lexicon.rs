//! Lexicon schemas: parsing, a catalog of them, and validation of data against them.
//!
//! Spec: <https://atproto.com/specs/lexicon>

mod catalog;
mod check;
mod document;
mod error;
mod format;
mod reference;
mod schema;
mod validate;
mod violation;

pub use catalog::{Catalog, CatalogError};
pub use document::{Document, MAX_DEFINITIONS, MAX_DOCUMENT_BYTES};
pub use error::{SchemaError, ShapeError, ValidationError};
pub use format::StringFormat;
pub use reference::Reference;
pub use schema::{
    ArraySchema, BlobSchema, BodySchema, BooleanSchema, BytesSchema, Def, IntegerSchema, KeyKind,
    MethodSchema, ObjectSchema, ParamsSchema, Permission, PermissionSetSchema, RecordSchema, Schema,
    StringSchema, SubscriptionSchema, UnionSchema,
};
pub use validate::{
    BlobRule, BodyFault, Payload, Unknown, Validator, Verdict, validate_input, validate_output,
    validate_record,
};
pub use violation::{Path, Violation};
