//! The home domain whose access point is measured.

use std::fmt::Write as _;

use super::super::super::Failure;
use super::super::chain::{Folder, free_port};
use super::super::process::Node;

/// Name of the domain.
pub(super) const NAME: &str = "home.test";
/// Everybody's password.
pub(super) const PASSWORD: &str = "bench";

/// A running node.
pub(super) struct Domain {
    pub(super) node: Node,
    /// Where phones log in, and where they are woken.
    pub(super) port: u16,
    pub(super) wake_port: u16,
}

pub(super) fn user(number: usize) -> String {
    format!("u{number:05}")
}

/// Starts a node with so many users.
pub(super) async fn start(folder: &Folder, users: usize) -> Result<Domain, Failure> {
    let path = folder.path();
    let file = path.join("home.toml");
    let (port, wake_port) = (free_port()?, free_port()?);
    let most = 2 * users + 1000;
    let mut text = format!(
        "[node]\ndomain = \"{NAME}\"\ndata = \"{0}/data\"\n[admin]\nsocket = \"{0}/home.sock\"\n\
         [log]\nlevel = \"error\"\n[ssp]\nlisten = \"127.0.0.1:{1}\"\nplain = true\n\
         [clients]\nlisten = \"127.0.0.1:{port}\"\nwake_listen = \"127.0.0.1:{wake_port}\"\n\
         plain_login = \"always\"\ndigest_secret = \"of this benchmark\"\n\
         poll_interval = \"1ms\"\nmax_sessions = {most}\nmax_connections = {most}\n\
         max_connections_per_address = {most}\n[home]\nmax_users = {most}\n",
        path.display(),
        free_port()?,
    );
    for number in 0..users {
        let _ = write!(
            text,
            "[[home.user]]\nname = \"{}\"\npassword = \"{PASSWORD}\"\n",
            user(number)
        );
    }
    std::fs::write(&file, text)
        .map_err(|error| Failure::Failed(format!("cannot write a configuration: {error}")))?;
    let socket = path.join("home.sock");
    let node = tokio::task::spawn_blocking(move || Node::start("home domain", &file, socket))
        .await
        .map_err(|error| Failure::Failed(error.to_string()))??;
    Ok(Domain {
        node,
        port,
        wake_port,
    })
}
