//! `wvgate peer add`: one more peer in the file of the configuration.

mod entry;
mod files;
mod page;
#[cfg(test)]
mod page_tests;

use std::path::{Path, PathBuf};

use clap::Args;

use super::{Failure, Global, options, output};
use crate::admin::{Client, Request};
use crate::config::{ConfigError, Loaded, Problem, Source, environment};
use crate::node::Plan;
use crate::node::clock::Clock;
use entry::Entry;
use files::Certificates;
use page::Page;

#[derive(Args)]
#[command(after_help = "\
Writes a [[peer]] at the end of the configuration, and a [[route]] for each domain that --serves
names; the rest of the file stays as it is. A file that could not be used afterwards is not
written. A node that runs reads it at once.

PAGE is a file that wvgate invite has written on the other side: a name with a / in it or one that
ends in .toml, or - for the input. What it says is shown, with the certificates that will be
trusted, and added when you agree. The certificates go to peers/DOMAIN.pem beside the
configuration.

Examples:
  wvgate peer add village.toml
  wvgate peer add relay.example --serves '*'
  wvgate peer add oldtown.example --url https://192.0.2.7:5280/ --ca /etc/wvgate/certs/oldtown.pem")]
pub(super) struct Add {
    /// The peer's domain, or the page by which it invites
    #[arg(value_name = "DOMAIN|PAGE")]
    peer: String,
    /// Where it is reached [default: where the domain's SRV records say]
    #[arg(long)]
    url: Option<String>,
    /// Who has signed its certificate, or that certificate itself [default: the system's authorities]
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// A further domain that is reached by it, with its users; may be repeated, and be "*"
    #[arg(long, value_name = "DOMAIN")]
    serves: Vec<String>,
    /// Plain HTTP to and from it is allowed
    #[arg(long)]
    plain: bool,
    /// Add what a page says without asking
    #[arg(long)]
    yes: bool,
}

impl Add {
    /// The page that is named, if it is one.
    fn page(&self) -> Result<Option<Page>, Failure> {
        if !Page::is_meant(&self.peer) {
            return Ok(None);
        }
        let given = [
            ("--url", self.url.is_some()),
            ("--ca", self.ca.is_some()),
            ("--serves", !self.serves.is_empty()),
            ("--plain", self.plain),
        ];
        if let Some((option, _)) = given.iter().find(|(_, is_given)| *is_given) {
            let why = "goes with a domain, and not with a page; leave it out, or change the page";
            return Err(Failure::Usage(format!("wvgate: {option}: {why}")));
        }
        Ok(Some(Page::read(&self.peer, Clock::wall())?))
    }

    fn entry(&self) -> Entry {
        let whole = |file: &PathBuf| std::path::absolute(file).unwrap_or_else(|_| file.clone());
        Entry {
            domain: self.peer.clone(),
            url: self.url.clone(),
            server_name: None,
            ca: self.ca.as_ref().map(whole),
            speaks_for: self.serves.clone(),
            allow_plain: self.plain,
        }
    }
}

pub(super) async fn add(global: &Global, args: &Add) -> Result<(), Failure> {
    let page = args.page()?;
    let file = ConfigFile::read(global.config_file())?;
    let mut entry = page.as_ref().map_or_else(|| args.entry(), Page::entry);
    let (mut after, mut loaded) = file.with(&entry, page.as_ref())?;
    let mut certificates = None;
    if let Some(page) = &page {
        page.agreed(&file.doubts(&loaded, page), args.yes)?;
        if let Some(pem) = page.pem() {
            let written = file.certificates(&entry.domain, &pem)?;
            entry.ca = Some(written.path.clone());
            certificates = Some(written);
            (after, loaded) = file.with(&entry, Some(page))?;
        }
    }
    let (path, domain) = (file.path.display(), &entry.domain);
    files::replace(&file.path, after.text())
        .map_err(|error| Failure::Failed(format!("{path} cannot be written: {error}")))?;
    output::line(format!("{path} has the peer {domain}"))?;
    if let Some(certificates) = certificates {
        let written = certificates.path.display().to_string();
        certificates.keep();
        output::line(format!("{written} has whom it is trusted by"))?;
    }
    if let Ok(mut node) = Client::connect(&loaded.config.admin_socket()).await {
        let remarks = node.ask(&Request::Reload).await?;
        for remark in remarks.as_array().into_iter().flatten() {
            output::line(remark.as_str().unwrap_or_default())?;
        }
        output::line("the node has taken it over")?;
        return output::line(format!("next: wvgate check peer {domain}"));
    }
    output::line("next: wvgate check, and start the node")
}

/// The configuration before a peer is added.
struct ConfigFile {
    path: PathBuf,
    source: Source,
}

impl ConfigFile {
    fn read(path: PathBuf) -> Result<Self, Failure> {
        let source = Source::read(&path, environment())?;
        // What is wrong already is nothing that a peer has brought.
        source.load()?;
        Ok(Self { path, source })
    }

    /// The configuration with this peer, if it can be used. What is wrong is told by the page it
    /// comes from, else by the option.
    fn with(&self, entry: &Entry, page: Option<&Page>) -> Result<(Source, Loaded), Failure> {
        let after = self.source.with(&entry.text());
        let loaded = after.load().and_then(|loaded| {
            Plan::new(&loaded.config, &loaded.located)?;
            Ok(loaded)
        });
        let loaded = loaded.map_err(|error| {
            let problems = error.problems.iter();
            let told = |problem: &Problem| match page {
                _ if !self.is_added(problem) => problem.clone(),
                Some(page) => page.problem(&self.with_file(problem)),
                None => options::problem(&self.with_file(problem)),
            };
            ConfigError::new(problems.map(told).collect())
        })?;
        Ok((after, loaded))
    }

    /// What is doubtful about the peer of a page.
    fn doubts(&self, loaded: &Loaded, page: &Page) -> Vec<Problem> {
        let warnings = loaded.warnings.iter();
        let added = warnings.filter(|problem| self.is_added(problem));
        added
            .map(|problem| page.problem(&self.with_file(problem)))
            .collect()
    }

    /// Whether this is about what would be written.
    fn is_added(&self, problem: &Problem) -> bool {
        let lines = self.source.text().lines().count();
        problem.line.is_some_and(|line| line > lines)
            && problem.file == self.path.display().to_string()
    }

    /// The same, naming the configuration where it refers to a line of it.
    fn with_file(&self, problem: &Problem) -> Problem {
        let line = format!("({}:", self.path.display());
        let message = problem.message.replace("(line ", &line);
        Problem {
            message,
            ..problem.clone()
        }
    }

    /// Writes the certificates of a peer beside the file.
    fn certificates(&self, domain: &str, pem: &str) -> Result<Certificates, Failure> {
        let path = std::path::absolute(&self.path).unwrap_or_else(|_| self.path.clone());
        let folder = path.parent().unwrap_or(Path::new("/"));
        Certificates::write(folder, domain, pem).map_err(|error| {
            let file = folder.join("peers").join(format!("{domain}.pem"));
            let file = file.display();
            Failure::Failed(match error.kind() {
                std::io::ErrorKind::AlreadyExists => {
                    format!("{file} holds other certificates; remove it, if no peer needs it")
                }
                _ => format!("{file} cannot be written: {error}"),
            })
        })
    }
}
