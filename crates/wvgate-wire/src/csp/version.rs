//! Versions of the protocol and the namespaces that name them.

use std::fmt;

/// A version of CSP that is read and written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Version {
    /// Wireless Village 1.1.
    V1_1,
    /// OMA IMPS 1.2.
    V1_2,
    /// OMA IMPS 1.3.
    V1_3,
}

/// What a namespace is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// The message around transactions.
    Message,
    /// The content of a transaction.
    Transaction,
    /// Presence attributes.
    Presence,
}

impl Version {
    /// All of them, the oldest first.
    pub const ALL: [Self; 3] = [Self::V1_1, Self::V1_2, Self::V1_3];

    /// As it stands in `WVCI` and behind the prefix of a namespace.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V1_1 => "1.1",
            Self::V1_2 => "1.2",
            Self::V1_3 => "1.3",
        }
    }

    /// The version of this text; `None` if it is not known.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|v| v.as_str() == text.trim())
    }

    /// The version that any namespace of the protocol names. White space and a slash at the end do
    /// not count, nor does case.
    pub fn of_namespace(text: &str) -> Option<Self> {
        let text = text.trim().trim_end_matches('/');
        let version = Self::parse(text.get(text.len().checked_sub(3)?..)?)?;
        let scopes = [Scope::Message, Scope::Transaction, Scope::Presence];
        let is_ours = |scope: &Scope| version.namespace(*scope).eq_ignore_ascii_case(text);
        scopes.iter().any(is_ours).then_some(version)
    }

    /// The namespace of what stands in `scope`.
    pub fn namespace(self, scope: Scope) -> &'static str {
        match (self, scope) {
            (Self::V1_1, Scope::Message) => "http://www.wireless-village.org/CSP1.1",
            (Self::V1_1, Scope::Transaction) => "http://www.wireless-village.org/TRC1.1",
            (Self::V1_1, Scope::Presence) => "http://www.wireless-village.org/PA1.1",
            (Self::V1_2, Scope::Message) => "http://www.openmobilealliance.org/DTD/WV-CSP1.2",
            (Self::V1_2, Scope::Transaction) => "http://www.openmobilealliance.org/DTD/WV-TRC1.2",
            (Self::V1_2, Scope::Presence) => "http://www.openmobilealliance.org/DTD/WV-PA1.2",
            (Self::V1_3, Scope::Message) => "http://www.openmobilealliance.org/DTD/IMPS-CSP1.3",
            (Self::V1_3, Scope::Transaction) => "http://www.openmobilealliance.org/DTD/IMPS-TRC1.3",
            (Self::V1_3, Scope::Presence) => "http://www.openmobilealliance.org/DTD/IMPS-PA1.3",
        }
    }

    /// Place in [`Version::ALL`].
    pub(super) fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_names_its_version_and_no_other_does() {
        for version in Version::ALL {
            for scope in [Scope::Message, Scope::Transaction, Scope::Presence] {
                let namespace = version.namespace(scope);
                assert_eq!(Version::of_namespace(namespace), Some(version));
                let spaced = format!(" {}/\n", namespace.to_lowercase());
                assert_eq!(Version::of_namespace(&spaced), Some(version));
            }
        }
        for other in [
            "",
            "1.1",
            "http://www.wireless-village.org/CSP1.0",
            "http://www.wireless-village.org/CSP1.3",
            "ü.1",
            "http://www.w3.org/2001/XMLSchema",
        ] {
            assert_eq!(Version::of_namespace(other), None, "{other}");
        }
    }
}
