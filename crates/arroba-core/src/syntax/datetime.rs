use super::SyntaxError;
use super::text::{Text, text_type};

text_type! {
    /// A point in time with a time zone, such as `1985-04-12T23:20:50.123Z`, its text kept exactly.
    ///
    /// Upper-case `T` and `Z`, seconds and zone demanded, at most twenty digits of fraction, a real date, not
    /// before the year 0. Order and equality are those of the text, not of the time.
    /// Spec: <https://atproto.com/specs/lexicon#datetime>
    Datetime
}

impl Datetime {
    /// The longest text.
    pub const MAX_LENGTH: usize = 64;

    /// Reads the text exactly as it is.
    ///
    /// # Errors
    /// If it is no datetime, or no real one.
    pub fn parse(text: &str) -> Result<Self, SyntaxError> {
        instant(text).map_err(|reason| SyntaxError::new("datetime", reason))?;
        Ok(Self(text.into()))
    }

    /// The datetime of so many milliseconds since 1970, in UTC with three digits of fraction: the form that is
    /// preferred in records and events. Beyond the year 9999 it is the last millisecond of that year.
    pub fn from_unix_millis(millis: u64) -> Self {
        let millis = millis.min(LAST_MILLI);
        Self::format(millis / 1000, format_args!("{:03}", millis % 1000))
    }

    /// The datetime of so many microseconds since 1970, cut to milliseconds.
    pub fn from_unix_micros(micros: u64) -> Self {
        Self::from_unix_millis(micros / 1000)
    }

    /// The datetime of so many microseconds since 1970, in UTC with six digits of fraction: nothing is cut off. Beyond
    /// the year 9999 it is the last microsecond of that year.
    pub fn from_unix_micros_exact(micros: u64) -> Self {
        let micros = micros.min(LAST_MILLI * 1000 + 999);
        Self::format(micros / 1_000_000, format_args!("{:06}", micros % 1_000_000))
    }

    /// In UTC; not beyond the year 9999.
    fn format(seconds: u64, fraction: std::fmt::Arguments<'_>) -> Self {
        let (year, month, day) = civil(seconds / 86_400);
        let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
        let text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{fraction}Z");
        Self(Text::from(text))
    }

    /// Microseconds since 1970, negative before; smaller fractions are cut off.
    pub fn unix_micros(&self) -> i64 {
        instant(self.as_str()).unwrap_or_default()
    }
}

/// 9999-12-31T23:59:59.999Z
const LAST_MILLI: u64 = 253_402_300_799_999;

/// 0000-01-01T00:00:00Z in seconds since 1970.
const FIRST_SECOND: i64 = -62_167_219_200;

/// Two digits at `at`.
fn two(text: &[u8], at: usize) -> Option<u32> {
    match text.get(at..at + 2)? {
        [a @ b'0'..=b'9', b @ b'0'..=b'9'] => Some(u32::from(a - b'0') * 10 + u32::from(b - b'0')),
        _ => None,
    }
}

/// Checks a datetime and gives its microseconds since 1970.
fn instant(text: &str) -> Result<i64, &'static str> {
    const SHAPE: &str = "not of the form YYYY-MM-DDTHH:MM:SS[.fraction](Z|+HH:MM|-HH:MM)";
    let text = text.as_bytes();
    if text.len() > Datetime::MAX_LENGTH {
        return Err("longer than 64 characters");
    }
    let number = |at| two(text, at).ok_or(SHAPE);
    let year = number(0)? * 100 + number(2)?;
    let (month, day, hour, minute, second) = (number(5)?, number(8)?, number(11)?, number(14)?, number(17)?);
    for (at, separator) in [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')] {
        if text.get(at) != Some(&separator) {
            return Err(SHAPE);
        }
    }
    let mut rest = text.get(19..).unwrap_or_default();
    let mut micros = 0;
    if let Some(fraction) = rest.strip_prefix(b".") {
        let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if !(1..=20).contains(&digits) {
            return Err("fraction not of 1 to 20 digits");
        }
        for digit in fraction.iter().take(digits).chain(b"00000").take(6) {
            micros = micros * 10 + i64::from(digit - b'0');
        }
        rest = &fraction[digits..];
    }
    let offset_minutes = match rest {
        b"Z" => 0,
        b"-00:00" => return Err("offset -00:00"),
        [sign @ (b'+' | b'-'), _, _, b':', _, _] => {
            let (hours, minutes) = (two(rest, 1).ok_or(SHAPE)?, two(rest, 4).ok_or(SHAPE)?);
            if hours > 23 || minutes > 59 {
                return Err("offset out of range");
            }
            let offset = i64::from(hours * 60 + minutes);
            if *sign == b'-' { -offset } else { offset }
        }
        _ => return Err(SHAPE),
    };
    if !(1..=12).contains(&month) || day == 0 || day > days_in(year, month) {
        return Err("no such day");
    }
    if hour > 23 || minute > 59 || second > 59 {
        return Err("no such time of day");
    }
    let seconds =
        days(year, month, day) * 86_400 + i64::from(hour * 3600 + minute * 60 + second) - offset_minutes * 60;
    if seconds < FIRST_SECOND {
        return Err("before the year 0");
    }
    Ok(seconds * 1_000_000 + micros)
}

const fn is_leap(year: u32) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

const fn days_in(year: u32, month: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap(year) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a date of the years 0 to 9999, counted in years that begin in March, so that the
/// leap day comes last.
fn days(year: u32, month: u32, day: u32) -> i64 {
    let (year, month) =
        if month > 2 { (i64::from(year), month - 3) } else { (i64::from(year) - 1, month + 9) };
    let before_month = i64::from((153 * month + 2) / 5);
    let before_year = year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    before_year + before_month + i64::from(day) - 1 - 719_468
}

/// Year, month and day so many days after 1970-01-01.
fn civil(days_since: u64) -> (u32, u32, u32) {
    let target = i64::try_from(days_since).unwrap_or(i64::MAX);
    let mut year = 1970 + (days_since / 366) as u32;
    while days(year + 1, 1, 1) <= target {
        year += 1;
    }
    let mut month = 1;
    while month < 12 && days(year, month + 1, 1) <= target {
        month += 1;
    }
    (year, month, (target - days(year, month, 1)) as u32 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_instants() {
        for (text, micros) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1970-01-01T00:00:00.1234567Z", 123_456),
            ("1969-12-31T23:59:59.5Z", -500_000),
            ("2000-02-29T12:00:00+01:30", 951_820_200_000_000),
            ("2023-06-30T15:03:01.887007Z", 1_688_137_381_887_007),
            ("0000-01-01T00:00:00Z", -62_167_219_200_000_000),
        ] {
            assert_eq!(Datetime::parse(text).unwrap().unix_micros(), micros, "{text}");
        }
    }

    #[test]
    fn formats_and_reads_every_day() {
        let mut day = 0;
        while day * 86_400_000 <= LAST_MILLI {
            let millis = day * 86_400_000 + 45_296_789;
            let datetime = Datetime::from_unix_millis(millis);
            assert!(datetime.as_str().ends_with("T12:34:56.789Z"));
            assert_eq!(Datetime::parse(datetime.as_str()).unwrap().unix_micros(), millis as i64 * 1000);
            day += if day < 40_000 { 1 } else { 97 };
        }
        assert_eq!(Datetime::from_unix_millis(u64::MAX).as_str(), "9999-12-31T23:59:59.999Z");
        assert_eq!(Datetime::from_unix_micros_exact(u64::MAX).as_str(), "9999-12-31T23:59:59.999999Z");
        assert_eq!(Datetime::from_unix_micros_exact(1_000_007).as_str(), "1970-01-01T00:00:01.000007Z");
    }

    #[test]
    fn refuses_unreal_days() {
        for text in
            ["2023-02-29T00:00:00Z", "1900-02-29T00:00:00Z", "2023-04-31T00:00:00Z", "2023-04-30T00:00:60Z"]
        {
            assert!(Datetime::parse(text).is_err(), "{text}");
        }
        assert!(Datetime::parse("2000-02-29T00:00:00Z").is_ok());
    }
}
