//! One check: what it may cost, and what it has found.

use std::cell::Cell;

use super::{BlobRule, Unknown, Validator, Verdict, Violation, blob, scalars};
use crate::{
    data::Value,
    lexicon::{Catalog, Path, Reference, Schema, ValidationError, error::shown},
};

/// How deeply lists and maps may be nested in what is checked. Decoders admit less; this bounds values that were
/// built by hand.
const MAX_NESTING: usize = 128;

/// How many values are looked at and how often a value is compared with one of a list, all in all. A record of a megabyte has
/// less than a million values; lists of ten thousand choices for each of them are how a stranger's schema would use up the
/// processor. So many steps take some tens of milliseconds.
const MAX_STEPS: u64 = 10_000_000;

/// How many characters a list of choices takes in a message.
const MAX_LISTED: usize = 500;

/// One check.
pub(super) struct Walk<'c> {
    pub(super) catalog: &'c Catalog,
    blobs: BlobRule,
    unknown: Unknown,
    steps: Cell<u64>,
    unresolved: Cell<bool>,
}

impl<'c> Walk<'c> {
    pub(super) const fn new(validator: &Validator<'c>) -> Self {
        let Validator { catalog, blobs, unknown } = *validator;
        Self { catalog, blobs, unknown, steps: Cell::new(MAX_STEPS), unresolved: Cell::new(false) }
    }

    pub(super) fn verdict(&self) -> Verdict {
        if self.unresolved.get() { Verdict::Unknown } else { Verdict::Valid }
    }

    pub(super) fn value(&self, schema: &Schema, value: &Value<'_>, depth: usize) -> Result<(), Fault> {
        self.step(1 + choices(schema))?;
        match schema {
            Schema::Boolean(boolean) => scalars::boolean(boolean, value),
            Schema::Integer(integer) => scalars::integer(integer, value),
            Schema::String(string) => scalars::string(string, value),
            Schema::Bytes(bytes) => scalars::bytes(bytes, value),
            Schema::CidLink => scalars::cid_link(value),
            Schema::Blob(schema) => blob::blob(schema, self.blobs, value),
            Schema::Array(array) => self.array(array, value, depth),
            Schema::Object(object) => self.object(object, value, depth),
            Schema::Ref(reference) => self.referred(reference, value, depth),
            Schema::Union(union) => self.union(union, value, depth),
            Schema::Unknown => super::containers::unknown(value),
        }
    }

    /// Counts so many steps.
    pub(super) fn step(&self, count: usize) -> Result<(), Fault> {
        match self.steps.get().checked_sub(count as u64) {
            Some(left) => {
                self.steps.set(left);
                Ok(())
            }
            None => Err(Fault::new(Violation::TooMuch)),
        }
    }

    /// What becomes of a value whose schema is not known.
    pub(super) fn unresolved(&self, reference: &Reference) -> Result<(), Fault> {
        match self.unknown {
            Unknown::Allow => {
                self.unresolved.set(true);
                Ok(())
            }
            Unknown::Refuse => Err(Fault::new(Violation::Unresolved(shown(reference.as_str())))),
        }
    }
}

/// How many values of a list a value may have to be compared with.
fn choices(schema: &Schema) -> usize {
    match schema {
        Schema::Integer(integer) => integer.values.as_ref().map_or(0, Vec::len),
        Schema::String(string) => string.values.as_ref().map_or(0, Vec::len),
        Schema::Blob(blob) => blob.accept.as_ref().map_or(0, Vec::len),
        Schema::Union(union) => union.refs.len(),
        _ => 0,
    }
}

pub(super) fn deeper(depth: usize) -> Result<usize, Fault> {
    if depth < MAX_NESTING { Ok(depth + 1) } else { Err(Fault::new(Violation::TooDeep)) }
}

/// The choices of a list, as many as a message repeats.
pub(super) fn listed<T: ToString>(choices: impl Iterator<Item = T>) -> String {
    let mut text = String::new();
    for choice in choices {
        if text.len() >= MAX_LISTED {
            return text + ", ...";
        }
        if !text.is_empty() {
            text += ", ";
        }
        text += &shown(&choice.to_string());
    }
    text
}

pub(super) fn names<'r>(references: impl Iterator<Item = &'r Reference>) -> String {
    listed(references.map(Reference::as_str))
}

/// A broken rule on its way up, while it learns where it happened.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) path: Path,
    pub(super) violation: Violation,
}

impl Fault {
    pub(super) const fn new(violation: Violation) -> Self {
        Self { path: Path::new(""), violation }
    }

    pub(super) fn mistyped(expected: &'static str, found: &Value<'_>) -> Self {
        Self::new(Violation::Type { expected, found: found.kind() })
    }

    pub(super) fn at(mut self, step: &impl ToString) -> Self {
        self.path.push_outer(step.to_string());
        self
    }

    pub(super) fn under(mut self, root: &'static str) -> ValidationError {
        self.path.set_root(root);
        ValidationError::Invalid { path: self.path, violation: self.violation }
    }
}
