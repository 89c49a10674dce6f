//! Values with units: `"30s"`, `"1MiB"`, and socket addresses with an error that helps.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

const TIMES: [(&str, u64); 6] = [
    ("w", 604_800_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1000),
    ("ms", 1),
];

const SIZES: [(&str, u64); 7] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1000),
    ("B", 1),
];

/// A span of time, written with its unit: `"500ms"`, `"30s"`, `"10m"`, `"1h30m"`, `"7d"`,
/// `"2w"`. Resolution is one millisecond.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration(pub std::time::Duration);

/// A number of bytes, written with its unit: `"512B"`, `"256KiB"`, `"1MiB"`, `"1GiB"`
/// (powers of 1024) or `"64kB"`, `"1MB"`, `"1GB"` (powers of 1000).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size(pub u64);

impl Duration {
    /// A number of whole seconds.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(std::time::Duration::from_secs(seconds))
    }

    /// The same as the standard library's type.
    pub const fn get(self) -> std::time::Duration {
        self.0
    }

    /// Whole seconds, rounded down.
    pub const fn as_secs(self) -> u64 {
        self.0.as_secs()
    }

    /// Whether it is no time at all.
    pub const fn is_zero(self) -> bool {
        self.0.is_zero()
    }
}

impl Size {
    /// A number of kibibytes (1024 bytes).
    pub const fn kib(n: u64) -> Self {
        Self(n << 10)
    }

    /// The number of bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }

    /// The number of bytes as an index type; the largest index where it does not fit.
    pub fn get(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl From<Duration> for std::time::Duration {
    fn from(value: Duration) -> Self {
        value.0
    }
}

impl From<std::time::Duration> for Duration {
    fn from(value: std::time::Duration) -> Self {
        Self(value)
    }
}

impl FromStr for Duration {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        parse(text, &TIMES, true)
            .map(|ms| Self(std::time::Duration::from_millis(ms)))
            .ok_or_else(|| wrong(text, "a time", "\"30s\" (units: ms, s, m, h, d, w)"))
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        parse(text, &SIZES, false)
            .map(Self)
            .ok_or_else(|| wrong(text, "a size", "\"1MiB\" (units: B, KiB, MiB, GiB)"))
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        if ms == 0 {
            return f.write_str("0s");
        }
        // Weeks are read but not written: "7d" is what people write.
        let fits = TIMES[1..].iter().find(|(_, factor)| ms % factor == 0);
        let (unit, factor) = fits.copied().unwrap_or(("ms", 1));
        write!(f, "{}{unit}", ms / factor)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits = SIZES[..3]
            .iter()
            .find(|(_, factor)| self.0 != 0 && self.0.is_multiple_of(*factor));
        let (unit, factor) = fits.copied().unwrap_or(("B", 1));
        write!(f, "{}{unit}", self.0 / factor)
    }
}

impl fmt::Debug for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        from_text(deserializer, "a time with its unit, such as \"30s\"")
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        from_text(deserializer, "a size with its unit, such as \"1MiB\"")
    }
}

/// For `deserialize_with`: IP address and port.
pub(super) fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    from_text::<Address, D>(deserializer, ADDRESS).map(|address| address.0)
}

/// For `deserialize_with`: IP address and port, where the key may be absent.
pub(super) fn optional_address<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<SocketAddr>, D::Error> {
    address(deserializer).map(Some)
}

/// For `deserialize_with`: IP addresses, each with its port.
pub(super) fn addresses<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<SocketAddr>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    let read = |text: &String| Address::from_str(text).map(|address| address.0);
    let read = texts.iter().map(read).collect::<Result<_, _>>();
    read.map_err(serde::de::Error::custom)
}

const ADDRESS: &str = "an IP address with its port, such as \"127.0.0.1:5280\"";

struct Address(SocketAddr);

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse().map(Self).map_err(|_| {
            let example = match text.strip_prefix("localhost:") {
                Some(port) => format!("\"127.0.0.1:{port}\""),
                None => "\"127.0.0.1:5280\"".to_string(),
            };
            wrong(text, "an IP address with its port", &example)
        })
    }
}

/// The wording of every wrong value: what it is not, then (after the last "; ") the remedy.
fn wrong(text: &str, what: &str, example: &str) -> String {
    format!("\"{text}\" is not {what}; write it like {example}")
}

/// Reads a value by its `FromStr`.
fn from_text<'de, T, D>(deserializer: D, expected: &'static str) -> Result<T, D::Error>
where
    T: FromStr<Err = String>,
    D: Deserializer<'de>,
{
    struct Text<T>(&'static str, std::marker::PhantomData<T>);
    impl<T: FromStr<Err = String>> Visitor<'_> for Text<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
            text.parse().map_err(E::custom)
        }
    }
    deserializer.deserialize_str(Text(expected, std::marker::PhantomData))
}

/// Sum of `number unit` pairs; one pair only unless `several`.
fn parse(text: &str, units: &[(&str, u64)], several: bool) -> Option<u64> {
    let mut rest = text.trim();
    let mut total: u64 = 0;
    let mut pairs = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok()?;
        rest = rest[digits..].trim_start();
        let end = rest
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(rest.len());
        let (_, factor) = units.iter().find(|(unit, _)| *unit == &rest[..end])?;
        total = total.checked_add(number.checked_mul(*factor)?)?;
        rest = rest[end..].trim_start();
        pairs += 1;
    }
    (pairs == 1 || several && pairs > 1).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_their_unit() {
        for (text, ms) in [
            ("500ms", 500),
            ("30s", 30_000),
            ("10m", 600_000),
            ("1h30m", 5_400_000),
            ("1 h 30 m", 5_400_000),
            ("7d", 604_800_000),
            ("2w", 1_209_600_000),
            ("0s", 0),
        ] {
            let time: Duration = text.parse().unwrap();
            assert_eq!(time.get().as_millis(), ms, "{text}");
        }
    }

    #[test]
    fn sizes_are_read_with_their_unit() {
        for (text, bytes) in [
            ("512B", 512),
            ("256KiB", 262_144),
            ("1MiB", 1 << 20),
            ("64kB", 64_000),
        ] {
            assert_eq!(text.parse::<Size>().unwrap().bytes(), bytes, "{text}");
        }
    }

    #[test]
    fn a_number_without_unit_or_with_a_wrong_one_is_refused() {
        for text in [
            "30",
            "",
            "s",
            "30x",
            "-1s",
            "1.5h",
            "30s!",
            "99999999999999999999s",
        ] {
            assert!(text.parse::<Duration>().is_err(), "{text}");
        }
        for text in ["30", "1mib", "1MiB1KiB", "18446744073709551615GiB"] {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_printed_is_read_back_the_same() {
        for text in ["500ms", "30s", "90s", "10m", "1d", "7d", "0s"] {
            let time: Duration = text.parse().unwrap();
            assert_eq!(time.to_string().parse::<Duration>().unwrap(), time);
        }
        assert_eq!("7d".parse::<Duration>().unwrap().to_string(), "7d");
        for text in ["1MiB", "256KiB", "1000B", "0B"] {
            assert_eq!(text.parse::<Size>().unwrap().to_string(), text);
        }
    }
}
