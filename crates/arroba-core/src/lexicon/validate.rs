//! Checking data against the schemas of a catalog.
//!
//! Spec: <https://atproto.com/specs/lexicon#lexicon-files>

mod blob;
mod body;
mod containers;
mod params;
mod scalars;
mod walk;

pub use body::{BodyFault, Payload};
use walk::{Fault, Walk};

use super::{Catalog, Def, MethodSchema, Reference, Schema, ValidationError, Violation, error::shown};
use crate::{
    data::{Map, Value},
    syntax::{Nsid, RecordKey},
};

/// How strictly blob references are looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum BlobRule {
    /// As the data model says: the present form, with the CID of raw bytes. What a host that writes records wants.
    #[default]
    Strict,
    /// Any CID, and the legacy form too: for records that others wrote.
    Lenient,
}

/// What becomes of data whose lexicon is not known, or refers to one that is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unknown {
    /// It is taken as it is, and said to be unknown.
    Allow,
    /// It is refused.
    Refuse,
}

/// What a check has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// The data is as its lexicon wants it.
    Valid,
    /// Its lexicon, or one that is referred to where the data has something, is not known; what could be checked is right.
    Unknown,
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
///
/// Any schema may meet any data: a check takes a bounded number of steps and a bounded depth, and what it says is short.
#[derive(Debug, Clone, Copy)]
pub struct Validator<'c> {
    catalog: &'c Catalog,
    blobs: BlobRule,
    unknown: Unknown,
}

impl<'c> Validator<'c> {
    /// A validator with the strict rule for blob references, which refuses what is not known.
    #[must_use]
    pub const fn new(catalog: &'c Catalog) -> Self {
        Self { catalog, blobs: BlobRule::Strict, unknown: Unknown::Refuse }
    }

    /// The same with another rule for blob references.
    #[must_use]
    pub const fn blobs(self, blobs: BlobRule) -> Self {
        Self { blobs, ..self }
    }

    /// The same with another rule for what is not known.
    #[must_use]
    pub const fn unknown(self, unknown: Unknown) -> Self {
        Self { unknown, ..self }
    }

    /// Checks a record.
    ///
    /// # Errors
    /// If its schema is not known and must be, its key is not of the kind that the schema wants, or it breaks a rule.
    pub fn record(
        &self,
        collection: &Nsid,
        key: &RecordKey,
        record: &Value<'_>,
    ) -> Result<(), ValidationError> {
        self.verdict(collection, key, record).map(|_| ())
    }

    /// Checks a record, and says whether all that it refers to was known. [`Verdict::Unknown`] is only given where
    /// [`Unknown::Allow`] was set.
    ///
    /// # Errors
    /// As [`record`](Self::record).
    pub fn verdict(
        &self,
        collection: &Nsid,
        key: &RecordKey,
        record: &Value<'_>,
    ) -> Result<Verdict, ValidationError> {
        let Some(Def::Record(schema)) = self.catalog.main(collection) else {
            return self.nothing("record", collection).map(|()| Verdict::Unknown);
        };
        if !schema.key.admits(key) {
            return Err(ValidationError::RecordKey { key: key.clone(), expected: schema.key.clone() });
        }
        self.walk("Record", |walk| walk.typed_record(collection.as_str(), schema, record, 0))
    }

    /// Checks the JSON body of a request. A body that is not described by a schema passes.
    /// [`request`](Self::request) looks at the media type too.
    ///
    /// # Errors
    /// If the method is not known and must be, or the body breaks a rule.
    pub fn input(&self, method: &Nsid, input: &Value<'_>) -> Result<(), ValidationError> {
        match self.method(method, "input")? {
            Some(found) => {
                self.body(found.input.as_ref().and_then(|body| body.schema.as_ref()), input, "Input")
            }
            None => Ok(()),
        }
    }

    /// Checks the JSON body of a response. A body that is not described by a schema passes.
    /// [`response`](Self::response) looks at the media type too.
    ///
    /// # Errors
    /// If the method is not known and must be, or the body breaks a rule.
    pub fn output(&self, method: &Nsid, output: &Value<'_>) -> Result<(), ValidationError> {
        match self.method(method, "output")? {
            Some(found) => {
                self.body(found.output.as_ref().and_then(|body| body.schema.as_ref()), output, "Output")
            }
            None => Ok(()),
        }
    }

    /// Checks a request's body with its media type: that there is one where the method takes one and none where it does
    /// not, that it is of the type, and that JSON is of the shape that the schema says.
    ///
    /// # Errors
    /// [`ValidationError::Body`] for what is wrong with the body as a whole; else as [`input`](Self::input).
    pub fn request(&self, method: &Nsid, payload: Payload<'_>) -> Result<(), ValidationError> {
        match self.method(method, "input")? {
            Some(found) => self.payload(found.input.as_ref(), payload, "Input"),
            None => Ok(()),
        }
    }

    /// Checks a response's body with its media type, as [`request`](Self::request) does.
    ///
    /// # Errors
    /// As [`request`](Self::request).
    pub fn response(&self, method: &Nsid, payload: Payload<'_>) -> Result<(), ValidationError> {
        match self.method(method, "output")? {
            Some(found) => self.payload(found.output.as_ref(), payload, "Output"),
            None => Ok(()),
        }
    }

    /// Checks the name of an error: whether the method or stream declares it, or XRPC has it for every method.
    ///
    /// Spec: <https://atproto.com/specs/xrpc#error-responses>
    ///
    /// # Errors
    /// [`ValidationError::UndeclaredError`], or that the method is not known and must be.
    pub fn error(&self, method: &Nsid, name: &str) -> Result<(), ValidationError> {
        let declared = match self.catalog.main(method) {
            Some(Def::Query(found) | Def::Procedure(found)) => &found.errors,
            Some(Def::Subscription(found)) => &found.errors,
            _ => return self.nothing("error", method),
        };
        if GENERAL_ERRORS.contains(&name) || declared.iter().any(|declared| declared == name) {
            return Ok(());
        }
        Err(ValidationError::UndeclaredError { nsid: method.clone(), name: shown(name) })
    }

    /// Checks the payload of a message of an event stream; `kind` is the `t` of its header, such as `#commit`.
    ///
    /// # Errors
    /// If the stream is not known and must be, the kind is not one of its messages, or the payload breaks a rule.
    pub fn message(&self, stream: &Nsid, kind: &str, payload: &Value<'_>) -> Result<(), ValidationError> {
        let Some(Def::Subscription(found)) = self.catalog.main(stream) else {
            return self.nothing("message", stream);
        };
        let reference = Reference::parse(kind, stream).ok();
        let known = found.message.iter().flat_map(|message| &message.refs);
        let checked = self.walk("Message", |walk| {
            match reference.filter(|reference| known.clone().any(|known| known == reference)) {
                Some(reference) => walk.referred(&reference, payload, 0),
                None => Err(Fault::new(Violation::Closed(walk::names(known)))),
            }
        });
        checked.map(|_| ())
    }

    /// Checks the decoded pairs of a query string. A repeated name, or one that ends in `[]`, is an array; names
    /// that the schema does not have are ignored.
    ///
    /// # Errors
    /// If the method is not known and must be, or a parameter breaks a rule.
    pub fn params<'p>(
        &self,
        method: &Nsid,
        pairs: impl IntoIterator<Item = (&'p str, &'p str)>,
    ) -> Result<(), ValidationError> {
        self.read_params(method, pairs).map(|_| ())
    }

    /// Checks the decoded pairs of a query string as [`params`](Self::params) does, and gives what they say: booleans,
    /// integers, texts and lists of these, with the schema's default for each that was not given. Of a method that is
    /// not known, nothing.
    ///
    /// # Errors
    /// As [`params`](Self::params).
    pub fn read_params<'p>(
        &self,
        method: &Nsid,
        pairs: impl IntoIterator<Item = (&'p str, &'p str)>,
    ) -> Result<Map<'p>, ValidationError> {
        let schema = match self.catalog.main(method) {
            Some(Def::Query(found) | Def::Procedure(found)) => &found.parameters,
            Some(Def::Subscription(found)) => &found.parameters,
            _ => return self.nothing("parameters", method).map(|()| Map::new()),
        };
        let pairs: Vec<_> = pairs.into_iter().collect();
        let mut read = Map::new();
        self.walk("Params", |walk| walk.params(schema, &pairs, &mut read))?;
        Ok(read)
    }

    fn method(&self, nsid: &Nsid, kind: &'static str) -> Result<Option<&'c MethodSchema>, ValidationError> {
        match self.catalog.main(nsid) {
            Some(Def::Query(method) | Def::Procedure(method)) => Ok(Some(method)),
            _ => self.nothing(kind, nsid).map(|()| None),
        }
    }

    fn body(
        &self,
        schema: Option<&Schema>,
        value: &Value<'_>,
        root: &'static str,
    ) -> Result<(), ValidationError> {
        let Some(schema) = schema else { return Ok(()) };
        self.walk(root, |walk| walk.value(schema, value, 0)).map(|_| ())
    }

    fn walk(
        &self,
        root: &'static str,
        check: impl FnOnce(&Walk<'c>) -> Result<(), Fault>,
    ) -> Result<Verdict, ValidationError> {
        let walk = Walk::new(self);
        check(&walk).map_err(|fault| fault.under(root))?;
        Ok(walk.verdict())
    }

    /// What becomes of something of which there is no schema.
    fn nothing(&self, kind: &'static str, nsid: &Nsid) -> Result<(), ValidationError> {
        match self.unknown {
            Unknown::Allow => Ok(()),
            Unknown::Refuse => Err(ValidationError::UnknownSchema { kind, nsid: nsid.clone() }),
        }
    }
}

/// The errors of any method, one for each status that XRPC has a name for, and those of authentication.
const GENERAL_ERRORS: [&str; 19] = [
    "AccountTakedown",
    "AuthMissing",
    "AuthenticationRequired",
    "ExpiredToken",
    "Forbidden",
    "InternalServerError",
    "InvalidRequest",
    "InvalidResponse",
    "InvalidToken",
    "MethodNotImplemented",
    "NotAcceptable",
    "NotEnoughResources",
    "PayloadTooLarge",
    "RateLimitExceeded",
    "Unknown",
    "UnsupportedMediaType",
    "UpstreamFailure",
    "UpstreamTimeout",
    "XRPCNotSupported",
];
