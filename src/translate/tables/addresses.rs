//! `addresses.toml`: characters and names (xmpp-mapping, 2).

use std::collections::BTreeMap;

use super::rows::{MappingError, Rows};

/// `addresses.toml`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressTable {
    /// Resource of a user who named no client.
    pub default_resource: String,
    /// Begins the resource of an application.
    pub application_prefix: String,
    /// Longest nickname, bytes.
    pub nickname_bytes: usize,
    /// Removed from phone numbers.
    pub phone_separators: Vec<char>,
    /// Stand for `/` in the local part of a room.
    pub group_separators: Vec<char>,
    /// Percent-coded in WV addresses.
    pub percent_encode: Vec<char>,
    /// Characters that XEP-0106 escapes, with their escapes.
    pub escape: BTreeMap<char, String>,
}

impl AddressTable {
    pub(super) fn read(root: &Rows<'_>) -> Result<Self, MappingError> {
        root.only(&[
            "default-resource",
            "application-prefix",
            "nickname-bytes",
            "phone-separators",
            "group-separators",
            "percent-encode",
            "escape",
        ])?;
        let mut escape = BTreeMap::new();
        let rows = root.table("escape")?;
        for key in rows.keys() {
            let plain = rows.one_char(&key, &key)?;
            let code = rows.text(&key)?;
            if !(code.len() == 3 && code.starts_with('\\')) {
                return Err(rows.wrong(&key, "an escape is a backslash and two hex digits"));
            }
            escape.insert(plain, code);
        }
        rows.needs(
            [" ", "\"", "&", "'", "/", ":", "<", ">", "@", "\\"],
            "XEP-0106",
        )?;
        let percent_encode: Vec<char> = root.text("percent-encode")?.chars().collect();
        for needed in ['%', '/', '@', '+'] {
            if !percent_encode.contains(&needed) {
                let what = format!("\"{needed}\" may not stand in a WV address and must be listed");
                return Err(root.wrong("percent-encode", what));
            }
        }
        let separators = root
            .texts("group-separators")?
            .iter()
            .map(|text| root.one_char("group-separators", text))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            default_resource: root.filled("default-resource")?,
            application_prefix: root.filled("application-prefix")?,
            nickname_bytes: usize::from(root.number("nickname-bytes")?).max(1),
            phone_separators: root.text("phone-separators")?.chars().collect(),
            group_separators: separators,
            percent_encode,
            escape,
        })
    }
}
