//! Coordinates and time zones (presence-attributes, 2.4 and 2.5).

/// Decimal degrees of "degrees minutes seconds hemisphere", such as
/// `35 24 15.652W`; `None` if it is none, or beyond `limit` degrees.
pub fn degrees(text: &str, limit: f64) -> Option<f64> {
    let text = text.trim();
    let hemisphere = text.chars().next_back()?.to_ascii_uppercase();
    let negative = match hemisphere {
        'N' | 'E' => false,
        'S' | 'W' => true,
        _ => return None,
    };
    let numbers: Option<Vec<f64>> = text[..text.len() - 1]
        .split_whitespace()
        .map(|part| part.parse::<f64>().ok().filter(|n| *n >= 0.0))
        .collect();
    let numbers = numbers?;
    if numbers.is_empty() || numbers.len() > 3 || numbers.iter().skip(1).any(|n| *n >= 60.0) {
        return None;
    }
    let mut value = 0.0;
    for (number, part) in numbers.iter().zip([1.0, 60.0, 3600.0]) {
        value += number / part;
    }
    (value <= limit).then_some(if negative { -value } else { value })
}

/// The inverse of [`degrees`], to the thousandth of a second; `hemispheres` are
/// the letters for positive and negative.
pub fn sexagesimal(value: f64, limit: f64, hemispheres: (char, char)) -> Option<String> {
    if !value.is_finite() || value.abs() > limit {
        return None;
    }
    // At most 180 degrees: far below what the type holds.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let thousandths = (value.abs() * 3_600_000.0).round() as u64;
    let (degrees, rest) = (thousandths / 3_600_000, thousandths % 3_600_000);
    let (minutes, rest) = (rest / 60_000, rest % 60_000);
    let letter = if value < 0.0 {
        hemispheres.1
    } else {
        hemispheres.0
    };
    let mut fraction = format!("{:03}", rest % 1000);
    while fraction.len() > 1 && fraction.ends_with('0') {
        fraction.pop();
    }
    Some(format!(
        "{degrees} {minutes} {}.{fraction}{letter}",
        rest / 1000
    ))
}

/// `±HH:MM` of the forms that WV knows: `±H`, `±HH`, `±HHMM`, `±HH:MM` and the
/// military letters.
pub fn tzo(zone: &str) -> Option<String> {
    let zone = zone.trim();
    let first = zone.chars().next()?;
    let (sign, hours, minutes) = if first == '+' || first == '-' {
        let digits: String = zone[1..].chars().filter(|c| *c != ':').collect();
        if !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let number: u32 = digits.parse().ok()?;
        match digits.len() {
            1 | 2 => (first, number, 0),
            4 => (first, number / 100, number % 100),
            _ => return None,
        }
    } else {
        if zone.len() != 1 {
            return None;
        }
        let letter = first.to_ascii_uppercase();
        let (sign, hours) = match letter {
            'Z' => ('+', 0),
            'A'..='I' => ('+', u32::from(letter) - u32::from('A') + 1),
            'K'..='M' => ('+', u32::from(letter) - u32::from('K') + 10),
            'N'..='Y' => ('-', u32::from(letter) - u32::from('N') + 1),
            _ => return None,
        };
        (sign, hours, 0)
    };
    (hours <= 14 && minutes < 60).then(|| format!("{sign}{hours:02}:{minutes:02}"))
}

/// A zone as WV writes it: `±HH`, or `±HHMM` where minutes matter.
pub fn zone(tzo: &str) -> Option<String> {
    let normal = self::tzo(if tzo == "Z" { "+00" } else { tzo })?;
    Some(match normal.strip_suffix(":00") {
        Some(hours) => hours.to_owned(),
        None => normal.replace(':', ""),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn coordinates_of_the_samples() {
        for (text, limit, value) in [
            ("24 56 15.0E", 180.0, "24.937500"),
            ("60 10 15.0N", 90.0, "60.170833"),
            ("35 24 15.652W", 180.0, "-35.404348"),
            ("12 36 22.5N", 90.0, "12.606250"),
        ] {
            assert_eq!(format!("{:.6}", degrees(text, limit).unwrap()), value);
        }
        for text in [
            "", "N", "91 0 0N", "10 61 0N", "x 0 0N", "10 0 0", "-1 0 0N", "é",
        ] {
            assert_eq!(degrees(text, 90.0), None, "{text}");
        }
        assert_eq!(
            sexagesimal(24.9375, 180.0, ('E', 'W')).unwrap(),
            "24 56 15.0E"
        );
        assert_eq!(
            sexagesimal(-35.404_347_8, 180.0, ('E', 'W')).unwrap(),
            "35 24 15.652W"
        );
        // 59.9999 seconds become the next minute.
        assert_eq!(
            sexagesimal(0.999_999_99, 90.0, ('N', 'S')).unwrap(),
            "1 0 0.0N"
        );
        assert_eq!(sexagesimal(90.1, 90.0, ('N', 'S')), None);
        assert_eq!(sexagesimal(f64::NAN, 90.0, ('N', 'S')), None);
    }

    #[test]
    fn zones_in_all_forms() {
        for (from, to) in [
            ("+02", "+02:00"),
            ("+2", "+02:00"),
            ("-0330", "-03:30"),
            ("+05:45", "+05:45"),
            ("Z", "+00:00"),
            ("b", "+02:00"),
            ("Y", "-12:00"),
        ] {
            assert_eq!(tzo(from).unwrap(), to);
        }
        for bad in ["", "J", "+", "+99", "+123", "CET", "é"] {
            assert_eq!(tzo(bad), None, "{bad}");
        }
        assert_eq!(zone("+02:00").unwrap(), "+02");
        assert_eq!(zone("-03:30").unwrap(), "-0330");
        assert_eq!(zone("Z").unwrap(), "+00");
    }

    proptest! {
        #[test]
        fn there_and_back_within_three_centimetres(value in -180.0..180.0f64, text in any::<String>()) {
            let written = sexagesimal(value, 180.0, ('E', 'W')).unwrap();
            let back = degrees(&written, 180.0).unwrap();
            prop_assert!((back - value).abs() < 0.000_000_3);
            let _ = (degrees(&text, 180.0), tzo(&text), zone(&text));
        }
    }
}
