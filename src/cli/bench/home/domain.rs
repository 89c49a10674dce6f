//! The home domain under measurement: its store made, its node started.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use super::super::super::Failure;
use super::super::chain::{Folder, free_port};
use super::super::process::Node;
use super::Home;
use super::user::User;
use crate::imps::Address;
use crate::imps::primitive::contact_list::NickName;
use crate::store::{self, Store as _, StoreError, Write};

/// Users whose records are committed together.
const TOGETHER: usize = 1_000;
const DOMAIN: &str = "home.test";

pub(super) fn name(number: usize) -> String {
    format!("u{number:08}")
}

pub(super) fn address(number: usize) -> Address {
    Address::user(&name(number), DOMAIN)
}

/// Starts a node on it; `rest_after`: with `"0s"` the configuration makes the users.
pub(super) async fn start(
    folder: &Folder,
    rest_after: &str,
    users: usize,
) -> Result<Node, Failure> {
    let path = folder.path();
    let file = path.join("home.toml");
    let mut text = format!(
        "[node]\ndomain = \"{DOMAIN}\"\ndata = \"{0}/data\"\n[admin]\nsocket = \"{0}/home.sock\"\nmax_connections = 60000\n\
         [log]\nlevel = \"error\"\n[ssp]\nlisten = \"127.0.0.1:{1}\"\nplain = true\n\
         [home]\nrest_after = \"{rest_after}\"\nmax_users = {2}\n",
        path.display(),
        free_port()?,
        users.max(2_000_000)
    );
    if rest_after == "0s" {
        for number in 0..users {
            let _ = write!(
                text,
                "[[home.user]]\nname = \"{}\"\npassword = \"bench\"\n",
                name(number)
            );
        }
    }
    std::fs::write(&file, text)
        .map_err(|error| Failure::Failed(format!("cannot write a configuration: {error}")))?;
    let socket = path.join("home.sock");
    tokio::task::spawn_blocking(move || Node::start("home domain", &file, socket))
        .await
        .map_err(|error| Failure::Failed(error.to_string()))?
}

/// Makes the store of a domain of so many users: the first one with their contacts by a running
/// node, all others as they are.
pub(super) async fn fill(folder: &Folder, args: &Home, users: usize) -> Result<(), Failure> {
    let node = start(folder, "0s", args.contacts + 1).await?;
    let mut clients = Vec::new();
    for number in 0..=args.contacts {
        clients.push(User::login(&node.socket, number).await?);
    }
    for (number, user) in clients.iter_mut().enumerate() {
        for other in (0..=args.contacts).filter(|other| *other != number) {
            let nick = NickName {
                user: address(other),
                name: None,
            };
            let contact = user.requests.contacts(Some(nick), None);
            user.ask(contact).await?;
            let watch = user.requests.subscribe(address(other));
            user.ask(watch).await?;
        }
    }
    drop(clients);
    // Until all of them are at rest.
    let data = folder.path().join("data");
    let records = at_rest(node, folder, &data, args.contacts + 1).await?;
    let model = records.first().cloned().unwrap_or_default();
    let model = String::from_utf8_lossy(&model).into_owned();
    let failed = |error: StoreError| Failure::Failed(format!("cannot fill a store: {error}"));
    let store = store::open(&data).map_err(failed)?;
    let all: Vec<usize> = (args.contacts + 1..users).collect();
    for numbers in all.chunks(TOGETHER) {
        let writes = numbers.iter().map(|number| {
            let mut record = String::with_capacity(model.len());
            let mut rest = model.as_str();
            // Each contact of the first user becomes another one: a number that much higher.
            while let Some(at) = rest.find("wv:u") {
                let digits = &rest[at + 4..at + 12];
                let other: usize = digits.parse().unwrap_or(0);
                record.push_str(&rest[..at]);
                let _ = write!(record, "wv:{}", name((number + other) % users));
                rest = &rest[at + 12..];
            }
            record.push_str(rest);
            Write::put(format!("home/rest/{}", name(*number)), record)
        });
        let kept = store.commit_soon(writes.collect()).await;
        kept.map_err(failed)?;
    }
    // What is in order on disk is read as fast as it can be.
    drop(store);
    Ok(())
}

/// The records of the users of a node, once all are at rest; the node ends.
async fn at_rest(
    node: Node,
    folder: &Folder,
    data: &Path,
    users: usize,
) -> Result<Vec<Vec<u8>>, Failure> {
    let mut node = Some(node);
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_secs(3)).await;
        drop(node.take());
        let records = {
            let store = store::open(data);
            let store = store.map_err(|error| Failure::Failed(error.to_string()))?;
            let page = store.scan("home/rest/", None, users).await;
            page.map_err(|error| Failure::Failed(error.to_string()))?
        };
        if records.len() >= users {
            return Ok(records.into_iter().map(|(_, record)| record).collect());
        }
        node = Some(start(folder, "0s", users).await?);
    }
    Err(Failure::Failed("the users do not go to rest".to_owned()))
}
