//! Checking data against the schemas of a catalog.
//!
//! Spec: <https://atproto.com/specs/lexicon#lexicon-files>

mod blob;
mod containers;
mod params;
mod scalars;

use super::{Catalog, Def, MethodSchema, Path, Reference, Schema, ValidationError, Violation};
use crate::{
    data::Value,
    syntax::{Nsid, RecordKey},
};

/// How deeply lists and maps may be nested in what is checked. Decoders admit less; this bounds values that were
/// built by hand.
const MAX_NESTING: usize = 128;

/// How strictly blob references are looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum BlobRule {
    /// As the data model says: the present form, with the CID of raw bytes. What a host that writes records wants.
    #[default]
    Strict,
    /// Any CID, and the legacy form too: for records that others wrote.
    Lenient,
}

/// Checks a record that is to be written: its `$type`, its key and its fields. Blob references must be strict.
///
/// # Errors
/// [`ValidationError::UnknownSchema`] if the catalog has no record schema of that name; otherwise what is wrong.
///
/// ```
/// use arroba_core::{data::json, lexicon::{Catalog, Document, validate_record}, syntax::{Nsid, RecordKey}};
/// let mut catalog = Catalog::new();
/// catalog.add(Document::from_slice(br#"{"lexicon": 1, "id": "com.example.note", "defs": {"main":
///     {"type": "record", "key": "any", "record": {"type": "object", "required": ["text"],
///      "properties": {"text": {"type": "string", "maxGraphemes": 3}}}}}}"#)?)?;
/// let (collection, key) = (Nsid::parse("com.example.note")?, RecordKey::parse("a")?);
/// let record = json::from_str(r#"{"$type": "com.example.note", "text": "four"}"#)?;
/// let error = validate_record(&catalog, &collection, &key, &record).unwrap_err();
/// assert_eq!(error.to_string(), "Record/text must not be longer than 3 graphemes");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn validate_record(
    catalog: &Catalog,
    collection: &Nsid,
    key: &RecordKey,
    record: &Value<'_>,
) -> Result<(), ValidationError> {
    Validator::new(catalog).record(collection, key, record)
}

/// Checks the body of a request.
///
/// # Errors
/// As [`Validator::input`].
pub fn validate_input(catalog: &Catalog, method: &Nsid, input: &Value<'_>) -> Result<(), ValidationError> {
    Validator::new(catalog).input(method, input)
}

/// Checks the body of a response.
///
/// # Errors
/// As [`Validator::output`].
pub fn validate_output(catalog: &Catalog, method: &Nsid, output: &Value<'_>) -> Result<(), ValidationError> {
    Validator::new(catalog).output(method, output)
}

/// Checks data against the schemas of a catalog.
#[derive(Debug, Clone, Copy)]
pub struct Validator<'c> {
    catalog: &'c Catalog,
    blobs: BlobRule,
}

impl<'c> Validator<'c> {
    /// A validator with the strict rule for blob references.
    #[must_use]
    pub const fn new(catalog: &'c Catalog) -> Self {
        Self { catalog, blobs: BlobRule::Strict }
    }

    /// The same with another rule for blob references.
    #[must_use]
    pub const fn blobs(self, blobs: BlobRule) -> Self {
        Self { blobs, ..self }
    }

    /// Checks a record.
    ///
    /// # Errors
    /// If its schema is not known, its key is not of the kind that the schema wants, or it breaks a rule.
    pub fn record(
        &self,
        collection: &Nsid,
        key: &RecordKey,
        record: &Value<'_>,
    ) -> Result<(), ValidationError> {
        let Some(Def::Record(schema)) = self.catalog.main(collection) else {
            return Err(unknown("record", collection));
        };
        if !schema.key.admits(key) {
            return Err(ValidationError::RecordKey { key: key.clone(), expected: schema.key.clone() });
        }
        self.typed_record(collection.as_str(), schema, record, 0).map_err(|fault| fault.under("Record"))
    }

    /// Checks the JSON body of a request. A body that is not described by a schema passes.
    ///
    /// # Errors
    /// If the method is not known or the body breaks a rule.
    pub fn input(&self, method: &Nsid, input: &Value<'_>) -> Result<(), ValidationError> {
        let found = self.method(method, "input")?;
        self.body(found.input.as_ref().and_then(|body| body.schema.as_ref()), input, "Input")
    }

    /// Checks the JSON body of a response. A body that is not described by a schema passes.
    ///
    /// # Errors
    /// If the method is not known or the body breaks a rule.
    pub fn output(&self, method: &Nsid, output: &Value<'_>) -> Result<(), ValidationError> {
        let found = self.method(method, "output")?;
        self.body(found.output.as_ref().and_then(|body| body.schema.as_ref()), output, "Output")
    }

    /// Checks the payload of a message of an event stream; `kind` is the `t` of its header, such as `#commit`.
    ///
    /// # Errors
    /// If the stream is not known, the kind is not one of its messages, or the payload breaks a rule.
    pub fn message(&self, stream: &Nsid, kind: &str, payload: &Value<'_>) -> Result<(), ValidationError> {
        let Some(Def::Subscription(found)) = self.catalog.main(stream) else {
            return Err(unknown("message", stream));
        };
        let reference = Reference::parse(kind, stream).ok();
        let known = found.message.iter().flat_map(|message| &message.refs);
        let result = match reference.filter(|reference| known.clone().any(|known| known == reference)) {
            Some(reference) => self.referred(&reference, payload, 0),
            None => Err(Fault::new(Violation::Closed(names(known)))),
        };
        result.map_err(|fault| fault.under("Message"))
    }

    fn method(&self, nsid: &Nsid, kind: &'static str) -> Result<&'c MethodSchema, ValidationError> {
        match self.catalog.main(nsid) {
            Some(Def::Query(method) | Def::Procedure(method)) => Ok(method),
            _ => Err(unknown(kind, nsid)),
        }
    }

    fn body(
        &self,
        schema: Option<&Schema>,
        value: &Value<'_>,
        root: &'static str,
    ) -> Result<(), ValidationError> {
        schema.map_or(Ok(()), |schema| self.value(schema, value, 0)).map_err(|fault| fault.under(root))
    }

    fn value(&self, schema: &Schema, value: &Value<'_>, depth: usize) -> Result<(), Fault> {
        match schema {
            Schema::Boolean(boolean) => scalars::boolean(boolean, value),
            Schema::Integer(integer) => scalars::integer(integer, value),
            Schema::String(string) => scalars::string(string, value),
            Schema::Bytes(bytes) => scalars::bytes(bytes, value),
            Schema::CidLink => scalars::cid_link(value),
            Schema::Blob(blob) => blob::blob(blob, self.blobs, value),
            Schema::Array(array) => self.array(array, value, depth),
            Schema::Object(object) => self.object(object, value, depth),
            Schema::Ref(reference) => self.referred(reference, value, depth),
            Schema::Union(union) => self.union(union, value, depth),
            Schema::Unknown => containers::unknown(value),
        }
    }
}

fn unknown(kind: &'static str, nsid: &Nsid) -> ValidationError {
    ValidationError::UnknownSchema { kind, nsid: nsid.clone() }
}

fn names<'r>(references: impl Iterator<Item = &'r Reference>) -> String {
    references.map(Reference::as_str).collect::<Vec<_>>().join(", ")
}

/// A broken rule on its way up, while it learns where it happened.
#[derive(Debug)]
struct Fault {
    path: Path,
    violation: Violation,
}

impl Fault {
    const fn new(violation: Violation) -> Self {
        Self { path: Path::new(""), violation }
    }

    fn mistyped(expected: &'static str, found: &Value<'_>) -> Self {
        Self::new(Violation::Type { expected, found: found.kind() })
    }

    fn at(mut self, step: &impl ToString) -> Self {
        self.path.push_outer(step.to_string());
        self
    }

    fn under(mut self, root: &'static str) -> ValidationError {
        self.path.set_root(root);
        ValidationError::Invalid { path: self.path, violation: self.violation }
    }
}
