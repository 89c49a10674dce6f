//! The page by which a node tells others how to make it their peer: one TOML file, which
//! `wvgate invite` writes and `wvgate peer add` reads. Its keys are those of `[[peer]]`, but that
//! certificates stand in the page itself. No secret belongs into it.

use serde::Deserialize;
use toml_edit::{Array, Value};

use super::locate::Located;
use super::peer::PeerSection;
use super::problem::{ConfigError, Problem};
use super::report::Report;
use super::table::{Table, read_table};

/// The form of a page that this version writes, and the only one that it reads.
const FORM: u32 = 1;

/// Most domains that one page brings along.
const MOST_DOMAINS: usize = 256;

/// What a page says of the node that invites.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Invited {
    /// Its domain. Required.
    pub domain: String,
    /// Where it is reached. Default: where the SRV records of the domain say.
    pub url: Option<String>,
    /// The name that its certificate carries. Default: as in `[[peer]]`.
    pub server_name: Option<String>,
    /// Whether it is reached by plain HTTP. Default `false`.
    pub allow_plain: bool,
    /// Further domains whose users are reached over it; `*` for all others. Default: none.
    pub speaks_for: Vec<String>,
    /// Whether it takes only connections that show a certificate. Default `false`.
    pub wants_certificate: bool,
    /// SHA-256 of one of the certificates in `ca`, in hexadecimal digits, with or without colons.
    /// Default: not said.
    pub fingerprint: Option<String>,
    /// The certificates (PEM) that have signed its own, or that itself. Default: the authorities
    /// of the reader's system.
    pub ca: Option<String>,
}

/// The whole page.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Page {
    /// The page's form, a number.
    invitation: u32,
    peer: Invited,
}

impl Invited {
    /// Longest page that is read, in bytes.
    pub const MOST_BYTES: usize = 64 * 1024;

    /// Reads the text of a page; `file` is its name in problems. Says too where the keys stand.
    /// The certificates are not looked at.
    ///
    /// # Errors
    /// All mistakes that were found.
    pub fn read(file: &str, text: &str) -> Result<(Self, Located), ConfigError> {
        let Table {
            value,
            located,
            mut problems,
        } = read_table::<Page>(file, text);
        if located.is_in_file("peer.0") {
            let fix = "write [peer] instead of [[peer]]";
            let problem = located.problem("peer", "must be one table, not a list", fix);
            return Err(ConfigError::new(vec![problem]));
        }
        let Some(page) = value else {
            return Err(ConfigError::new(problems));
        };
        let mut report = Report::after(&located, &problems);
        page.check(&mut report);
        // A key with a wrong value holds its default, about which nothing need be said.
        let is_new = |problem: &Problem| {
            let same = |shape: &Problem| (shape.line, &shape.key) == (problem.line, &problem.key);
            !problems.iter().any(same)
        };
        let found = report.problems.into_iter().filter(is_new);
        let found: Vec<Problem> = found.collect();
        problems.extend(found);
        if problems.is_empty() {
            Ok((page.peer, located))
        } else {
            Err(ConfigError::new(problems))
        }
    }

    /// The text of the page, with `about` above it, a line each.
    pub fn text(&self, about: &[String]) -> String {
        let mut text: String = about
            .iter()
            .map(|line| format!("# {line}").trim_end().to_owned() + "\n")
            .collect();
        text += &format!("\ninvitation = {FORM}\n\n[peer]\n");
        let mut line = |key: &str, value: Value| text += &format!("{key} = {value}\n");
        line("domain", self.domain.as_str().into());
        for (key, value) in [("url", &self.url), ("server_name", &self.server_name)] {
            if let Some(value) = value {
                line(key, value.as_str().into());
            }
        }
        if !self.speaks_for.is_empty() {
            let domains: Array = self.speaks_for.iter().map(String::as_str).collect();
            line("speaks_for", domains.into());
        }
        for (key, value) in [
            ("allow_plain", self.allow_plain),
            ("wants_certificate", self.wants_certificate),
        ] {
            if value {
                line(key, true.into());
            }
        }
        if let Some(fingerprint) = &self.fingerprint {
            line("fingerprint", fingerprint.as_str().into());
        }
        if let Some(ca) = &self.ca {
            text += &format!("ca = \"\"\"\n{}\n\"\"\"\n", ca.trim());
        }
        text
    }
}

impl Page {
    fn check(&self, report: &mut Report<'_>) {
        match self.invitation {
            FORM => {}
            0 => {
                let fix = "take the page that the other side's wvgate invite has written";
                report.error("invitation", "missing: this is no invitation", fix);
            }
            form => {
                let message = format!("{form} is a form that this version does not know");
                report.error("invitation", message, "add it with a newer wvgate");
            }
        }
        let peer = &self.peer;
        let section = PeerSection {
            domain: peer.domain.clone(),
            url: peer.url.clone(),
            server_name: peer.server_name.clone(),
            allow_plain: peer.allow_plain,
            speaks_for: peer.speaks_for.clone(),
            ..PeerSection::default()
        };
        section.check("peer", report);
        if peer.speaks_for.len() > MOST_DOMAINS {
            let message = format!("has more than {MOST_DOMAINS} domains");
            report.error("peer.speaks_for", message, "write \"*\", or fewer");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaint(text: &str) -> String {
        Invited::read("a.toml", text).unwrap_err().to_string()
    }

    #[test]
    fn what_is_written_is_read_again() {
        let few = Invited {
            domain: "a.test".to_owned(),
            ..Invited::default()
        };
        let all = Invited {
            domain: "a.test".to_owned(),
            url: Some("https://192.0.2.7:5280/".to_owned()),
            server_name: Some("a.test".to_owned()),
            allow_plain: true,
            speaks_for: vec!["b.test".to_owned(), "*".to_owned()],
            wants_certificate: true,
            fingerprint: Some("AB:CD".to_owned()),
            ca: Some("-----BEGIN CERTIFICATE-----\nAA\n-----END CERTIFICATE-----\n".to_owned()),
        };
        for invited in [few, all] {
            let text = invited.text(&["About it".to_owned(), String::new()]);
            assert!(
                text.starts_with("# About it\n#\n\ninvitation = 1\n"),
                "{text}"
            );
            assert_eq!(Invited::read("a.toml", &text).unwrap().0, invited, "{text}");
        }
    }

    #[test]
    fn a_mistake_is_told_with_its_line_and_remedy() {
        let page = "invitation = 1\n[peer]\n";
        for (text, expected) in [
            (
                "domian = \"a.test\"\n",
                "a.toml:3: peer.domian: unknown key; did you mean \"domain\"?",
            ),
            (
                "url = \"https://a.test:5280/\"\n",
                "a.toml:2: peer.domain: missing; add domain = \"...\"",
            ),
            (
                "domain = \"A.test\"\n",
                "a.toml:3: peer.domain: \"A.test\" has capital letters; write \"a.test\"",
            ),
            (
                "domain = \"a.test\"\nurl = \"http://a.test/\"\n",
                "a.toml:4: peer.url: is plain HTTP, which this peer is not allowed; write https://, \
                 or add allow_plain = true",
            ),
            (
                "domain = \"a.test\"\nspeaks_for = \"b.test\"\n",
                "a.toml:4: peer.speaks_for: must be a list, not \"b.test\"; write speaks_for = \
                 [\"...\"]",
            ),
            (
                "domain = \"a.test\"\nurl = \"https://me:pass@a.test/\"\n",
                "a.toml:4: peer.url: holds a user, and perhaps a password, which SSP has no use \
                 for; write \"https://a.test/\"; what proves who we are is password or \
                 client_certificate",
            ),
        ] {
            assert_eq!(complaint(&format!("{page}{text}")), expected);
        }
        let domains = vec!["\"b.test\""; MOST_DOMAINS + 1].join(",");
        let many = format!("{page}domain = \"a.test\"\nspeaks_for = [{domains}]\n");
        assert_eq!(
            complaint(&many),
            "a.toml:4: peer.speaks_for: has more than 256 domains; write \"*\", or fewer"
        );
    }

    #[test]
    fn what_is_no_page_of_this_form_is_refused() {
        let peer = "[peer]\ndomain = \"a.test\"\n";
        assert!(complaint(peer).starts_with("a.toml: invitation: missing"));
        let later = complaint(&format!("invitation = 2\n{peer}"));
        assert!(
            later.starts_with("a.toml:1: invitation: 2 is a form"),
            "{later}"
        );
        assert_eq!(
            complaint("invitation = 1\n[[peer]]\ndomain = \"a.test\"\n"),
            "a.toml:2: peer: must be one table, not a list; write [peer] instead of [[peer]]"
        );
        let other = complaint("<html>\n");
        assert!(other.starts_with("a.toml:1: syntax: "), "{other}");
        assert_eq!(other.lines().count(), 1, "{other}");
    }
}
