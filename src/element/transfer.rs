//! Files that are moved over HTTP for a service element, beside the node's own work.

use std::time::Duration;

use bytes::Bytes;

/// A file to be moved. What became of it comes back in [`Input::Carried`](super::Input::Carried);
/// after a restart the element asks anew.
#[derive(Debug, Clone, PartialEq)]
pub struct Transfer {
    /// Comes back with the answer; never used twice in one run.
    pub number: u64,
    /// From where to where.
    pub errand: Errand,
}

/// From where to where a file is moved.
#[derive(Debug, Clone, PartialEq)]
pub enum Errand {
    /// To a URL that somebody has given for it (XEP-0363).
    Put {
        /// The URL of the upload; it may be a secret.
        url: String,
        /// Headers that whoever gave it wants to see again; they are secrets.
        headers: Vec<(String, String)>,
        /// The type of the file.
        content_type: String,
        /// The file.
        bytes: Bytes,
    },
    /// Into the store for files of this node.
    Keep {
        /// Whose it is: an address.
        owner: String,
        /// Its name.
        name: String,
        /// Its type.
        content_type: String,
        /// The file.
        bytes: Bytes,
    },
    /// From a URL that a stranger has named.
    Fetch {
        /// The URL.
        url: String,
        /// What is taken.
        terms: FetchTerms,
    },
}

/// What may be fetched from a URL that a stranger has named, and from where.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FetchTerms {
    /// The types that are taken, in lower case; `image/*` is all images. Without any nothing is
    /// fetched.
    pub types: Vec<String>,
    /// The most bytes.
    pub most: u64,
    /// For all of it, names and redirections included.
    pub limit: Duration,
    /// Hosts that are asked although they are within private networks.
    pub inside: Vec<String>,
}

impl FetchTerms {
    /// Whether files of a type are taken; it may have parameters.
    pub fn takes(&self, content_type: &str) -> bool {
        let kind = content_type.split(';').next().unwrap_or_default();
        let kind = kind.trim().to_ascii_lowercase();
        self.types
            .iter()
            .any(|known| match known.strip_suffix('*') {
                Some(family) => kind.starts_with(family),
                None => *known == kind,
            })
    }
}

/// What became of a [`Transfer`].
#[derive(Debug, Clone, PartialEq)]
pub enum Carried {
    /// The file was put where it was to go.
    Put,
    /// The file is in the store.
    Kept {
        /// Where others fetch it.
        url: String,
    },
    /// The file was fetched.
    Fetched {
        /// Its type, as its server has it.
        content_type: String,
        /// The file.
        bytes: Bytes,
    },
    /// It has failed.
    Failed(Fault),
}

/// Why a file was not moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It has more bytes than are taken.
    TooLarge,
    /// Files of its type are not taken.
    Type,
    /// There is no room for it now.
    Full,
    /// It was refused, and would be again.
    Refused,
    /// It has taken too long, the other side is not there, or it has a trouble of its own.
    Passing,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_named_whole_or_by_family() {
        let terms = FetchTerms {
            types: vec!["image/*".to_owned(), "text/vcard".to_owned()],
            ..FetchTerms::default()
        };
        for (kind, taken) in [
            ("image/png", true),
            (" Image/PNG; q=1", true),
            ("text/vcard; charset=utf-8", true),
            ("text/html", false),
            ("imagery/png", false),
            ("", false),
        ] {
            assert_eq!(terms.takes(kind), taken, "{kind}");
        }
        assert!(!FetchTerms::default().takes("image/png"));
    }
}
