//! A page of `wvgate invite`, read by who is to trust it.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use super::super::{Failure, asking, output};
use super::entry::Entry;
use crate::config::{ConfigError, Invited, Located, Problem};
use crate::http::chain::{Certificate, Chain};
use crate::http::tls::Validity;
use crate::sap::Time;
use crate::text::shown::steers;

/// Most certificates of a page.
const MOST_CERTIFICATES: usize = 8;

/// A page without mistakes.
pub(super) struct Page {
    /// The name under which it was read.
    name: String,
    invited: Invited,
    located: Located,
    /// Whom it wants to be trusted; none: the authorities of this system.
    certificates: Vec<Certificate>,
}

impl Page {
    /// Whether this word names a page, not a domain.
    pub(super) fn is_meant(word: &str) -> bool {
        let end = Path::new(word).extension();
        let is_toml = end.is_some_and(|end| end.eq_ignore_ascii_case("toml"));
        word == "-" || word.contains('/') || is_toml
    }

    /// Reads the file of this name, or for `-` the input.
    ///
    /// # Errors
    /// Every mistake, with its line.
    pub(super) fn read(word: &str, now: SystemTime) -> Result<Self, Failure> {
        let name = if word == "-" { "input" } else { word };
        let refused = |what: String, fix: &str| {
            ConfigError::new(vec![Problem::new(name, None, "", what, fix)])
        };
        let bytes = match word {
            "-" => bounded(io::stdin().lock()),
            _ => File::open(word).and_then(bounded),
        };
        let bytes = bytes.map_err(|error| {
            let fix = "name a page that wvgate invite has written, or a domain";
            refused(format!("cannot be read ({error})"), fix)
        })?;
        if bytes.len() > Invited::MOST_BYTES {
            let what = format!("is longer than {} KiB", Invited::MOST_BYTES / 1024);
            return Err(refused(what, "take the page that wvgate invite has written").into());
        }
        let text = String::from_utf8(bytes).map_err(|_| {
            refused(
                "is not text".to_owned(),
                "take the page that wvgate invite has written",
            )
        })?;
        Ok(Self::parse(name, text.trim_start_matches('\u{feff}'), now)?)
    }

    /// Reads the text of one; `name` stands for it in problems.
    pub(super) fn parse(name: &str, text: &str, now: SystemTime) -> Result<Self, ConfigError> {
        let (invited, located) = Invited::read(name, text)?;
        let mut page = Self {
            name: name.to_owned(),
            invited,
            located,
            certificates: Vec::new(),
        };
        match page.trusted(now) {
            Ok(certificates) => page.certificates = certificates,
            Err((key, what, fix)) => {
                let problem = page.located.problem(key, what, fix);
                return Err(ConfigError::new(vec![problem]));
            }
        }
        Ok(page)
    }

    /// The certificates; else the key, what is wrong with it and what to do.
    fn trusted(
        &self,
        now: SystemTime,
    ) -> Result<Vec<Certificate>, (&'static str, String, &'static str)> {
        let Some(pem) = &self.invited.ca else {
            return match self.invited.fingerprint {
                None => Ok(Vec::new()),
                Some(_) => {
                    let what = "is of a certificate that is not there".to_owned();
                    Err(("peer.fingerprint", what, "add ca, or remove it"))
                }
            };
        };
        if pem.contains("PRIVATE KEY") {
            let what = "holds a private key, which nobody but its owner may have".to_owned();
            let fix = "tell the sender, who needs a new one now; wvgate invite sends none";
            return Err(("peer.ca", what, fix));
        }
        let Some(chain) = Chain::parse(pem).filter(is_readable) else {
            let what = "is no certificate in PEM".to_owned();
            let fix = "paste it as it was sent, with the lines that begin with -----";
            return Err(("peer.ca", what, fix));
        };
        let certificates = chain.certificates();
        if certificates.len() > MOST_CERTIFICATES {
            let what = format!("has more than {MOST_CERTIFICATES} certificates");
            let fix = "leave those that have signed the peer's own";
            return Err(("peer.ca", what, fix));
        }
        if certificates.iter().all(|one| !is_valid(one, now)) {
            let what = "is not valid at this time".to_owned();
            return Err((
                "peer.ca",
                what,
                "ask for a new page; is the clock here right?",
            ));
        }
        if let Some(said) = &self.invited.fingerprint
            && !certificates.iter().any(|one| is_print(said, one))
        {
            let prints: Vec<String> = certificates.iter().map(Certificate::fingerprint).collect();
            let what = format!("is not that of ca, which is {}", prints.join(", "));
            let fix = "ask the sender which of the two is right, and trust neither before";
            return Err(("peer.fingerprint", what, fix));
        }
        Ok(certificates.to_vec())
    }

    /// What is written into the configuration, but for the certificates.
    pub(super) fn entry(&self) -> Entry {
        let invited = self.invited.clone();
        Entry {
            domain: invited.domain,
            url: invited.url,
            server_name: invited.server_name,
            ca: None,
            speaks_for: invited.speaks_for,
            allow_plain: invited.allow_plain,
        }
    }

    /// The certificates in PEM, if there are any.
    pub(super) fn pem(&self) -> Option<String> {
        let pem: String = self.certificates.iter().map(Certificate::pem).collect();
        (!pem.is_empty()).then_some(pem)
    }

    /// The same problem, at its place in the page.
    pub(super) fn problem(&self, problem: &Problem) -> Problem {
        let key = match problem.key.as_str() {
            "route.domain" => "peer.speaks_for",
            key => key,
        };
        let (message, fix) = (problem.message.as_str(), problem.fix.as_str());
        self.located.problem(key, message, fix)
    }

    /// What becomes of this node with the peer, for who decides about it.
    pub(super) fn shown(&self) -> String {
        let invited = &self.invited;
        let reached = match &invited.url {
            Some(url) => url.clone(),
            None => "where the SRV records of its domain say".to_owned(),
        };
        let mut rows = vec![("reached at", reached)];
        if invited.allow_plain {
            let plain = "plain HTTP is allowed: everybody on the way can read and forge";
            rows.push(("", plain.to_owned()));
        }
        if let Some(name) = &invited.server_name {
            rows.push(("", format!("its certificate must be good for {name}")));
        }
        for one in &self.certificates {
            rows.push(("trusted", described(one)));
            rows.push(("", format!("SHA-256 {}", one.fingerprint())));
        }
        if self.certificates.is_empty() && !invited.allow_plain {
            rows.push(("trusted", "the authorities of this system".to_owned()));
        }
        let mut users = vec![invited.domain.clone()];
        for domain in &invited.speaks_for {
            users.push(match domain.as_str() {
                "*" => "every domain that has no other way".to_owned(),
                domain => domain.to_owned(),
            });
        }
        rows.push(("speaks for", format!("users of {}", users.join(", "))));
        rows.push(("", "what is for them goes there".to_owned()));
        if invited.wants_certificate {
            let wants = "a certificate of this node: add client_certificate and client_key";
            rows.push(("wants", wants.to_owned()));
        }
        let mut text = format!("{} asks to be a peer, by {}:\n", invited.domain, self.name);
        for (name, what) in rows {
            // Nothing from outside may move the cursor, or look like something else.
            let what = what.replace(steers, " ");
            text += &format!("  {name:<12}{what}\n");
        }
        if !self.certificates.is_empty() {
            text += "Compare the fingerprint with the sender by another way than the page came: who \
                     could change\nthe page could change that too.\n";
        }
        text
    }

    /// Shows what the peer means, and what is doubtful; then asks, unless the answer was given
    /// before.
    pub(super) fn agreed(&self, doubts: &[Problem], yes: bool) -> Result<(), Failure> {
        output::print(&self.shown())?;
        for doubt in doubts {
            output::line(format!("warn  {doubt}"))?;
        }
        if yes {
            return Ok(());
        }
        if !asking::is_possible() {
            let why = "wvgate: nothing was written, for there is no terminal to ask on; say --yes";
            return Err(Failure::Usage(why.to_owned()));
        }
        let answer = asking::answer("Add it? [y/N] ")?;
        if matches!(answer.to_lowercase().as_str(), "y" | "yes") {
            return Ok(());
        }
        Err(Failure::Failed("nothing was written".to_owned()))
    }
}

/// At most a little more than a page may have.
fn bounded(from: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let most = u64::try_from(Invited::MOST_BYTES).unwrap_or(u64::MAX);
    from.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn is_readable(chain: &Chain) -> bool {
    chain.certificates().iter().all(|one| one.facts().is_some())
}

fn is_valid(certificate: &Certificate, now: SystemTime) -> bool {
    let facts = certificate.facts();
    facts.is_some_and(|facts| matches!(facts.validity(now), Validity::Valid(_)))
}

/// Whether the words say this certificate's fingerprint, however that is written.
fn is_print(said: &str, certificate: &Certificate) -> bool {
    let digits = |text: &str| text.replace([':', ' '], "").to_lowercase();
    digits(said) == digits(&certificate.fingerprint())
}

/// Who it is, what it vouches for, and how long.
fn described(certificate: &Certificate) -> String {
    let Some(facts) = certificate.facts() else {
        return "a certificate that cannot be read".to_owned();
    };
    let what = if certificate.is_authority() {
        "what is signed by"
    } else {
        "the certificate"
    };
    let end = facts.not_after.duration_since(UNIX_EPOCH);
    let end = end.map_or(0, |end| u64::try_from(end.as_millis()).unwrap_or(u64::MAX));
    let end = output::date(Time(end));
    let day = end.split(' ').next().unwrap_or_default();
    format!("{what} {}, until {day}", facts.subject)
}
