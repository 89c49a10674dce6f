//! Date and time on the wire (wire profile, 3).
//!
//! Emitted as `YYYY-MM-DDThh:mm:ssZ`; accepted in the extended and the basic
//! form of ISO 8601, without seconds, without zone (then UTC), with an offset or
//! one of the military zone letters.

use std::borrow::Cow;

use super::xml::{Content, DecodeError, Field, Node, Writer};

/// Seconds since 1970-01-01T00:00:00Z.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub struct DateTime(pub i64);

impl DateTime {
    /// From milliseconds since the epoch.
    pub fn from_millis(millis: u64) -> Self {
        Self(i64::try_from(millis / 1000).unwrap_or(i64::MAX))
    }

    /// Reads any of the accepted forms.
    pub fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        let (date, time) = text.split_once(['T', 't', ' '])?;
        let date = digits(date, '-', 8)?;
        let (year, month, day) = (date / 10_000, date / 100 % 100, date % 100);
        let zone_at = time
            .find(|c: char| c == '+' || c == '-' || c.is_ascii_alphabetic())
            .unwrap_or(time.len());
        let (clock, zone) = time.split_at(zone_at);
        let clock = clock.split(['.', ',']).next()?;
        let clock: String = clock.chars().filter(|c| *c != ':').collect();
        if !clock.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let clock: i64 = match clock.len() {
            4 => clock.parse::<i64>().ok()? * 100,
            6 => clock.parse().ok()?,
            _ => return None,
        };
        let (hour, minute, second) = (clock / 10_000, clock / 100 % 100, clock % 100);
        if !(1..=12).contains(&month)
            || !(1..=31).contains(&day)
            || hour > 24
            || minute > 59
            || second > 60
        {
            return None;
        }
        let days = days_from_civil(year, month, day);
        Some(Self(
            days * 86_400 + hour * 3600 + minute * 60 + second - offset(zone)?,
        ))
    }
}

impl std::fmt::Display for DateTime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (days, rest) = (self.0.div_euclid(86_400), self.0.rem_euclid(86_400));
        let (year, month, day) = civil_from_days(days);
        let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
        if !(0..=9999).contains(&year) {
            return write!(
                f,
                "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"
            );
        }
        // Every message carries a time or two: digit by digit is much quicker.
        let mut out = *b"0000-00-00T00:00:00Z";
        let parts = [
            (0, year / 100),
            (2, year % 100),
            (5, month),
            (8, day),
            (11, hour),
            (14, minute),
            (17, second),
        ];
        for (at, number) in parts {
            for (digit, value) in [(at, number / 10), (at + 1, number % 10)] {
                out[digit] += u8::try_from(value).unwrap_or_default();
            }
        }
        f.write_str(std::str::from_utf8(&out).unwrap_or_default())
    }
}

impl Field for DateTime {
    fn parse(text: &str) -> Option<Self> {
        Self::read(text)
    }
    fn print(&self) -> Cow<'_, str> {
        Cow::Owned(self.to_string())
    }
}

/// `<DateTime format="iso8601">`, `<DeliveryTime>`. A text that is no time is
/// read as the epoch, which everybody replaces: the deployed server's times are
/// wrong anyway and must not cost a message.
impl Content for DateTime {
    fn read(node: &Node<'_>) -> Result<Self, DecodeError> {
        Ok(DateTime::read(&node.text).unwrap_or(Self(0)))
    }
    fn write(&self, name: &str, out: &mut Writer<'_>) {
        out.element(name, |out| {
            if name == "DateTime" {
                out.attribute(name, "format", "iso8601");
            }
            out.text(&self.to_string());
        });
    }
}

fn digits(text: &str, separator: char, count: usize) -> Option<i64> {
    let bare: String = text.chars().filter(|c| *c != separator).collect();
    (bare.len() == count && bare.bytes().all(|b| b.is_ascii_digit())).then(|| bare.parse().ok())?
}

/// Seconds east of Greenwich.
fn offset(zone: &str) -> Option<i64> {
    let mut chars = zone.chars();
    let Some(first) = chars.next() else {
        return Some(0);
    };
    if first == '+' || first == '-' {
        let bare: String = zone[1..].chars().filter(|c| *c != ':').collect();
        if !bare.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let number: i64 = bare.parse().ok()?;
        let seconds = match bare.len() {
            1 | 2 => number * 3600,
            4 => number / 100 * 3600 + number % 100 * 60,
            _ => return None,
        };
        return Some(if first == '-' { -seconds } else { seconds });
    }
    if chars.next().is_some() {
        return None;
    }
    // Military letters: A to M without J are +1 to +12, N to Y are -1 to -12.
    let letter = first.to_ascii_uppercase();
    let hours = match letter {
        'Z' => 0,
        'A'..='I' => i64::from(letter as u8 - b'A') + 1,
        'K'..='M' => i64::from(letter as u8 - b'K') + 10,
        'N'..='Y' => -(i64::from(letter as u8 - b'N') + 1),
        _ => return None,
    };
    Some(hours * 3600)
}

/// Days since the epoch of a proleptic Gregorian date.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The inverse of [`days_from_civil`].
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day_of_year - (153 * shifted + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_accepted_forms_mean_the_same() {
        for text in [
            "2024-05-01T13:40:00Z",
            "20240501T134000Z",
            "20240501T1340",
            "2024-05-01T13:40:00",
            "2024-05-01T15:40:00+02:00",
            "20240501T1540B",
            "2024-05-01T13:40:00.123Z",
            " 2024-05-01T08:40-05 ",
        ] {
            assert_eq!(
                DateTime::read(text),
                Some(DateTime(1_714_570_800)),
                "{text}"
            );
        }
        assert_eq!(DateTime(1_714_570_800).to_string(), "2024-05-01T13:40:00Z");
        assert_eq!(DateTime(-1).to_string(), "1969-12-31T23:59:59Z");
        let late = DateTime(253_402_300_800);
        assert_eq!(late.to_string(), "10000-01-01T00:00:00Z");
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "",
            "now",
            "2024-13-01T00:00:00Z",
            "2024-05-01",
            "2024-05-01T99:00:00Z",
            "20240501T1340J",
        ] {
            assert_eq!(DateTime::read(text), None, "{text}");
        }
    }

    #[test]
    fn every_day_of_eight_centuries_goes_there_and_back() {
        for days in -150_000..150_000 {
            let (y, m, d) = civil_from_days(days);
            assert_eq!(days_from_civil(y, m, d), days);
        }
    }
}
