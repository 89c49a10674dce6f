//! Comma-separated values (RFC 4180), as far as users need them.

/// A record is not complete: a quotation goes on in the next line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct GoesOn;

/// The cells of a record.
///
/// # Errors
/// Its last cell is a quotation without end.
pub(super) fn cells(record: &str) -> Result<Vec<String>, GoesOn> {
    let mut cells = Vec::new();
    let mut rest = record;
    loop {
        let (cell, after) = match rest.strip_prefix('"') {
            Some(quoted) => quotation(quoted)?,
            None => {
                let end = rest.find(',').unwrap_or(rest.len());
                (rest[..end].to_owned(), &rest[end..])
            }
        };
        cells.push(cell);
        // What stands between the end of a quotation and the comma is dropped.
        match after.find(',') {
            Some(at) => rest = &after[at + 1..],
            None => return Ok(cells),
        }
    }
}

/// What is quoted, and what follows it.
fn quotation(text: &str) -> Result<(String, &str), GoesOn> {
    let mut said = String::new();
    let mut rest = text;
    loop {
        let end = rest.find('"').ok_or(GoesOn)?;
        said.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('"') {
            Some(after) => {
                said.push('"');
                rest = after;
            }
            None => return Ok((said, rest)),
        }
    }
}

/// A cell as it is written.
pub(super) fn cell(text: &str) -> String {
    let is_plain = !text.contains(['"', ',', '\n', '\r']) && text.trim() == text;
    if is_plain {
        return text.to_owned();
    }
    format!("\"{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_read_as_they_are_written() {
        for all in [
            &["a", "b", ""][..],
            &["", "", ""],
            &["a,b", "say \"hi\"", "two\nlines"],
            &[" blank ", "ø", "{\"PP_CITY\":\"Oslo\"}"],
        ] {
            let written: Vec<String> = all.iter().map(|text| cell(text)).collect();
            let read = cells(&written.join(","));
            let expected: Vec<String> = all.iter().map(|text| (*text).to_owned()).collect();
            assert_eq!(read, Ok(expected));
        }
    }

    #[test]
    fn a_quotation_without_end_goes_on() {
        assert_eq!(cells("a,\"b"), Err(GoesOn));
        assert_eq!(cells("a,\"b\"\""), Err(GoesOn));
        assert_eq!(
            cells("a,\"b\nc\""),
            Ok(vec!["a".to_owned(), "b\nc".to_owned()])
        );
    }
}
