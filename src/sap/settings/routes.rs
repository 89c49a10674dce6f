//! Where the users of each domain are.

use std::collections::BTreeMap;

use crate::element::Element;

/// Where a request goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// Served by this node.
    Local(Element),
    /// To this peer, directly or as the next hop.
    Peer(String),
}

/// Which way leads to which domain.
#[derive(Debug, Clone, Default)]
pub struct Routes {
    exact: BTreeMap<String, Route>,
    default: Option<Route>,
    /// Domains served by this node.
    local: usize,
}

impl Routes {
    /// Adds a route; `*` is the default route.
    pub fn add(&mut self, domain: &str, route: Route) {
        let is_local = |route: &Route| matches!(route, Route::Local(_));
        self.local += usize::from(is_local(&route));
        let before = if domain == "*" {
            self.default.replace(route)
        } else {
            self.exact.insert(domain.to_ascii_lowercase(), route)
        };
        self.local -= usize::from(before.is_some_and(|route| is_local(&route)));
    }

    /// Whether this node serves any domain.
    pub fn any_local(&self) -> bool {
        self.local > 0
    }

    /// The route of a domain.
    pub fn find(&self, domain: &str) -> Option<&Route> {
        self.exact.get(domain).or(self.default.as_ref())
    }

    /// The route of a domain that was configured by name.
    pub fn find_exact(&self, domain: &str) -> Option<&Route> {
        self.exact.get(domain)
    }

    /// All routes, the default one as `*`.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Route)> {
        self.exact
            .iter()
            .map(|(domain, route)| (domain.as_str(), route))
            .chain(self.default.iter().map(|route| ("*", route)))
    }
}
