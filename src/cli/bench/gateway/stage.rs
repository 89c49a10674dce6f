//! Gateway, XMPP server, and those on either side.

use std::path::Path;

use super::super::super::Failure;
use super::super::Durability;
use super::super::chain::{Folder, free_port};
use super::super::crowd::{self, Crowd, Places};
use super::super::peers;
use super::super::process::{Node, Watched};
use super::super::xmpp_server::{Needs, Server};
use super::Gateway;
use super::bare::{Bare, SECRET};

/// The SSP domain; a component of the gateway.
pub(super) const SSP: &str = "p00000.test";
/// The XMPP domain whose users SSP users talk with, played by a bare component.
pub(super) const XMPP: &str = "users.test";
/// Another bare component.
const OTHER: &str = "other.test";
/// All components of the server.
const COMPONENTS: [&str; 3] = [SSP, XMPP, OTHER];

/// All that takes part.
pub(super) struct Stage {
    pub(super) server: Watched,
    pub(super) gateway: Node,
    pub(super) village: Crowd,
    /// Users of the XMPP domain.
    pub(super) users: Bare,
    pub(super) other: Bare,
    _folder: Folder,
}

impl Stage {
    pub(super) async fn set(server: Server, args: &Gateway) -> Result<Self, Failure> {
        let folder = Folder::make("gateway")?;
        let needs = Needs {
            c2s: free_port()?,
            users: 0,
            components: Some((free_port()?, &COMPONENTS)),
        };
        let component_port = needs.components.map_or(0, |(port, _)| port);
        let process = server.serve(folder.path(), &needs).await?;
        let users = Bare::connect(component_port, XMPP).await?;
        let other = Bare::connect(component_port, OTHER).await?;
        let places = Places::bind(1).await?;
        let port = free_port()?;
        let file = folder.path().join("gateway.toml");
        let config = config(folder.path(), (port, component_port), &places.urls(), args);
        std::fs::write(&file, config)
            .map_err(|error| Failure::Failed(format!("cannot write a configuration: {error}")))?;
        let socket = folder.path().join("gateway.sock");
        let gateway = tokio::task::spawn_blocking(move || Node::start("gateway", &file, socket));
        let gateway = gateway
            .await
            .map_err(|error| Failure::Failed(error.to_string()))??;
        let url = format!("http://127.0.0.1:{port}/");
        Ok(Self {
            server: process,
            gateway,
            village: Crowd::new(places, &url, peers::message()?)?,
            users,
            other,
            _folder: folder,
        })
    }

    /// CPU seconds of gateway and server.
    pub(super) fn cpu(&self) -> (f64, f64) {
        (self.gateway.process().cpu(), self.server.cpu())
    }
}

fn config(folder: &Path, (port, component): (u16, u16), urls: &[String], args: &Gateway) -> String {
    let url = urls.first().map_or("", String::as_str);
    let durability = match args.durability {
        Durability::Strict => "strict",
        Durability::Relaxed => "relaxed",
    };
    format!(
        "[node]\ndomain = \"relay.test\"\ndata = \"{0}/data\"\n[admin]\nsocket = \"{0}/gateway.sock\"\n\
         [log]\nlevel = \"error\"\n[ssp]\nlisten = \"127.0.0.1:{port}\"\nplain = true\n\
         [[peer]]\ndomain = \"{1}\"\nurl = \"{url}\"\nallow_plain = true\ndurability = \"{durability}\"\n\
         [xmpp]\nserver = \"127.0.0.1:{component}\"\ndomain = \"{XMPP}\"\nsettle = \"0s\"\n\
         [[xmpp.component]]\ndomain = \"{SSP}\"\nsecret = \"{SECRET}\"\n",
        folder.display(),
        crowd::domain(0),
    )
}
