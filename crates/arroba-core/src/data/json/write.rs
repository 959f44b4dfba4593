use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use crate::data::MAX_DEPTH;
use crate::data::cbor::{CborError, CborErrorKind, Kind, MapKeys, Reader};
use crate::data::cid::Link;
use crate::data::value::Value;

/// Appends a value as compact JSON, map keys in their canonical order.
pub fn write(value: &Value<'_>, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(value) => write_bool(*value, out),
        Value::Int(value) => write_int(*value, out),
        Value::Text(text) => write_text(text, out),
        Value::Bytes(bytes) => write_bytes(bytes, out),
        Value::Link(link) => write_link(link, out),
        Value::List(list) => {
            out.push(b'[');
            for (i, item) in list.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                write(item, out);
            }
            out.push(b']');
        }
        Value::Map(map) => {
            out.push(b'{');
            for (i, (key, value)) in map.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                write_text(key, out);
                out.push(b':');
                write(value, out);
            }
            out.push(b'}');
        }
    }
}

/// Appends exactly one value of strict DAG-CBOR as JSON, without a tree in between: the same bytes that
/// [`write()`] yields.
///
/// # Errors
/// As [`cbor::decode`](crate::data::cbor::decode); `out` is as it was then.
pub fn from_cbor(cbor: &[u8], out: &mut Vec<u8>) -> Result<(), CborError> {
    let start = out.len();
    let mut reader = Reader::new(cbor);
    let result = transcode(&mut reader, 0, out).and_then(|()| reader.finish());
    if result.is_err() {
        out.truncate(start);
    }
    result
}

fn transcode(reader: &mut Reader<'_>, depth: usize, out: &mut Vec<u8>) -> Result<(), CborError> {
    match reader.kind()? {
        Kind::Null => {
            reader.null()?;
            out.extend_from_slice(b"null");
        }
        Kind::Bool => write_bool(reader.bool()?, out),
        Kind::Int => write_int(reader.int()?, out),
        Kind::Text => write_text(reader.text()?, out),
        Kind::Bytes => write_bytes(reader.bytes()?, out),
        Kind::Link => write_link(&reader.link()?, out),
        Kind::List | Kind::Map if depth >= MAX_DEPTH => return Err(reader.error(CborErrorKind::TooDeep)),
        Kind::List => {
            out.push(b'[');
            for i in 0..reader.bounded(Reader::list, |length| *length)? {
                if i > 0 {
                    out.push(b',');
                }
                transcode(reader, depth + 1, out)?;
            }
            out.push(b']');
        }
        Kind::Map => {
            out.push(b'{');
            let mut keys = reader.bounded(Reader::map, MapKeys::remaining)?;
            let mut first = true;
            while let Some(key) = keys.next(reader)? {
                if !std::mem::take(&mut first) {
                    out.push(b',');
                }
                write_text(key, out);
                out.push(b':');
                transcode(reader, depth + 1, out)?;
            }
            out.push(b'}');
        }
    }
    Ok(())
}

/// The value as parsed JSON.
pub fn to_json(value: &Value<'_>) -> serde_json::Value {
    match value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(value) => (*value).into(),
        Value::Int(value) => (*value).into(),
        Value::Text(text) => text.as_ref().into(),
        Value::Bytes(bytes) => serde_json::json!({ "$bytes": STANDARD_NO_PAD.encode(bytes) }),
        Value::Link(link) => serde_json::json!({ "$link": link.to_string() }),
        Value::List(list) => list.iter().map(to_json).collect(),
        Value::Map(map) => map.iter().map(|(key, value)| (key.to_owned(), to_json(value))).collect(),
    }
}

fn write_bool(value: bool, out: &mut Vec<u8>) {
    out.extend_from_slice(if value { b"true" } else { b"false" });
}

fn write_int(value: i64, out: &mut Vec<u8>) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    let mut left = value.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + (left % 10) as u8;
        left /= 10;
        if left == 0 {
            break;
        }
    }
    if value < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(&digits[at..]);
}

fn write_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"$bytes\":\"");
    out.extend_from_slice(STANDARD_NO_PAD.encode(bytes).as_bytes());
    out.extend_from_slice(b"\"}");
}

fn write_link(link: &Link, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"$link\":\"");
    out.extend_from_slice(link.to_string().as_bytes());
    out.extend_from_slice(b"\"}");
}

/// For each byte of text, the letter of its short escape, `u` for the long one, or zero for none.
const ESCAPES: [u8; 256] = {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 0x20 {
        table[i] = b'u';
        i += 1;
    }
    table[0x08] = b'b';
    table[0x09] = b't';
    table[0x0a] = b'n';
    table[0x0c] = b'f';
    table[0x0d] = b'r';
    table[b'"' as usize] = b'"';
    table[b'\\' as usize] = b'\\';
    table
};

/// Appends text as a JSON string with its quotes.
pub fn write_text(text: &str, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let bytes = text.as_bytes();
    out.reserve(bytes.len() + 2);
    out.push(b'"');
    let mut written = 0;
    for (i, byte) in bytes.iter().enumerate() {
        let escape = ESCAPES[usize::from(*byte)];
        if escape == 0 {
            continue;
        }
        out.extend_from_slice(&bytes[written..i]);
        written = i + 1;
        out.extend_from_slice(&[b'\\', escape]);
        if escape == b'u' {
            let digits = [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]];
            out.extend_from_slice(b"00");
            out.extend_from_slice(&digits);
        }
    }
    out.extend_from_slice(&bytes[written..]);
    out.push(b'"');
}
