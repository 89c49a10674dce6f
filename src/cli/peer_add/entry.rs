//! A peer as it is written into the configuration.

use std::path::PathBuf;

use toml_edit::{Array, Value};

/// The keys of `[[peer]]` that are written; those that are not have their defaults.
#[derive(Debug, Clone, Default)]
pub(super) struct Entry {
    pub(super) domain: String,
    pub(super) url: Option<String>,
    pub(super) server_name: Option<String>,
    /// An absolute path.
    pub(super) ca: Option<PathBuf>,
    /// Each gets a `[[route]]` too.
    pub(super) speaks_for: Vec<String>,
    pub(super) allow_plain: bool,
}

impl Entry {
    /// What is written, in the form of the file.
    pub(super) fn text(&self) -> String {
        let line = |key: &str, value: Value| format!("{key} = {value}\n");
        let mut text = "\n[[peer]]\n".to_owned();
        text += &line("domain", self.domain.as_str().into());
        for (key, value) in [("url", &self.url), ("server_name", &self.server_name)] {
            if let Some(value) = value {
                text += &line(key, value.as_str().into());
            }
        }
        if let Some(ca) = &self.ca {
            text += &line("ca", ca.display().to_string().into());
        }
        if !self.speaks_for.is_empty() {
            let domains: Array = self.speaks_for.iter().map(String::as_str).collect();
            text += &line("speaks_for", domains.into());
        }
        if self.allow_plain {
            text += &line("allow_plain", true.into());
        }
        for domain in &self.speaks_for {
            text += "\n[[route]]\n";
            text += &line("domain", domain.as_str().into());
            text += &line("via", self.domain.as_str().into());
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_as_an_operator_would_write_it() {
        let entry = Entry {
            domain: "relay.test".to_owned(),
            url: Some("https://relay.test:5280/".to_owned()),
            server_name: Some("ssp.relay.test".to_owned()),
            ca: Some(PathBuf::from("/etc/a \"ca\".pem")),
            speaks_for: vec!["*".to_owned(), "far.test".to_owned()],
            allow_plain: true,
        };
        let expected = "\n[[peer]]\ndomain = \"relay.test\"\nurl = \"https://relay.test:5280/\"\n\
             server_name = \"ssp.relay.test\"\nca = '/etc/a \"ca\".pem'\n\
             speaks_for = [\"*\", \"far.test\"]\nallow_plain = true\n\n\
             [[route]]\ndomain = \"*\"\nvia = \"relay.test\"\n\n\
             [[route]]\ndomain = \"far.test\"\nvia = \"relay.test\"\n";
        assert_eq!(entry.text(), expected);
    }
}
