//! The namespaces in which stanzas come, made one.

use xmpp_parsers::ns;
use xso::exports::rxml::{Namespace, QName};

/// Moves a stanza and those of its descendants that share its namespace (`<body/>`, `<error/>`,
/// `<show/>`, ...) to `jabber:component:accept`. Elements inside foreign payloads stay.
#[derive(Default)]
pub(super) struct Rebase {
    base: Option<Namespace<'static>>,
    depth: usize,
    foreign_from: Option<usize>,
}

impl Rebase {
    pub(super) fn start(&mut self, name: QName) -> QName {
        self.depth += 1;
        let base = self.base.get_or_insert_with(|| name.0.clone());
        if self.foreign_from.is_some() {
            return name;
        }
        let stanza = matches!(
            name.0.as_str(),
            "" | ns::JABBER_CLIENT | "jabber:server" | ns::COMPONENT_ACCEPT
        );
        if !stanza || name.0 != *base {
            self.foreign_from = Some(self.depth);
            return name;
        }
        (Namespace::from(ns::COMPONENT_ACCEPT), name.1)
    }

    pub(super) fn end(&mut self) {
        if self.foreign_from == Some(self.depth) {
            self.foreign_from = None;
        }
        self.depth = self.depth.saturating_sub(1);
    }
}
