//! Nodes in this process, talking to each other over real HTTP on free ports.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use wvgate::config::Config;
use wvgate::node::{Core, Node, Plan};
use wvgate::store::MemoryStore;

use super::divided::stores;

/// How long a node may take to become as it is wanted.
const PATIENCE: Duration = Duration::from_secs(60);

/// A port of loopback that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    free_port_of(Ipv4Addr::LOCALHOST)
}

/// A port of an address that was free a moment ago; the tests of this run get none twice.
pub(crate) fn free_port_of(address: Ipv4Addr) -> u16 {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    // Held until another is found, so that the next is another.
    let mut held = Vec::new();
    loop {
        let listener = TcpListener::bind((address, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        if given.insert(port) {
            return port;
        }
        held.push(listener);
    }
}

/// A folder of its own that goes with the value.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!(
            "wvgate-{name}-{}-{}",
            std::process::id(),
            free_port()
        ));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Some domains, each with the port of its node.
pub(crate) struct Cluster {
    pub(crate) folder: Folder,
    pub(crate) ports: BTreeMap<String, u16>,
    pub(crate) nodes: BTreeMap<String, Node>,
    stores: BTreeMap<String, Arc<MemoryStore>>,
    sections: BTreeMap<String, String>,
}

impl Cluster {
    pub(crate) fn new(domains: &[&str]) -> Self {
        Self {
            folder: Folder::new("cluster"),
            ports: domains
                .iter()
                .map(|domain| ((*domain).to_owned(), free_port()))
                .collect(),
            nodes: BTreeMap::new(),
            stores: BTreeMap::new(),
            sections: BTreeMap::new(),
        }
    }

    /// Starts a node. `@PORT:domain@` in `sections` becomes that domain's port.
    pub(crate) async fn start(&mut self, domain: &str, sections: &str) {
        self.sections.insert(domain.to_owned(), sections.to_owned());
        self.stores
            .insert(domain.to_owned(), Arc::new(MemoryStore::new()));
        self.start_again(domain).await;
    }

    /// Starts a node on what an earlier one of the domain has kept.
    pub(crate) async fn start_again(&mut self, domain: &str) {
        let plan = self.plan(domain);
        let stores = stores(&self.stores[domain]);
        let node = Node::start_on_all(plan, stores).await.unwrap();
        self.nodes.insert(domain.to_owned(), node);
    }

    /// Has a node read another configuration.
    pub(crate) async fn reload(&mut self, domain: &str, sections: &str) {
        self.sections.insert(domain.to_owned(), sections.to_owned());
        let plan = self.plan(domain);
        self.node(domain).reload(plan).await;
    }

    /// Stops a node, leaving what it kept.
    pub(crate) async fn stop(&mut self, domain: &str) {
        self.nodes
            .remove(domain)
            .unwrap()
            .stop(Duration::ZERO)
            .await;
    }

    /// Waits until the core of a node is as `what` says.
    pub(crate) async fn until(&self, domain: &str, what: &str, is_so: fn(&mut Core) -> bool) {
        let handle = self.node(domain).handle();
        let found = async {
            while !handle.ask(move |core, _, _| is_so(core)).await.unwrap() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let found = tokio::time::timeout(PATIENCE, found).await;
        assert!(found.is_ok(), "{domain}: {what} did not come");
    }

    pub(crate) fn node(&self, domain: &str) -> &Node {
        &self.nodes[domain]
    }

    /// What a domain's node keeps.
    pub(crate) fn store(&self, domain: &str) -> &MemoryStore {
        &self.stores[domain]
    }

    fn plan(&self, domain: &str) -> Plan {
        let mut text = format!(
            "[node]\ndomain = \"{domain}\"\ndata = \"{}\"\n[ssp]\nlisten = \"127.0.0.1:{}\"\nplain = true\n{}",
            self.folder.0.join(domain).display(),
            self.ports[domain],
            self.sections[domain],
        );
        for (domain, port) in &self.ports {
            text = text.replace(&format!("@PORT:{domain}@"), &port.to_string());
        }
        let file = self.folder.0.join(format!("{domain}.toml"));
        std::fs::write(&file, &text).unwrap();
        let loaded =
            Config::load(&file, Vec::new()).unwrap_or_else(|error| panic!("{error}\n{text}"));
        Plan::new(&loaded.config, &loaded.located).unwrap_or_else(|error| panic!("{error}"))
    }
}
