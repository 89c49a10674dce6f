//! What all addresses have in common: domains in the form of each side, and why an address has no
//! counterpart.

use crate::imps::Code;

/// Why an address has no counterpart on the other side.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// It breaks the rules of its own side, or those of the other.
    #[error("the address {0} cannot be written on the other side")]
    Malformed(String),
    /// It names nobody on the other side.
    #[error("the address {0} belongs to nobody on the other side")]
    Foreign(String),
}

impl AddressError {
    /// The status for it: 901 malformed, 531 unknown.
    pub fn code(&self) -> Code {
        match self {
            Self::Malformed(_) => Code::ADDRESS,
            Self::Foreign(_) => Code::UNKNOWN_USER,
        }
    }
}

/// A domain as SSP writes it: lower case, A-labels.
pub fn to_ssp_domain(domain: &str) -> String {
    idna::domain_to_ascii(domain).unwrap_or_else(|_| domain.to_lowercase())
}

/// A domain as XMPP writes it: lower case, U-labels.
pub fn to_xmpp_domain(domain: &str) -> String {
    match idna::domain_to_unicode(domain) {
        (unicode, Ok(())) => unicode,
        (_, Err(_)) => domain.to_lowercase(),
    }
}
