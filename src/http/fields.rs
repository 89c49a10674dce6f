//! What the header fields of a request say, in all their legal forms (RFC 9110, RFC 9112).

use hyper::StatusCode;
use hyper::header::{self, HeaderMap};

use super::CONTENT_TYPE;

/// Bytes kept of a field that is only reported.
const MAX_REPORTED: usize = 256;

/// Whether the body is SSP, in a form that is read.
///
/// # Errors
/// 415: another media type, none, several, or a content coding; 501: a transfer coding besides
/// `chunked`.
pub(super) fn check(headers: &HeaderMap) -> Result<(), StatusCode> {
    let mut types = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(first), None) = (types.next(), types.next()) else {
        return Err(StatusCode::UNSUPPORTED_MEDIA_TYPE);
    };
    if !is_ssp(first.as_bytes()) || !tokens_are(headers, header::CONTENT_ENCODING, "identity") {
        return Err(StatusCode::UNSUPPORTED_MEDIA_TYPE);
    }
    if !tokens_are(headers, header::TRANSFER_ENCODING, "chunked") {
        return Err(StatusCode::NOT_IMPLEMENTED);
    }
    Ok(())
}

/// A field that is only reported, at most 256 bytes of it.
pub(super) fn reported(headers: &HeaderMap, name: &str) -> Option<String> {
    let value = headers.get(name)?.as_bytes();
    let value = &value[..value.len().min(MAX_REPORTED)];
    Some(String::from_utf8_lossy(value).into_owned())
}

/// The media type before its parameters.
fn is_ssp(value: &[u8]) -> bool {
    let end = value.iter().position(|byte| *byte == b';');
    let media = value[..end.unwrap_or(value.len())].trim_ascii();
    media.eq_ignore_ascii_case(CONTENT_TYPE.as_bytes())
}

/// Whether a list field has no element but this one.
fn tokens_are(headers: &HeaderMap, name: header::HeaderName, allowed: &str) -> bool {
    headers.get_all(name).iter().all(|value| {
        let mut elements = value.as_bytes().split(|byte| *byte == b',');
        elements.all(|element| {
            let element = element.trim_ascii();
            element.is_empty() || element.eq_ignore_ascii_case(allowed.as_bytes())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(fields: &[(&'static str, &str)]) -> Result<(), StatusCode> {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, value.parse().unwrap());
        }
        check(&headers)
    }

    #[test]
    fn the_media_type_is_the_whole_word_before_the_parameters() {
        for good in [
            "application/vnd.wv.ssp+xml",
            "Application/VND.WV.SSP+XML; charset=utf-8",
            "application/vnd.wv.ssp+xml\t;charset=\"utf-8\"",
        ] {
            assert_eq!(judged(&[("content-type", good)]), Ok(()), "{good}");
        }
        for bad in [
            "application/vnd.wv.ssp+xmlEVIL",
            "application/vnd.wv.ssp",
            "text/xml",
            "",
            "application/vnd.wv.ssp+xml, text/html",
        ] {
            let judged = judged(&[("content-type", bad)]);
            assert_eq!(judged, Err(StatusCode::UNSUPPORTED_MEDIA_TYPE), "{bad}");
        }
        let twice = judged(&[
            ("content-type", CONTENT_TYPE),
            ("content-type", "text/html"),
        ]);
        assert_eq!(twice, Err(StatusCode::UNSUPPORTED_MEDIA_TYPE));
        assert_eq!(judged(&[]), Err(StatusCode::UNSUPPORTED_MEDIA_TYPE));
    }

    #[test]
    fn codings_that_are_not_read_are_refused() {
        let ssp = ("content-type", CONTENT_TYPE);
        assert_eq!(judged(&[ssp, ("transfer-encoding", "Chunked")]), Ok(()));
        for coding in ["gzip, chunked", "gzip,chunked", "deflate"] {
            let judged = judged(&[ssp, ("transfer-encoding", coding)]);
            assert_eq!(judged, Err(StatusCode::NOT_IMPLEMENTED), "{coding}");
        }
        assert_eq!(judged(&[ssp, ("content-encoding", "identity")]), Ok(()));
        let packed = judged(&[ssp, ("content-encoding", "gzip")]);
        assert_eq!(packed, Err(StatusCode::UNSUPPORTED_MEDIA_TYPE));
    }
}
