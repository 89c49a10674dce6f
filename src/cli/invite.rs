//! `wvgate invite`: what a neighbour needs to make this node a peer, on one page.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use clap::Args;

use super::{Failure, Global, options, output};
use crate::config::{ClientCertificates, Config, ConfigError, Invited, Problem, Via};
use crate::http::chain::{Certificate, Chain};
use crate::http::endpoint::Endpoint;
use crate::http::tls::TlsError;
use crate::node::clock::Clock;

#[derive(Args)]
#[command(after_help = "\
Writes a page to the output: the domain, where it is reached, by which certificate it is known, and
which further domains are behind it. No secret is in it. The other side reads it by
wvgate peer add PAGE, and sends a page of its own. Compare the fingerprint by another way than the
page goes.

The page names the authority that has signed the certificate of this node: none, if it is one that
every system knows; else that of --ca, one that stands in the file of the certificate, or ca.pem
beside it; and if none of these has signed it, the certificate itself.

Examples:
  wvgate invite > village.toml
  wvgate invite --url https://ssp.village.example:5280/ --serves hamlet.example")]
pub(super) struct Invite {
    /// Where others reach this node [default: its domain, or the address that it listens on, and
    /// its port]
    #[arg(long, conflicts_with = "srv")]
    url: Option<String>,
    /// Leave the URL out: the SRV records of the domain say where
    #[arg(long)]
    srv: bool,
    /// Who has signed the certificate that others see
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// A further domain that others reach over this node; may be repeated, and be "*" [default:
    /// those that this node serves itself]
    #[arg(long, value_name = "DOMAIN")]
    serves: Vec<String>,
}

pub(super) fn invite(global: &Global, args: &Invite) -> Result<(), Failure> {
    let config = global.load()?.config;
    let invitation = Invitation::new(&config, args)?;
    for remark in &invitation.remarks {
        output::complain(format!("note: {remark}"));
    }
    output::print(&invitation.invited.text(&invitation.about(&config)))
}

/// A page, and what its sender should know of it.
struct Invitation {
    invited: Invited,
    remarks: Vec<String>,
}

impl Invitation {
    fn new(config: &Config, args: &Invite) -> Result<Self, Failure> {
        let url = match &args.url {
            Some(url) => Some(url.clone()),
            None if args.srv => None,
            None => Some(usual_url(config)?),
        };
        let by_tls = match &url {
            Some(url) => !url.starts_with("http://"),
            None => config.ssp.certificate.is_some(),
        };
        if !by_tls && !config.ssp.plain {
            let why =
                "is plain HTTP, which this node does not speak; write https://, or set ssp.plain";
            return Err(Failure::Usage(format!("wvgate: --url: {why}")));
        }
        let served = match &args.serves[..] {
            [] => served_here(config),
            named => named.to_vec(),
        };
        let required = config.ssp.client_certificates == ClientCertificates::Require;
        let mut invitation = Self {
            invited: Invited {
                domain: config.node.domain.clone(),
                url,
                allow_plain: !by_tls,
                speaks_for: served,
                wants_certificate: by_tls && required,
                ..Invited::default()
            },
            remarks: Vec::new(),
        };
        invitation.check()?;
        if by_tls {
            invitation.vouch(config, args.ca.as_deref())?;
        }
        if !config.peer.is_empty() && args.serves.is_empty() {
            invitation.remarks.push(
                "the peers of this node are not in the page; name domains that others are to reach \
                 over it with --serves"
                    .to_owned(),
            );
        }
        Ok(invitation)
    }

    /// What the other side would refuse is refused here.
    fn check(&mut self) -> Result<(), Failure> {
        match Invited::read("page", &self.invited.text(&[])) {
            Ok(_) => {}
            Err(error) => {
                let problems: Vec<Problem> = error.problems.iter().map(options::problem).collect();
                return Err(ConfigError::new(problems).into());
            }
        }
        if let Some(host) = self.host()
            && host
                .parse::<IpAddr>()
                .map_or(host == "localhost", |ip| ip.is_loopback())
        {
            let remark = format!("{host} is this machine; for a neighbour elsewhere say --url");
            self.remarks.push(remark);
        }
        Ok(())
    }

    /// The host of its URL.
    fn host(&self) -> Option<String> {
        let endpoint = Endpoint::parse(self.invited.url.as_deref()?).ok()?;
        Some(endpoint.host)
    }

    /// Finds by whom, and under which name, the certificate of this node is taken for its own.
    fn vouch(&mut self, config: &Config, ca: Option<&Path>) -> Result<(), Failure> {
        let failed = |error: TlsError| Failure::Failed(error.to_string());
        let named = ca.map(Chain::read).transpose().map_err(failed)?;
        let Some(path) = &config.ssp.certificate else {
            // Somebody in front of this node ends TLS for it.
            match named
                .as_ref()
                .and_then(|named| named.certificates().first())
            {
                Some(named) => self.name(named),
                None => self.remarks.push(
                    "this node has no certificate; that of who ends TLS for it must be signed by \
                     an authority that every system knows, or named by --ca"
                        .to_owned(),
                ),
            }
            return Ok(());
        };
        let chain = Chain::read(path).map_err(failed)?;
        let [own, others @ ..] = chain.certificates() else {
            return Err(failed(TlsError::NoCertificate { path: path.clone() }));
        };
        let beside = Chain::read(&path.with_file_name("ca.pem")).ok();
        let mut candidates: Vec<Option<&Certificate>> = Vec::new();
        if let Some(named) = &named {
            candidates.extend(named.certificates().iter().map(Some));
        } else {
            candidates.push(None);
            candidates.extend(others.iter().rev().map(Some));
            candidates.extend(beside.iter().flat_map(Chain::certificates).map(Some));
            candidates.push(Some(own));
        }
        let usual = self.host().unwrap_or_else(|| config.node.domain.clone());
        let mut names = vec![usual.clone(), config.node.domain.clone()];
        names.extend(own.facts().into_iter().flat_map(|facts| facts.dns_names));
        let now = Clock::wall();
        let found = candidates.into_iter().find_map(|by| {
            let mut names = names.iter();
            let name = names.find(|name| chain.is_vouched_for(by, name, now))?;
            Some((by, name))
        });
        let Some((by, name)) = found else {
            let path = path.display();
            return Err(Failure::Failed(match ca {
                Some(ca) => format!(
                    "no certificate in {} vouches for {path}; name the authority that has signed it",
                    ca.display()
                ),
                None => format!("nobody would take the certificate {path}; see wvgate check"),
            }));
        };
        if let Some(by) = by {
            self.name(by);
            if by == own && named.is_none() {
                self.remarks.push(format!(
                    "the page names the certificate {} itself: send a new page before it is \
                     renewed; or name who has signed it with --ca",
                    path.display()
                ));
            }
        }
        if *name != usual {
            self.invited.server_name = Some(name.clone());
        }
        Ok(())
    }

    /// Writes into the page that this certificate is to be trusted.
    fn name(&mut self, certificate: &Certificate) {
        self.invited.ca = Some(certificate.pem());
        self.invited.fingerprint = Some(certificate.fingerprint());
    }

    /// What stands above it, for people.
    fn about(&self, config: &Config) -> Vec<String> {
        let domain = &self.invited.domain;
        let mut serves = Vec::new();
        if config.home.is_some() {
            serves.push("users of its own".to_owned());
        }
        if let Some(xmpp) = config.xmpp_domain().filter(|_| config.xmpp.is_some()) {
            serves.push(format!("XMPP users of {xmpp}"));
        }
        if !self.invited.speaks_for.is_empty() {
            serves.push("what is behind it (speaks_for)".to_owned());
        }
        let mut lines = vec![
            format!("How to make {domain} a peer. Nothing in here is secret."),
            String::new(),
        ];
        if !serves.is_empty() {
            lines.push(format!("It serves: {}.", serves.join(", ")));
        }
        if config.node.echo {
            lines.push(format!("wv:echo@{domain} sends back what it is sent."));
        }
        lines.extend([
            "With wvgate: wvgate peer add FILE, then wvgate check peer ".to_owned() + domain,
            "It needs the same of you: wvgate invite".to_owned(),
        ]);
        if self.invited.fingerprint.is_some() {
            lines.push(
                "Compare the fingerprint by another way: who could change this page could change \
                 it too."
                    .to_owned(),
            );
        }
        lines
    }
}

/// What others are told where nothing else is said.
fn usual_url(config: &Config) -> Result<String, Failure> {
    let listen = config.ssp.listen;
    if listen.port() == 0 {
        let why = "wvgate: ssp.listen leaves the port to the system; say where others reach this \
                   node with --url";
        return Err(Failure::Usage(why.to_owned()));
    }
    let host = match listen.ip() {
        ip if ip.is_unspecified() => config.node.domain.clone(),
        IpAddr::V6(ip) => format!("[{ip}]"),
        IpAddr::V4(ip) => ip.to_string(),
    };
    let scheme = match config.ssp.certificate {
        Some(_) => "https",
        None => "http",
    };
    Ok(format!("{scheme}://{host}:{}/", listen.port()))
}

/// The domains besides its own that end at this node.
fn served_here(config: &Config) -> Vec<String> {
    let xmpp = config.xmpp.as_ref().and_then(|_| config.xmpp_domain());
    let routes = config.route.iter();
    let routes = routes.filter(|route| matches!(route.via, Via::Local | Via::Xmpp));
    let routes = routes.map(|route| route.domain.as_str());
    let mut served: Vec<String> = Vec::new();
    for domain in xmpp.into_iter().chain(routes) {
        let is_new = !served.iter().any(|known| known == domain);
        if domain != "*" && domain != config.node.domain && is_new {
            served.push(domain.to_owned());
        }
    }
    served
}
