//! Strict DAG-CBOR (DRISL): exactly one encoding for a value, and everything else refused.
//!
//! Refused are: lengths and integers that are not in their shortest form, indefinite lengths, floats, tags
//! other than 42, simple values other than `false`, `true` and `null`, integers outside 64 signed bits, keys
//! that are no text, out of order or twice there, text that is not UTF-8, nesting deeper than
//! [`MAX_DEPTH`], and bytes after the end.
//!
//! Spec: <https://atproto.com/specs/data-model>, <https://dasl.ing/drisl.html>

mod error;
mod reader;
mod writer;

pub use error::{CborError, CborErrorKind};
pub use reader::{Kind, MapKeys, Reader};
pub use writer::{Writer, head_length};

use std::borrow::Cow;

use super::MAX_DEPTH;
use super::cid::Link;
use super::value::{Map, Value};

/// Decodes exactly one value. Text and bytes are borrowed from `bytes`.
///
/// # Errors
/// For every departure from canonical DAG-CBOR; see [the module](self).
pub fn decode(bytes: &[u8]) -> Result<Value<'_>, CborError> {
    let mut reader = Reader::new(bytes);
    let value = read_value(&mut reader, 0)?;
    reader.finish()?;
    Ok(value)
}

/// Checks exactly one value as strictly as [`decode`], without building it, and gives its links in order.
///
/// # Errors
/// As [`decode`].
pub fn check(bytes: &[u8]) -> Result<Vec<Link>, CborError> {
    let mut reader = Reader::new(bytes);
    let mut links = Vec::new();
    check_value(&mut reader, 0, &mut |link| links.push(link))?;
    reader.finish()?;
    Ok(links)
}

/// Encodes a value.
pub fn encode(value: &Value<'_>) -> Vec<u8> {
    let mut writer = Writer::with_capacity(512);
    writer.value(value);
    writer.into_bytes()
}

/// Room for at most this many values is made on the mere word of a length.
const TRUSTED_CAPACITY: usize = 64;

fn read_value<'a>(reader: &mut Reader<'a>, depth: usize) -> Result<Value<'a>, CborError> {
    Ok(match reader.kind()? {
        Kind::Null => {
            reader.null()?;
            Value::Null
        }
        Kind::Bool => Value::Bool(reader.bool()?),
        Kind::Int => Value::Int(reader.int()?),
        Kind::Text => Value::Text(Cow::Borrowed(reader.text()?)),
        Kind::Bytes => Value::Bytes(Cow::Borrowed(reader.bytes()?)),
        Kind::Link => Value::Link(reader.link()?),
        Kind::List | Kind::Map if depth >= MAX_DEPTH => return Err(reader.error(CborErrorKind::TooDeep)),
        Kind::List => {
            let length = reader.bounded(Reader::list, |length| *length)?;
            let mut list = Vec::with_capacity(length.min(TRUSTED_CAPACITY));
            for _ in 0..length {
                list.push(read_value(reader, depth + 1)?);
            }
            Value::List(list)
        }
        Kind::Map => {
            let mut keys = reader.bounded(Reader::map, MapKeys::remaining)?;
            let mut map = Map::with_capacity(keys.remaining().min(TRUSTED_CAPACITY));
            while let Some(key) = keys.next(reader)? {
                let value = read_value(reader, depth + 1)?;
                map.push_last(Cow::Borrowed(key), value);
            }
            Value::Map(map)
        }
    })
}

fn check_value(reader: &mut Reader<'_>, depth: usize, link: &mut impl FnMut(Link)) -> Result<(), CborError> {
    match reader.kind()? {
        Kind::Null => reader.null(),
        Kind::Bool => reader.bool().map(drop),
        Kind::Int => reader.int().map(drop),
        Kind::Text => reader.text().map(drop),
        Kind::Bytes => reader.bytes().map(drop),
        Kind::Link => {
            link(reader.link()?);
            Ok(())
        }
        Kind::List | Kind::Map if depth >= MAX_DEPTH => Err(reader.error(CborErrorKind::TooDeep)),
        Kind::List => {
            for _ in 0..reader.bounded(Reader::list, |length| *length)? {
                check_value(reader, depth + 1, link)?;
            }
            Ok(())
        }
        Kind::Map => {
            let mut keys = reader.bounded(Reader::map, MapKeys::remaining)?;
            while keys.next(reader)?.is_some() {
                check_value(reader, depth + 1, link)?;
            }
            Ok(())
        }
    }
}
