//! Rules that data can break, and where.

use std::fmt;

use thiserror::Error;

use super::StringFormat;

/// Where in the data something stands, such as `Record/embed/images/0/alt`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    root: &'static str,
    /// From the innermost outwards: errors learn their place on the way up.
    steps: Vec<String>,
}

impl Path {
    pub(super) const fn new(root: &'static str) -> Self {
        Self { root, steps: Vec::new() }
    }

    pub(super) fn push_outer(&mut self, step: String) {
        self.steps.push(step);
    }

    pub(super) const fn set_root(&mut self, root: &'static str) {
        self.root = root;
    }
}

impl fmt::Display for Path {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MAX_STEPS: usize = 24;
        out.write_str(self.root)?;
        for step in self.steps.iter().rev().take(MAX_STEPS) {
            // Field names come from schemas that others may have written; a message repeats no more of one than is useful.
            let shown = step.char_indices().nth(64).map_or(step.as_str(), |(end, _)| &step[..end]);
            write!(out, "/{}", shown.escape_debug())?;
        }
        if self.steps.len() > MAX_STEPS {
            out.write_str("/...")?;
        }
        Ok(())
    }
}

/// A rule that a value breaks. The text goes on where the path of the value ends.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Violation {
    /// It is of another type.
    #[error("must be {expected}, not {found}")]
    Type {
        /// What it should be.
        expected: &'static str,
        /// What it is.
        found: &'static str,
    },
    /// A field that must be there is not.
    #[error("must be there")]
    Missing,
    /// It is not the only value allowed.
    #[error("must be {0}")]
    Constant(String),
    /// It is none of the values allowed.
    #[error("must be one of {0}")]
    Values(String),
    /// An integer is too small.
    #[error("must not be less than {0}")]
    TooSmall(i64),
    /// An integer is too large.
    #[error("must not be greater than {0}")]
    TooLarge(i64),
    /// Text has too few bytes.
    #[error("must not be shorter than {0} bytes")]
    TooFewBytes(usize),
    /// Text or bytes have too many bytes.
    #[error("must not be longer than {0} bytes")]
    TooManyBytes(usize),
    /// Text has too few grapheme clusters.
    #[error("must not be shorter than {0} graphemes")]
    TooFewGraphemes(usize),
    /// Text has too many grapheme clusters.
    #[error("must not be longer than {0} graphemes")]
    TooManyGraphemes(usize),
    /// A list has too few items.
    #[error("must not have fewer than {0} items")]
    TooFewItems(usize),
    /// A list has too many items.
    #[error("must not have more than {0} items")]
    TooManyItems(usize),
    /// Text is not of its format.
    #[error("must be a valid {}", .0.name())]
    Format(StringFormat),
    /// A map that must say its type does not, or says another.
    #[error("must have the $type {0}")]
    TypeName(String),
    /// A map that may be of several types does not say which.
    #[error("must have a $type")]
    Untyped,
    /// A `$type` is not spelled as it must be.
    #[error("must have a well-formed $type without #main")]
    TypeSpelling,
    /// A `$type` is not in a closed union.
    #[error("must have one of the $types {0}")]
    Closed(String),
    /// A blob reference is malformed.
    #[error("must be a well-formed blob reference")]
    Blob,
    /// A blob's CID is not one of raw bytes.
    #[error("must refer to the blob by a CID of raw bytes")]
    BlobCodec,
    /// A blob's media type is not accepted.
    #[error("must have a media type among {0}")]
    MediaType(String),
    /// A blob is too large.
    #[error("must not be larger than {0} bytes")]
    BlobSize(u64),
    /// The schema refers to one that is not known, or not a shape of data.
    #[error("cannot be checked: no schema {0} is known")]
    Unresolved(String),
    /// Lists and maps are nested too deeply.
    #[error("is nested too deeply")]
    TooDeep,
    /// The schema's lists of choices are too long for so many values.
    #[error("takes too long to check")]
    TooMuch,
    /// A parameter that holds one value was given more than once.
    #[error("must be given once")]
    Repeated,
}
