//! `wvgate peer add`: one more peer in the file of the configuration.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};

use clap::Args;
use toml_edit::{Array, Value};

use super::{Failure, Global, output};
use crate::admin::{Client, Request};
use crate::config::{Source, environment};
use crate::node::Plan;

#[derive(Args)]
#[command(after_help = "\
Writes a [[peer]] at the end of the configuration, and a [[route]] for each domain that --serves
names; the rest of the file stays as it is. A file that could not be used afterwards is not
written. A node that runs reads it at once.

Examples:
  wvgate peer add relay.example --serves '*'
  wvgate peer add oldtown.example --url https://192.0.2.7:5280/ --ca /etc/wvgate/certs/oldtown.pem")]
pub(super) struct Add {
    /// The peer's domain
    domain: String,
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
}

impl Add {
    /// What is written, in the form of the file.
    fn text(&self) -> String {
        let line = |key: &str, value: Value| format!("{key} = {value}\n");
        let mut text = "\n[[peer]]\n".to_owned();
        text += &line("domain", self.domain.as_str().into());
        if let Some(url) = &self.url {
            text += &line("url", url.as_str().into());
        }
        if let Some(ca) = &self.ca {
            let whole = std::path::absolute(ca).unwrap_or_else(|_| ca.clone());
            text += &line("ca", whole.display().to_string().into());
        }
        if !self.serves.is_empty() {
            let domains: Array = self.serves.iter().map(String::as_str).collect();
            text += &line("speaks_for", domains.into());
        }
        if self.plain {
            text += &line("allow_plain", true.into());
        }
        for domain in &self.serves {
            text += "\n[[route]]\n";
            text += &line("domain", domain.as_str().into());
            text += &line("via", self.domain.as_str().into());
        }
        text
    }
}

pub(super) async fn add(global: &Global, args: &Add) -> Result<(), Failure> {
    let path = global.config_file();
    let after = Source::read(&path, environment())?.with(&args.text());
    let loaded = after.load()?;
    Plan::new(&loaded.config, &loaded.located)?;
    let socket = loaded.config.admin_socket();
    replace(&path, after.text()).map_err(|error| {
        Failure::Failed(format!("{} cannot be written: {error}", path.display()))
    })?;
    output::line(format!("{} has the peer {}", path.display(), args.domain))?;
    if let Ok(mut node) = Client::connect(&socket).await {
        let remarks = node.ask(&Request::Reload).await?;
        for remark in remarks.as_array().into_iter().flatten() {
            output::line(remark.as_str().unwrap_or_default())?;
        }
        output::line("the node has taken it over")?;
        return output::line(format!("next: wvgate check peer {}", args.domain));
    }
    output::line("next: wvgate check, and start the node")
}

/// Puts a file in the place of another, with its owner and mode; who reads meanwhile finds one of
/// them.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let path = fs::canonicalize(path)?;
    let facts = fs::metadata(&path)?;
    let mut name = path.clone().into_os_string();
    name.push(format!(".{}", std::process::id()));
    let beside = PathBuf::from(name);
    let written = (|| {
        let mut options = OpenOptions::new();
        let mut file = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&beside)?;
        file.write_all(text.as_bytes())?;
        let made = file.metadata()?;
        if (made.uid(), made.gid()) != (facts.uid(), facts.gid()) {
            chown(&beside, Some(facts.uid()), Some(facts.gid()))?;
        }
        let mode = facts.permissions().mode() & 0o777;
        file.set_permissions(fs::Permissions::from_mode(mode))?;
        file.sync_all()?;
        fs::rename(&beside, &path)
    })();
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_as_an_operator_would_write_it() {
        let add = Add {
            domain: "relay.test".to_owned(),
            url: Some("https://relay.test:5280/".to_owned()),
            ca: Some(PathBuf::from("/etc/a \"ca\".pem")),
            serves: vec!["*".to_owned(), "far.test".to_owned()],
            plain: true,
        };
        let expected = "\n[[peer]]\ndomain = \"relay.test\"\nurl = \"https://relay.test:5280/\"\n\
             ca = '/etc/a \"ca\".pem'\nspeaks_for = [\"*\", \"far.test\"]\nallow_plain = true\n\n\
             [[route]]\ndomain = \"*\"\nvia = \"relay.test\"\n\n\
             [[route]]\ndomain = \"far.test\"\nvia = \"relay.test\"\n";
        assert_eq!(add.text(), expected);
    }
}
