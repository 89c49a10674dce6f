//! The form of a record that has a body: what describes it as one line of JSON, a line feed, and
//! the body as it is, which is neither printed nor parsed. JSON has no line feeds of its own: those
//! of texts are escaped.

use serde::Serialize;

/// Room for what describes a body, usually.
const HEAD: usize = 512;

/// The record of a body.
pub fn written(head: &impl Serialize, body: &[u8]) -> Vec<u8> {
    let mut record = Vec::with_capacity(HEAD + body.len());
    // Writing texts and numbers to memory does not fail.
    let _ = serde_json::to_writer(&mut record, head);
    record.push(b'\n');
    record.extend_from_slice(body);
    record
}

/// What describes the body, and the body; none if the record is JSON alone.
pub fn parts(record: &[u8]) -> (&[u8], Option<&[u8]>) {
    match record.iter().position(|byte| *byte == b'\n') {
        Some(end) => (&record[..end], Some(&record[end + 1..])),
        None => (record, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_found_whatever_it_and_its_head_contain() {
        for body in [&b""[..], b"\n", b"\n\n{}\n", &[0, 255, 10]] {
            let record = written(&"two\nlines", body);
            let (head, found) = parts(&record);
            assert_eq!(head, br#""two\nlines""#);
            assert_eq!(found, Some(body));
        }
        assert_eq!(parts(b"{}"), (&b"{}"[..], None));
    }
}
