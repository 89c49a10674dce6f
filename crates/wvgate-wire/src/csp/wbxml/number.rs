//! Numbers: of as many octets as they need.

/// Appends a number of seven bits an octet, all but the last marked.
pub(super) fn put(out: &mut Vec<u8>, number: u32) {
    let mut shift = 28;
    while shift > 0 {
        if number >> shift != 0 {
            out.push((number >> shift & 0x7F) as u8 | 0x80);
        }
        shift -= 7;
    }
    out.push((number & 0x7F) as u8);
}

/// The number of opaque octets, most significant first; `None` if it is too large.
pub(super) fn of_octets(octets: &[u8]) -> Option<u64> {
    let bare = octets.iter().position(|b| *b != 0).unwrap_or(octets.len());
    let octets = &octets[bare..];
    (octets.len() <= 8).then(|| octets.iter().fold(0, |sum, b| sum << 8 | u64::from(*b)))
}

/// The octets of a number in digits, or in hexadecimal ones behind `0x`, as few as say it and at
/// least one; `None` if it is no number, or written otherwise than numbers are.
pub(super) fn to_octets(digits: &str) -> Option<Vec<u8>> {
    let number = match digits.strip_prefix("0x") {
        Some(digits) if !digits.starts_with('+') => u64::from_str_radix(digits, 16).ok()?,
        _ => digits
            .parse()
            .ok()
            .filter(|n: &u64| n.to_string() == digits)?,
    };
    let octets = number.to_be_bytes();
    let bare = octets.iter().position(|b| *b != 0).unwrap_or(7);
    Some(octets[bare..].to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_take_as_few_octets_as_they_need() {
        for (number, octets) in [
            (0u32, &[0u8][..]),
            (0x7F, &[0x7F]),
            (0x80, &[0x81, 0x00]),
            (0xA0, &[0x81, 0x20]),
            (u32::MAX, &[0x8F, 0xFF, 0xFF, 0xFF, 0x7F]),
        ] {
            let mut out = Vec::new();
            put(&mut out, number);
            assert_eq!(out, octets);
        }
        assert_eq!(to_octets("0").as_deref(), Some(&[0][..]));
        assert_eq!(to_octets("32767").as_deref(), Some(&[0x7F, 0xFF][..]));
        assert_eq!(to_octets("0x1fF").as_deref(), Some(&[1, 0xFF][..]));
        for other in [
            "",
            "0x",
            "0x+1",
            "007",
            "+1",
            "-1",
            "a",
            "18446744073709551616",
        ] {
            assert_eq!(to_octets(other), None, "{other}");
        }
        assert_eq!(of_octets(&[]), Some(0));
        assert_eq!(of_octets(&[0, 0, 1, 0]), Some(256));
        assert_eq!(of_octets(&[1; 9]), None);
    }
}
