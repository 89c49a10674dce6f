//! Date and time as text and in six octets.
//!
//! Text is the basic form of ISO 8601. Octets: two bits that mean nothing, twelve of the year, four
//! of the month, five of the day, five of the hour, six of the minute, six of the second, most
//! significant first; then the letter of the zone, or none.

use crate::imps::datetime::DateTime;

/// Reads any form of text.
pub(super) fn read(text: &str) -> Option<DateTime> {
    DateTime::read(text)
}

/// The text that is written: `20010925T165859Z`.
pub(super) fn print(time: DateTime) -> String {
    time.to_string().replace(['-', ':'], "")
}

/// The text of six octets; `None` if they are no time.
pub(super) fn of_octets(octets: &[u8; 6]) -> Option<String> {
    let bits = octets[..5]
        .iter()
        .fold(0u64, |bits, octet| bits << 8 | u64::from(*octet));
    let field = |shift: u32, width: u32| bits >> shift & ((1 << width) - 1);
    let (year, month, day) = (field(26, 12), field(22, 4), field(17, 5));
    let (hour, minute, second) = (field(12, 5), field(6, 6), field(0, 6));
    let mut text = format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}");
    if let zone @ (b'A'..=b'I' | b'K'..=b'Z') = octets[5] {
        text.push(char::from(zone));
    }
    read(&text).map(|_| text)
}

/// The octets of a text in the basic form, with a zone letter or none; `None` if they cannot say
/// the same.
pub(super) fn to_octets(text: &str) -> Option<[u8; 6]> {
    let bytes = text.as_bytes();
    let zone = match bytes {
        [_, _, _, _, _, _, _, _, b'T', _, _, _, _, _, _] => 0,
        [_, _, _, _, _, _, _, _, b'T', _, _, _, _, _, _, zone] => *zone,
        _ => return None,
    };
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<u64>().ok();
    let bits = number(0, 4)? << 26
        | number(4, 6)? << 22
        | number(6, 8)? << 17
        | number(9, 11)? << 12
        | number(11, 13)? << 6
        | number(13, 15)?;
    let mut octets = [0; 6];
    octets[..5].copy_from_slice(&bits.to_be_bytes()[3..]);
    octets[5] = zone;
    (of_octets(&octets)? == text).then_some(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octets_say_what_the_text_says() {
        let known = [0x1F, 0x46, 0x73, 0x0E, 0xBB, 0x5A];
        assert_eq!(to_octets("20010925T165859Z"), Some(known));
        assert_eq!(of_octets(&known).as_deref(), Some("20010925T165859Z"));
        let no_zone = [0x1F, 0x46, 0x73, 0x0E, 0xBB, 0];
        assert_eq!(to_octets("20010925T165859"), Some(no_zone));
        assert_eq!(of_octets(&no_zone).as_deref(), Some("20010925T165859"));
        assert_eq!(of_octets(&[0; 6]), None);
        assert_eq!(of_octets(&[0xFF; 6]), None);
        for text in [
            "2001-09-25T16:58:59Z",
            "20010925T165859+0200",
            "20011325T165859Z",
            "20010925T165859J",
            "20010925T1658+1Z",
            "20010925T16585\u{fc}",
            "",
        ] {
            assert_eq!(to_octets(text), None, "{text}");
        }
        assert_eq!(print(DateTime(1_001_437_139)), "20010925T165859Z");
    }
}
