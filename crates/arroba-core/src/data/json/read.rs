use std::borrow::Cow;
use std::fmt;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};

use super::{JsonError, ModelError};
use crate::data::cid::Link;
use crate::data::value::{Map, Value};
use crate::data::{MAX_CONTAINER_ELEMENTS, MAX_DEPTH, MAX_KEY_BYTES};

const LENIENT_BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The largest integer that a float with every smaller one is exact for: 2^53.
const EXACT_FLOAT: f64 = 9_007_199_254_740_992.0;

/// Reads a value from JSON text, which must be UTF-8. Text without escapes is borrowed.
///
/// # Errors
/// If it is no JSON, or no value of the data model.
pub fn from_slice(json: &[u8]) -> Result<Value<'_>, JsonError> {
    read(serde_json::Deserializer::from_slice(json))
}

/// Reads a value from JSON text. Text without escapes is borrowed.
///
/// # Errors
/// If it is no JSON, or no value of the data model.
pub fn from_str(json: &str) -> Result<Value<'_>, JsonError> {
    read(serde_json::Deserializer::from_str(json))
}

fn read<'de, R: serde_json::de::Read<'de>>(
    mut deserializer: serde_json::Deserializer<R>,
) -> Result<Value<'de>, JsonError> {
    let value = Seed { depth: 0 }.deserialize(&mut deserializer).map_err(JsonError::Syntax)?;
    deserializer.end().map_err(JsonError::Syntax)?;
    Ok(value)
}

/// Reads a value from parsed JSON, borrowing its text.
///
/// Duplicate keys cannot be seen any more at this point: text from outside goes through [`from_slice`].
///
/// # Errors
/// If it is no value of the data model.
pub fn from_json_value(json: &serde_json::Value) -> Result<Value<'_>, JsonError> {
    Ok(convert(json, 0)?)
}

fn convert(json: &serde_json::Value, depth: usize) -> Result<Value<'_>, ModelError> {
    Ok(match json {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(value) => Value::Bool(*value),
        serde_json::Value::Number(number) => Value::Int(match (number.as_i64(), number.as_f64()) {
            (Some(value), _) => value,
            (None, _) if number.is_u64() => return Err(ModelError::IntegerRange),
            (None, Some(value)) => exact(value)?,
            (None, None) => return Err(ModelError::Float),
        }),
        serde_json::Value::String(text) => Value::Text(Cow::Borrowed(text)),
        serde_json::Value::Array(list) => {
            check_container(depth, list.len())?;
            Value::List(list.iter().map(|item| convert(item, depth + 1)).collect::<Result<_, _>>()?)
        }
        serde_json::Value::Object(object) => {
            check_object(depth, object.len())?;
            let mut entries = Vec::with_capacity(object.len());
            for (key, value) in object {
                entries.push((Cow::Borrowed(key.as_str()), convert(value, depth + 1)?));
            }
            map_or_special(entries, depth)?
        }
    })
}

/// An object one level too deep may still be a link or bytes, which are no containers.
const fn check_object(depth: usize, length: usize) -> Result<(), ModelError> {
    check_container(depth.saturating_sub(1), length)
}

const fn check_container(depth: usize, length: usize) -> Result<(), ModelError> {
    if depth >= MAX_DEPTH {
        return Err(ModelError::TooDeep);
    }
    if length > MAX_CONTAINER_ELEMENTS {
        return Err(ModelError::TooManyElements);
    }
    Ok(())
}

fn exact(value: f64) -> Result<i64, ModelError> {
    if value.fract() != 0.0 || value.abs() > EXACT_FLOAT {
        return Err(ModelError::Float);
    }
    Ok(value as i64)
}

/// The value of an object with these entries: a link, bytes, or a map.
fn map_or_special<'a>(
    entries: Vec<(Cow<'a, str>, Value<'a>)>,
    depth: usize,
) -> Result<Value<'a>, ModelError> {
    if entries.iter().any(|(key, _)| key.len() > MAX_KEY_BYTES) {
        return Err(ModelError::KeyTooLong);
    }
    let special = entries.iter().find_map(|(key, _)| match &**key {
        "$link" => Some("$link"),
        "$bytes" => Some("$bytes"),
        _ => None,
    });
    let Some(special) = special else {
        check_container(depth, 0)?;
        return Map::from_entries(entries).map(Value::Map).map_err(ModelError::DuplicateKey);
    };
    let [(_, Value::Text(text))] = &entries[..] else { return Err(ModelError::Special(special)) };
    Ok(match special {
        "$link" => Value::Link(Link::parse(text)?),
        _ => Value::Bytes(Cow::Owned(LENIENT_BASE64.decode(text.as_bytes())?)),
    })
}

struct Seed {
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Seed {
    type Value = Value<'de>;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of the data model")
    }

    fn visit_unit<E>(self) -> Result<Value<'de>, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value<'de>, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value<'de>, E> {
        Ok(Value::Int(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value<'de>, E> {
        i64::try_from(value).map(Value::Int).map_err(|_| E::custom(ModelError::IntegerRange))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value<'de>, E> {
        exact(value).map(Value::Int).map_err(E::custom)
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Value<'de>, E> {
        Ok(Value::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value<'de>, E> {
        Ok(Value::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_string<E>(self, text: String) -> Result<Value<'de>, E> {
        Ok(Value::Text(Cow::Owned(text)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value<'de>, A::Error> {
        let mut list = Vec::new();
        check_container(self.depth, 0).map_err(A::Error::custom)?;
        while let Some(item) = access.next_element_seed(Self { depth: self.depth + 1 })? {
            list.push(item);
            check_container(self.depth, list.len()).map_err(A::Error::custom)?;
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value<'de>, A::Error> {
        let mut entries = Vec::new();
        check_object(self.depth, 0).map_err(A::Error::custom)?;
        while let Some(key) = access.next_key_seed(KeySeed)? {
            entries.push((key, access.next_value_seed(Self { depth: self.depth + 1 })?));
            check_object(self.depth, entries.len()).map_err(A::Error::custom)?;
        }
        map_or_special(entries, self.depth).map_err(A::Error::custom)
    }
}

struct KeySeed;

impl<'de> DeserializeSeed<'de> for KeySeed {
    type Value = Cow<'de, str>;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Cow<'de, str>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for KeySeed {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Borrowed(key))
    }

    fn visit_str<E>(self, key: &str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Owned(key.to_owned()))
    }
}
