//! What is only told to the recipient's clients of a message. As long as the message waits it is a
//! record of its own, which is read when a client comes to it.

use serde::{Deserialize, Serialize};

use crate::store::described;

/// Content of a message, and what goes with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Body {
    /// The name to show for the sender.
    pub(super) name: Option<String>,
    /// MIME type of the content.
    pub(super) content_type: String,
    pub(super) content: Vec<u8>,
    /// Where the content is, if it is not here.
    pub(super) uri: Option<String>,
    /// What the content is called, as a file.
    pub(super) content_name: Option<String>,
}

/// The part of it that is text.
#[derive(Serialize, Deserialize)]
struct Head {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    content_type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    uri: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content_name: Option<String>,
}

impl Body {
    /// Bytes that it takes up.
    pub(super) fn bytes(&self) -> usize {
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let texts = text(&self.name) + text(&self.uri) + text(&self.content_name);
        self.content.len() + self.content_type.len() + texts
    }

    /// As it is kept: the content, described by its texts.
    pub(super) fn to_record(&self) -> Vec<u8> {
        let head = Head {
            name: self.name.clone(),
            content_type: self.content_type.clone(),
            uri: self.uri.clone(),
            content_name: self.content_name.clone(),
        };
        described::written(&head, &self.content)
    }

    /// Reads what `to_record` has written.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn from_record(record: &[u8]) -> Result<Self, String> {
        let (head, content) = described::parts(record);
        let content = content.ok_or("it has no content")?;
        let head = serde_json::from_slice::<Head>(head).map_err(|error| error.to_string())?;
        Ok(Self {
            name: head.name,
            content_type: head.content_type,
            content: content.to_vec(),
            uri: head.uri,
            content_name: head.content_name,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_survives_its_record() {
        for content in [&b""[..], b"\n\n", &[0, 255, 10, 7]] {
            let body = Body {
                name: Some("Zo\u{eb}\n".to_owned()),
                content_type: "text/plain".to_owned(),
                content: content.to_vec(),
                uri: None,
                content_name: Some("a.txt".to_owned()),
            };
            assert_eq!(Body::from_record(&body.to_record()).unwrap(), body);
        }
        assert!(Body::from_record(b"").is_err());
        assert!(Body::from_record(b"{}\nx").is_err());
    }
}
