//! Values without parts.

use unicode_segmentation::UnicodeSegmentation;

use super::{
    Violation,
    walk::{Fault, listed},
};
use crate::{
    data::Value,
    lexicon::{BooleanSchema, BytesSchema, IntegerSchema, StringSchema, error::shown},
};

pub(super) fn boolean(schema: &BooleanSchema, value: &Value<'_>) -> Result<(), Fault> {
    let found = value.as_bool().ok_or_else(|| Fault::mistyped("boolean", value))?;
    match schema.constant {
        Some(constant) if constant != found => Err(Fault::new(Violation::Constant(constant.to_string()))),
        _ => Ok(()),
    }
}

pub(super) fn integer(schema: &IntegerSchema, value: &Value<'_>) -> Result<(), Fault> {
    let found = value.as_int().ok_or_else(|| Fault::mistyped("integer", value))?;
    broken_integer(schema, found).map_or(Ok(()), |violation| Err(Fault::new(violation)))
}

fn broken_integer(schema: &IntegerSchema, found: i64) -> Option<Violation> {
    if let Some(constant) = schema.constant.filter(|constant| *constant != found) {
        return Some(Violation::Constant(constant.to_string()));
    }
    if let Some(values) = schema.values.as_ref().filter(|values| !values.contains(&found)) {
        return Some(Violation::Values(listed(values.iter())));
    }
    if let Some(minimum) = schema.minimum.filter(|minimum| found < *minimum) {
        return Some(Violation::TooSmall(minimum));
    }
    schema.maximum.filter(|maximum| found > *maximum).map(Violation::TooLarge)
}

pub(super) fn string(schema: &StringSchema, value: &Value<'_>) -> Result<(), Fault> {
    let found = value.as_text().ok_or_else(|| Fault::mistyped("string", value))?;
    broken_string(schema, found).map_or(Ok(()), |violation| Err(Fault::new(violation)))
}

fn broken_string(schema: &StringSchema, found: &str) -> Option<Violation> {
    if let Some(constant) = schema.constant.as_ref().filter(|constant| *constant != found) {
        return Some(Violation::Constant(shown(constant)));
    }
    if let Some(values) = schema.values.as_ref().filter(|values| !values.iter().any(|value| value == found)) {
        return Some(Violation::Values(listed(values.iter())));
    }
    if let Some(violation) = broken_length(schema.min_length, schema.max_length, found.len()) {
        return Some(violation);
    }
    if let Some(violation) = broken_graphemes(schema, found) {
        return Some(violation);
    }
    schema.format.filter(|format| !format.admits(found)).map(Violation::Format)
}

/// A cluster takes at least one byte, so that short text needs no counting, and counting stops at the limit.
fn broken_graphemes(schema: &StringSchema, found: &str) -> Option<Violation> {
    if let Some(minimum) = schema.min_graphemes
        && (found.len() < minimum || found.graphemes(true).take(minimum).count() < minimum)
    {
        return Some(Violation::TooFewGraphemes(minimum));
    }
    let maximum = schema.max_graphemes?;
    let too_many = found.len() > maximum && found.graphemes(true).nth(maximum).is_some();
    too_many.then_some(Violation::TooManyGraphemes(maximum))
}

pub(super) fn bytes(schema: &BytesSchema, value: &Value<'_>) -> Result<(), Fault> {
    let found = value.as_bytes().ok_or_else(|| Fault::mistyped("bytes", value))?;
    broken_length(schema.min_length, schema.max_length, found.len())
        .map_or(Ok(()), |violation| Err(Fault::new(violation)))
}

pub(super) fn cid_link(value: &Value<'_>) -> Result<(), Fault> {
    value.as_link().map(|_| ()).ok_or_else(|| Fault::mistyped("cid-link", value))
}

fn broken_length(minimum: Option<usize>, maximum: Option<usize>, length: usize) -> Option<Violation> {
    if let Some(minimum) = minimum.filter(|minimum| length < *minimum) {
        return Some(Violation::TooFewBytes(minimum));
    }
    maximum.filter(|maximum| length > *maximum).map(Violation::TooManyBytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn graphemes_are_what_a_reader_sees() {
        let limits = |minimum, maximum| StringSchema {
            min_graphemes: Some(minimum),
            max_graphemes: Some(maximum),
            ..StringSchema::default()
        };
        let families = "👩‍👩‍👦‍👦👩‍👩‍👦‍👦";
        assert_eq!(broken_graphemes(&limits(2, 2), families), None);
        assert_eq!(broken_graphemes(&limits(0, 1), families), Some(Violation::TooManyGraphemes(1)));
        assert_eq!(broken_graphemes(&limits(3, 9), families), Some(Violation::TooFewGraphemes(3)));
        assert_eq!(broken_graphemes(&limits(1, 1), "e\u{301}"), None);
        assert_eq!(broken_graphemes(&limits(1, 1), "\r\n"), None);
        assert_eq!(broken_graphemes(&limits(0, 0), ""), None);
    }

    #[test]
    fn lengths_are_bytes() {
        let schema = StringSchema { max_length: Some(3), ..StringSchema::default() };
        assert_eq!(broken_string(&schema, "abc"), None);
        assert_eq!(broken_string(&schema, "é€"), Some(Violation::TooManyBytes(3)));
    }

    #[test]
    fn known_values_bind_nobody() {
        let known = StringSchema { known_values: vec!["a".to_owned()], ..StringSchema::default() };
        assert_eq!(broken_string(&known, "b"), None);
        let only =
            StringSchema { values: Some(vec!["a".to_owned(), "c".to_owned()]), ..StringSchema::default() };
        assert_eq!(broken_string(&only, "b"), Some(Violation::Values("a, c".to_owned())));
    }
}
