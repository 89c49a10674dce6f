//! The form of records that each relayed message has: numbers and texts one after the other, without
//! names. The first byte says which form it is; no JSON begins so.

use std::fmt;

/// First bytes that are forms: no text begins with them.
const FORMS: std::ops::Range<u8> = 1..0x20;

/// Writes a record.
#[derive(Debug)]
pub struct Packer(Vec<u8>);

/// Reads a record.
#[derive(Debug)]
pub struct Unpacker<'a>(&'a [u8]);

/// A record ends too early, or has what is none of its form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unfit;

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it is not of its form")
    }
}

/// Which form a record has; `None`: it is JSON, as earlier versions wrote it.
pub fn form(record: &[u8]) -> Option<u8> {
    record
        .first()
        .copied()
        .filter(|first| FORMS.contains(first))
}

impl From<Unfit> for String {
    fn from(unfit: Unfit) -> Self {
        unfit.to_string()
    }
}

impl Packer {
    /// A record of this form, 1 to 31, with room for so many bytes.
    pub fn new(form: u8, room: usize) -> Self {
        let mut record = Vec::with_capacity(room);
        record.push(form);
        Self(record)
    }

    /// Adds a number, seven bits a byte, the lowest first.
    pub fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(number.to_le_bytes()[0] | 0x80);
            number >>= 7;
        }
        self.0.push(number.to_le_bytes()[0]);
    }

    /// Adds a text behind its length.
    pub fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.0.extend_from_slice(text.as_bytes());
    }

    /// Adds a text that may be absent, behind one more than its length, or zero.
    pub fn maybe(&mut self, text: Option<&str>) {
        match text {
            None => self.0.push(0),
            Some(text) => {
                self.number(text.len() as u64 + 1);
                self.0.extend_from_slice(text.as_bytes());
            }
        }
    }

    /// The record, with this at its end.
    pub fn rest(mut self, rest: &[u8]) -> Vec<u8> {
        self.0.extend_from_slice(rest);
        self.0
    }
}

impl<'a> Unpacker<'a> {
    /// Of a record, behind its form.
    pub fn new(record: &'a [u8]) -> Self {
        Self(record.get(1..).unwrap_or_default())
    }

    /// The next number.
    ///
    /// # Errors
    /// There is none, or it has more than 64 bits.
    pub fn number(&mut self) -> Result<u64, Unfit> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first().ok_or(Unfit)?;
            self.0 = rest;
            let bits = u64::from(byte & 0x7f);
            if bits << shift >> shift != bits {
                return Err(Unfit);
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(Unfit)
    }

    /// The next text.
    ///
    /// # Errors
    /// There is none.
    pub fn text(&mut self) -> Result<&'a str, Unfit> {
        let length = self.number()?;
        self.of(length)
    }

    /// The next text, if it is not absent.
    ///
    /// # Errors
    /// There is neither.
    pub fn maybe(&mut self) -> Result<Option<&'a str>, Unfit> {
        match self.number()? {
            0 => Ok(None),
            more => self.of(more - 1).map(Some),
        }
    }

    /// How many things follow, each of at least one byte.
    ///
    /// # Errors
    /// There are fewer bytes.
    pub fn count(&mut self) -> Result<usize, Unfit> {
        let count = usize::try_from(self.number()?).map_err(|_| Unfit)?;
        if count > self.0.len() {
            return Err(Unfit);
        }
        Ok(count)
    }

    /// All that is left.
    ///
    /// # Errors
    /// It is no text.
    pub fn rest(self) -> Result<&'a str, Unfit> {
        std::str::from_utf8(self.0).map_err(|_| Unfit)
    }

    fn of(&mut self, length: u64) -> Result<&'a str, Unfit> {
        let length = usize::try_from(length).map_err(|_| Unfit)?;
        let (text, rest) = self.0.split_at_checked(length).ok_or(Unfit)?;
        self.0 = rest;
        std::str::from_utf8(text).map_err(|_| Unfit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_packed_is_read_again_in_the_same_order() {
        let numbers = [
            0,
            1,
            0x7f,
            0x80,
            0x3fff,
            0x4000,
            u64::from(u32::MAX),
            u64::MAX,
        ];
        let texts = ["", "a", "ß\n\t\"", &"x".repeat(1_000)];
        let mut packer = Packer::new(1, 16);
        for number in numbers {
            packer.number(number);
        }
        for text in texts {
            packer.text(text);
            packer.maybe(Some(text));
            packer.maybe(None);
        }
        let record = packer.rest(b"<x/>");
        assert_eq!(form(&record), Some(1));
        let mut unpacker = Unpacker::new(&record);
        for number in numbers {
            assert_eq!(unpacker.number(), Ok(number));
        }
        for text in texts {
            assert_eq!(unpacker.text(), Ok(text));
            assert_eq!(unpacker.maybe(), Ok(Some(text)));
            assert_eq!(unpacker.maybe(), Ok(None));
        }
        assert_eq!(unpacker.rest(), Ok("<x/>"));
        assert_eq!((form(b"{}"), form(b"")), (None, None));
    }

    #[test]
    fn what_is_cut_or_too_long_is_refused() {
        let mut packer = Packer::new(1, 16);
        packer.text("hello");
        let record = packer.rest(b"");
        for end in 0..record.len() {
            assert_eq!(Unpacker::new(&record[..end]).text(), Err(Unfit));
        }
        let endless = [[1].as_slice(), &[0xff; 11]].concat();
        assert_eq!(Unpacker::new(&endless).number(), Err(Unfit));
        let large = [[1].as_slice(), &[0xff; 9], &[2]].concat();
        assert_eq!(Unpacker::new(&large).number(), Err(Unfit));
        assert_eq!(Unpacker::new(&[1, 3, 0, 0]).count(), Err(Unfit));
        assert_eq!(Unpacker::new(&[1, 2, 0xc3, 0x28]).text(), Err(Unfit));
    }
}
