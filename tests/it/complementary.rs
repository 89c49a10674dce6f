//! Domains that complete each other (WVFF, 11, figures 3 and 4), as people in the chat see it. Each is
//! a process of its own.
//!
//! ```text
//!   alice, ann                  carol                      bob, ben
//!     a.test ────────────────── c.test ────────────────── b.test
//!   presence, lists, groups,   relays, and is            messages of
//!   search of b.test           a home domain             a.test
//! ```

use std::collections::BTreeMap;

use serde_json::json;

use crate::cli_node::{Folder, Node, free_port};
use crate::support::person::Person;

mod messages;
mod presence;
mod together;

const DOMAINS: [&str; 3] = ["a.test", "b.test", "c.test"];
const USERS: [(&str, &str); 5] = [
    ("alice", "a.test"),
    ("ann", "a.test"),
    ("bob", "b.test"),
    ("ben", "b.test"),
    ("carol", "c.test"),
];
/// Service, home domain, provider: the same at every domain.
const SERVICES: [(&str, &str, &str); 5] = [
    ("Presence", "b.test", "a.test"),
    ("ContactList", "b.test", "a.test"),
    ("Group", "b.test", "a.test"),
    ("SearchFunc", "b.test", "a.test"),
    ("IM", "a.test", "b.test"),
];

/// The three domains.
struct Domains {
    nodes: BTreeMap<&'static str, Node>,
    /// Where b.test keeps shared files.
    files: u16,
}

impl Domains {
    fn start() -> Self {
        let ports = DOMAINS.map(|domain| (domain, free_port()));
        let ports: BTreeMap<&str, u16> = ports.into_iter().collect();
        let files = free_port();
        let peer = |domain: &str, speaks_for: &[&str]| {
            format!(
                "[[peer]]\ndomain = \"{domain}\"\nurl = \"http://127.0.0.1:{}/\"\n\
                 allow_plain = true\nspeaks_for = {speaks_for:?}\n",
                ports[domain]
            )
        };
        let to_others = "[[route]]\ndomain = \"*\"\nvia = \"c.test\"\n";
        let nodes = DOMAINS.map(|domain| {
            let mut sections = match domain {
                "a.test" => peer("c.test", &["b.test"]) + to_others,
                "b.test" => {
                    let content = format!(
                        "[content]\nurl = \"http://127.0.0.1:{files}/\"\n\
                         listen = \"127.0.0.1:{files}\"\n"
                    );
                    peer("c.test", &["a.test"]) + to_others + &content
                }
                _ => peer("a.test", &[]) + &peer("b.test", &[]),
            };
            for (name, home, pse) in SERVICES {
                sections += &format!(
                    "[[service]]\nname = \"{name}\"\nhome = \"{home}\"\npse = \"{pse}\"\n"
                );
            }
            sections += "[home]\nfound_by = [\"id\"]\n";
            for (user, _) in USERS.iter().filter(|(_, home)| *home == domain) {
                sections += &format!("[[home.user]]\nname = \"{user}\"\npassword = \"{user}\"\n");
            }
            let folder = Folder::new();
            let text = format!(
                "[node]\ndomain = \"{domain}\"\ndata = {:?}\n\
                 [ssp]\nlisten = \"127.0.0.1:{}\"\nplain = true\n{sections}",
                folder.0.join("data"),
                ports[domain]
            );
            let config = folder.file("node.toml", &text);
            (domain, Node::start_on(folder, config))
        });
        Self {
            nodes: nodes.into_iter().collect(),
            files,
        }
    }

    fn enter(&self, user: &str) -> Person {
        let (_, home) = USERS.iter().find(|(name, _)| *name == user).unwrap();
        Person::enter(&self.nodes[home].config, user)
    }

    /// Ends a domain as a crash would, and starts it again.
    fn crash(&mut self, domain: &str) {
        self.nodes.get_mut(domain).unwrap().crash_and_restart();
    }
}
