//! CSP in WBXML: the binary form of XML, with tokens instead of names.
//!
//! Reading knows the tokens of all versions, because clients use those of others; writing uses those
//! of the version alone.

mod number;
mod reader;
mod tags;
#[cfg(test)]
mod tests;
mod text;
mod values;
mod writer;

pub use reader::read;
pub use writer::write;

/// The namespaces that an attribute token begins, without the digits of the version.
const NAMESPACES: [(u8, &str); 9] = [
    (0x05, "http://www.wireless-village.org/CSP"),
    (0x06, "http://www.wireless-village.org/PA"),
    (0x07, "http://www.wireless-village.org/TRC"),
    (0x08, "http://www.openmobilealliance.org/DTD/WV-CSP"),
    (0x09, "http://www.openmobilealliance.org/DTD/WV-PA"),
    (0x0A, "http://www.openmobilealliance.org/DTD/WV-TRC"),
    (0x0B, "http://www.openmobilealliance.org/DTD/IMPS-CSP"),
    (0x0C, "http://www.openmobilealliance.org/DTD/IMPS-PA"),
    (0x0D, "http://www.openmobilealliance.org/DTD/IMPS-TRC"),
];

/// Tokens that mean the same on every page.
mod global {
    pub(super) const SWITCH_PAGE: u8 = 0x00;
    pub(super) const END: u8 = 0x01;
    pub(super) const ENTITY: u8 = 0x02;
    pub(super) const STR_I: u8 = 0x03;
    pub(super) const LITERAL: u8 = 0x04;
    pub(super) const EXT_I_0: u8 = 0x40;
    pub(super) const EXT_I_2: u8 = 0x42;
    pub(super) const PI: u8 = 0x43;
    pub(super) const EXT_T_0: u8 = 0x80;
    pub(super) const EXT_T_1: u8 = 0x81;
    pub(super) const EXT_T_2: u8 = 0x82;
    pub(super) const STR_T: u8 = 0x83;
    pub(super) const EXT_0: u8 = 0xC0;
    pub(super) const EXT_2: u8 = 0xC2;
    pub(super) const OPAQUE: u8 = 0xC3;
    /// In a tag: something stands in the element.
    pub(super) const WITH_CONTENT: u8 = 0x40;
    /// In a tag: attributes follow.
    pub(super) const WITH_ATTRIBUTES: u8 = 0x80;
}
