use std::fmt;

use super::text::parsed_type;
use super::{Datetime, SyntaxError};

const ALPHABET: &[u8; 32] = b"234567abcdefghijklmnopqrstuvwxyz";

/// A timestamp identifier: microseconds since 1970 and a clock identifier of ten bits, as thirteen characters.
///
/// The order of the numbers, of the texts and of the times is the same. Those of others are to be trusted
/// neither for time nor for uniqueness. Spec: <https://atproto.com/specs/tid>
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tid(u64);

impl Tid {
    /// The length of the text.
    pub const LENGTH: usize = 13;

    /// The latest time that a generated one can carry: 53 bits of microseconds.
    pub const MAX_MICROS: u64 = (1 << 53) - 1;

    /// The identifier of this time (its low 53 bits) and clock (its low ten bits).
    pub const fn from_micros(micros: u64, clock_id: u16) -> Self {
        Self((micros & Self::MAX_MICROS) << 10 | (clock_id as u64 & 0x3ff))
    }

    /// The identifier of this number.
    pub const fn from_u64(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn to_u64(self) -> u64 {
        self.0
    }

    /// Microseconds since 1970.
    pub const fn micros(self) -> u64 {
        self.0 >> 10
    }

    /// The identifier of this time, its microseconds kept; `None` before 1970, and where 53 bits do not hold it, in
    /// the year 2255.
    pub fn from_datetime(datetime: &Datetime, clock_id: u16) -> Option<Self> {
        let micros = u64::try_from(datetime.unix_micros()).ok()?;
        (micros <= Self::MAX_MICROS).then(|| Self::from_micros(micros, clock_id))
    }

    /// The time in UTC, to the microsecond.
    pub fn to_datetime(self) -> Datetime {
        Datetime::from_unix_micros_exact(self.micros())
    }

    /// The clock identifier.
    pub const fn clock_id(self) -> u16 {
        (self.0 & 0x3ff) as u16
    }

    /// The next identifier at the time `now_micros`: greater than `previous` even if the clock stands still or
    /// has gone back.
    ///
    /// It is later than `previous` by a microsecond at least. Only if `previous` carries the greatest time or
    /// more, which nothing generated does, it is the next number (and `previous` itself at the very end of the
    /// numbers: callers refuse such identifiers long before).
    pub fn next_after(now_micros: u64, clock_id: u16, previous: Option<Self>) -> Self {
        let now = now_micros.min(Self::MAX_MICROS);
        match previous {
            None => Self::from_micros(now, clock_id),
            Some(previous) if now > previous.micros() => Self::from_micros(now, clock_id),
            Some(previous) if previous.micros() < Self::MAX_MICROS => {
                Self::from_micros(previous.micros() + 1, clock_id)
            }
            Some(previous) => Self(previous.0.saturating_add(1)),
        }
    }

    /// Reads the text.
    ///
    /// # Errors
    /// If it is no TID.
    pub fn parse(text: &str) -> Result<Self, SyntaxError> {
        let error = |reason| SyntaxError::new("tid", reason);
        if text.len() != Self::LENGTH {
            return Err(error("not 13 characters"));
        }
        let mut number = 0u64;
        for (i, byte) in text.bytes().enumerate() {
            let digit = match byte {
                b'2'..=b'7' => byte - b'2',
                b'a'..=b'z' => byte - b'a' + 6,
                _ => return Err(error("character that is not allowed")),
            };
            if i == 0 && digit > 15 {
                return Err(error("first character beyond j"));
            }
            number = number << 5 | u64::from(digit);
        }
        Ok(Self(number))
    }

    /// The text as ASCII bytes.
    pub fn to_ascii(self) -> [u8; Self::LENGTH] {
        std::array::from_fn(|i| ALPHABET[(self.0 >> (60 - 5 * i)) as usize & 31])
    }
}

impl fmt::Display for Tid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(std::str::from_utf8(&self.to_ascii()).unwrap_or_default())
    }
}

impl fmt::Debug for Tid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tid({self})")
    }
}

parsed_type!(Tid);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_identifier() {
        let tid = Tid::parse("3jzfcijpj2z2a").unwrap();
        assert_eq!((tid.micros(), tid.clock_id()), (1_688_137_381_887_007, 6));
        assert_eq!(tid.to_string(), "3jzfcijpj2z2a");
        assert_eq!(Tid::from_u64(0).to_string(), "2222222222222");
        assert_eq!(Tid::from_micros(Tid::MAX_MICROS, 1023).to_string(), "bzzzzzzzzzzzz");
        assert_eq!(Tid::parse("jzzzzzzzzzzzz"), Ok(Tid::from_u64(u64::MAX)));
    }

    #[test]
    fn times() {
        let tid = Tid::parse("3jzfcijpj2z2a").unwrap();
        assert_eq!(tid.to_datetime().as_str(), "2023-06-30T15:03:01.887007Z");
        assert_eq!(Tid::from_datetime(&tid.to_datetime(), tid.clock_id()), Some(tid));
        let read = |text| Tid::from_datetime(&Datetime::parse(text).unwrap(), 0);
        assert_eq!(read("1970-01-01T00:00:00Z"), Some(Tid::from_u64(0)));
        assert_eq!(read("1970-01-01T01:00:00.0000019+01:00"), Some(Tid::from_micros(1, 0)));
        assert_eq!(read("1969-12-31T23:59:59.999Z"), None);
        assert_eq!(read("2255-06-05T23:47:34.740991Z"), Some(Tid::from_micros(Tid::MAX_MICROS, 0)));
        assert_eq!(read("2255-06-05T23:47:34.740992Z"), None);
    }

    #[test]
    fn always_grows() {
        let mut last = Tid::from_micros(1000, 1023);
        for now in [1001, 1001, 1000, 0, 5, 2000, u64::MAX, 0] {
            let next = Tid::next_after(now, 3, Some(last));
            assert!(next > last, "{now}");
            last = next;
        }
        let end = Tid::from_u64(u64::MAX - 1);
        assert!(Tid::next_after(0, 0, Some(end)) > end);
    }
}
