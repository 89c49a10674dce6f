//! What must hold between sections, and between the elements of a list.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::report::Report;
use super::route::Via;
use super::ssp::ClientCertificates;
use super::xmpp::XmppMode;
use super::{Config, PeerSection, domain};

/// Each section by itself, then the sections against each other. Touches no file.
pub(super) fn check(config: &Config, report: &mut Report<'_>) {
    config.node.check(report);
    config.ssp.check(report);
    for (index, peer) in config.peer.iter().enumerate() {
        let path = format!("peer.{index}");
        peer.check(&path, report);
        check_peer(config, peer, &path, report);
    }
    check_peer_names(config, report);
    check_routes(config, report);
    for (index, service) in config.service.iter().enumerate() {
        service.check(&format!("service.{index}"), report);
    }
    if let Some(home) = &config.home {
        home.check(config.node.echo, report);
    }
    let has_users = config.home.is_some() || config.xmpp.is_some();
    config.content.check(has_users, report);
    if let Some(clients) = &config.clients {
        clients.check(config.home.is_some(), report);
    }
    if let Some(xmpp) = &config.xmpp {
        xmpp.check(config.xmpp_domain().unwrap_or_default(), report);
    }
    check_xmpp(config, report);
    config.admin.check(report);
    config.trace.check(report);
    config.log.check(report);
    check_ports(config, report);
}

fn check_peer(config: &Config, peer: &PeerSection, path: &str, report: &mut Report<'_>) {
    let own = &config.node.domain;
    let lists = [
        ("aliases", &peer.aliases),
        ("speaks_for", &peer.speaks_for),
        ("fronts", &peer.fronts),
    ];
    for (list, domains) in lists {
        if let Some(index) = domains
            .iter()
            .position(|name| name == own && !own.is_empty())
        {
            let message = format!("\"{own}\" is this node's own domain");
            report.error(&format!("{path}.{list}.{index}"), message, "remove it");
        }
    }
    check_fronts(config, peer, path, report);
    check_spoken_for(config, peer, path, report);
    if peer.domain == *own && !own.is_empty() {
        let message = format!("\"{own}\" is this node's own domain (node.domain)");
        report.error(
            &format!("{path}.domain"),
            message,
            "name the other side's domain",
        );
    }
    if peer.client_name.is_some() && config.ssp.client_certificates == ClientCertificates::None {
        let fix = "add client_certificates = \"request\" and client_ca to [ssp]";
        let message = "is never checked: peers are not asked for certificates";
        report.error(&format!("{path}.client_name"), message, fix);
    }
    if peer.allow_plain && !peer.may_be_plain() && !config.ssp.plain {
        let message = "is not needed: its addresses are https and ssp.plain is off";
        report.warn(&format!("{path}.allow_plain"), message, "remove it");
    }
    let only_plain = config.ssp.plain && config.ssp.certificate.is_none();
    if only_plain && !peer.allow_plain {
        let message = "cannot connect to this node: the listener has no certificate and this peer is not allowed plain HTTP";
        report.warn(
            path,
            message,
            "add certificate and key to [ssp], or allow_plain = true here",
        );
    }
}

/// Who is a peer of this node, or served by it, speaks for itself.
fn check_spoken_for(config: &Config, peer: &PeerSection, path: &str, report: &mut Report<'_>) {
    for (index, domain) in peer.speaks_for.iter().enumerate() {
        let key = format!("{path}.speaks_for.{index}");
        if peer.names().any(|name| name == domain) {
            let message = format!(
                "\"{domain}\" is the peer itself, which may always speak for its own users"
            );
            report.warn(&key, message, "remove it");
            continue;
        }
        let others = config
            .peer
            .iter()
            .filter(|other| other.domain != peer.domain);
        let direct = others
            .flat_map(PeerSection::names)
            .any(|name| name == domain);
        if direct {
            let message = format!(
                "\"{domain}\" is a peer of this node and speaks for itself; with this, {} may do so too",
                peer.domain
            );
            let fix = "remove it here, or the [[peer]] if it is reached only through this one";
            report.warn(&key, message, fix);
        } else if config.xmpp_domain() == Some(domain) {
            let message = format!("\"{domain}\" is the XMPP domain that this node serves");
            let fix = "remove it; or add a [[service]] with this home and the node's domain as pse, if \
                       this peer may change lists of its users";
            if !config.provides_to(domain) {
                report.error(&key, message, fix);
            }
        }
    }
}

/// What is presented to a peer lies behind us, not behind the peer.
fn check_fronts(config: &Config, peer: &PeerSection, path: &str, report: &mut Report<'_>) {
    let route = |domain: &str| config.route.iter().find(|route| route.domain == domain);
    for (index, front) in peer.fronts.iter().enumerate() {
        // Said already.
        if *front == config.node.domain {
            continue;
        }
        let key = format!("{path}.fronts.{index}");
        let mut others = config.peer.iter().flat_map(PeerSection::names);
        let direct = others.any(|name| name == front) || config.xmpp_domain() == Some(front);
        let way = route(front).or_else(|| route("*").filter(|_| !direct));
        let back = way.is_some_and(|way| matches!(&way.via, Via::Peer(via) if *via == peer.domain));
        if back || peer.names().any(|name| name == front) {
            let message = format!("\"{front}\" is reached through this very peer");
            report.error(&key, message, "remove it");
        } else if peer.fronts[..index].contains(front) {
            report.error(&key, format!("\"{front}\" is listed twice"), "remove it");
        } else if way.is_none() && !direct {
            let message = format!("nothing leads to \"{front}\"");
            let fix = format!("add [[route]] with domain = \"{front}\"");
            report.warn(&key, message, fix);
        }
    }
}

/// No name may belong to two peers, nor to a peer and to the XMPP side.
fn check_peer_names(config: &Config, report: &mut Report<'_>) {
    let mut owners: BTreeMap<&str, String> = BTreeMap::new();
    for (index, peer) in config.peer.iter().enumerate() {
        for (nth, name) in peer
            .names()
            .enumerate()
            .filter(|(_, name)| !name.is_empty())
        {
            let path = match nth {
                0 => format!("peer.{index}.domain"),
                _ => format!("peer.{index}.aliases.{}", nth - 1),
            };
            if let Some(first) = owners.get(name) {
                let message = format!("\"{name}\" is a peer already{}", report.line(first));
                report.error(&path, message, "remove one of them");
            } else if config.xmpp_domain() == Some(name) && *name != config.node.domain {
                let message = format!("\"{name}\" is the domain of the XMPP side (xmpp.domain)");
                report.error(
                    &path,
                    message,
                    "reach a domain by SSP or by XMPP, not by both",
                );
            }
            owners.entry(name).or_insert(path);
        }
    }
}

fn check_routes(config: &Config, report: &mut Report<'_>) {
    let mut first_of: BTreeMap<&str, String> = BTreeMap::new();
    for (index, route) in config.route.iter().enumerate() {
        let key = format!("route.{index}.domain");
        if route.domain != "*" {
            if route.domain.starts_with("*.") {
                let message = format!("\"{}\" is not a domain", route.domain);
                report.error(&key, message, "write each domain, or \"*\" for all others");
            } else {
                report.domain(&key, &route.domain);
            }
        }
        if let Some(first) = first_of
            .get(route.domain.as_str())
            .filter(|_| !route.domain.is_empty())
        {
            let line = report.line(first);
            report.error(
                &key,
                format!("\"{}\" has a route already{line}", route.domain),
                "remove one of them",
            );
        }
        first_of.entry(&route.domain).or_insert(key.clone());
        check_via(config, &route.via, &format!("route.{index}.via"), report);
        let own = &config.node.domain;
        if route.domain == *own && !own.is_empty() {
            let is_right = match route.via {
                Via::Local => true,
                Via::Xmpp => config.home.is_none(),
                Via::Peer(_) => false,
            };
            if !is_right {
                let message =
                    format!("\"{own}\" is this node's own domain and cannot be routed elsewhere");
                report.error(&key, message, "remove the route");
            }
        }
    }
}

fn check_via(config: &Config, via: &Via, key: &str, report: &mut Report<'_>) {
    match via {
        Via::Local if config.home.is_none() => {
            report.error(
                key,
                "\"local\" needs the home domain",
                "add [home], or name a peer",
            );
        }
        Via::Xmpp if config.xmpp.is_none() => {
            report.error(
                key,
                "\"xmpp\" needs the gateway",
                "add [xmpp], or name a peer",
            );
        }
        Via::Local | Via::Xmpp => {}
        Via::Peer(name) if name.is_empty() => {
            report.error(
                key,
                "missing",
                "add via = \"...\": a peer's domain, \"local\" or \"xmpp\"",
            );
        }
        Via::Peer(name) if config.peer.iter().any(|peer| peer.domain == *name) => {}
        Via::Peer(name) => {
            let domains: Vec<&str> = config
                .peer
                .iter()
                .map(|peer| peer.domain.as_str())
                .collect();
            let by_alias = config.peer.iter().find(|peer| peer.aliases.contains(name));
            let meant = by_alias
                .map(|peer| peer.domain.as_str())
                .or_else(|| super::suggest::nearest(name, &domains));
            let fix = match meant {
                Some(meant) => format!("did you mean \"{meant}\"?"),
                None => format!("add a [[peer]] with domain = \"{name}\""),
            };
            report.error(key, format!("there is no peer \"{name}\""), fix);
        }
    }
}

fn check_xmpp(config: &Config, report: &mut Report<'_>) {
    let Some(xmpp) = &config.xmpp else { return };
    let own = &config.node.domain;
    if config.home.is_some() && config.xmpp_domain() == Some(own) && !own.is_empty() {
        let message = format!("[home] and [xmpp] would both answer for users of \"{own}\"");
        let fix = "name the XMPP server's domain by domain = \"...\", or remove [home]";
        report.error("xmpp.domain", message, fix);
    }
    if xmpp.mode == XmppMode::Gateway {
        return;
    }
    for (index, component) in xmpp.component.iter().enumerate() {
        let name = component.domain.as_str();
        let is_routed = config
            .route
            .iter()
            .any(|route| route.domain == name || route.domain == "*");
        let is_peer = config
            .peer
            .iter()
            .any(|peer| peer.names().any(|other| other == name));
        let is_home = config.home.is_some() && name == own;
        if domain::is_domain(name) && !is_routed && !is_peer && !is_home {
            let message =
                format!("no route leads to \"{name}\": what XMPP users send there finds no way on");
            let fix = format!("add a [[route]] with domain = \"{name}\"");
            report.warn(&format!("xmpp.component.{index}.domain"), message, fix);
        }
    }
}

/// Checks that no two listeners have the same port.
fn check_ports(config: &Config, report: &mut Report<'_>) {
    if let Some(admin) = config.admin.listen
        && collide(config.ssp.listen, admin)
    {
        let message = format!(
            "\"{admin}\" is taken by ssp.listen{}",
            report.line("ssp.listen")
        );
        report.error("admin.listen", message, "give one of them another port");
    }
    let content = config
        .content
        .url
        .is_some()
        .then_some(config.content.listen);
    let clients = config.clients.as_ref();
    let mut taken = vec![
        ("ssp.listen", Some(config.ssp.listen)),
        ("admin.listen", config.admin.listen),
    ];
    let further = [
        ("content.listen", content),
        ("clients.listen", clients.map(|clients| clients.listen)),
        (
            "clients.wake_listen",
            clients.and_then(|clients| clients.wake_listen),
        ),
        (
            "clients.clp.listen",
            clients.and_then(|clients| Some(clients.clp.as_ref()?.listen)),
        ),
    ];
    for (own, listen) in further {
        for (key, other) in &taken {
            if let (Some(listen), Some(other)) = (listen, *other)
                && collide(listen, other)
            {
                let message = format!("\"{listen}\" is taken by {key}{}", report.line(key));
                report.error(own, message, "give one of them another port");
            }
        }
        taken.push((own, listen));
    }
    let Some(xmpp) = &config.xmpp else { return };
    let listeners = [
        ("ssp.listen", Some(config.ssp.listen)),
        ("admin.listen", config.admin.listen),
    ];
    let of_components = xmpp
        .component
        .iter()
        .enumerate()
        .filter_map(|(index, component)| {
            let key = format!("xmpp.component.{index}.server");
            Some((key, component.server.as_ref()?))
        });
    let servers = std::iter::once(("xmpp.server".to_owned(), &xmpp.server)).chain(of_components);
    for (at, server) in servers {
        let Ok(server) = server.parse::<SocketAddr>() else {
            continue;
        };
        let is_own = |listener: SocketAddr| server.ip().is_loopback() && collide(listener, server);
        for (key, listener) in listeners {
            if listener.is_some_and(is_own) {
                let message = format!("\"{server}\" is this node's own {key}{}", report.line(key));
                let fix = "write the XMPP server's component port, or give the listener another";
                report.error(&at, message, fix);
            }
        }
    }
}

/// Whether both cannot be bound on one machine; port 0 is chosen by the system.
fn collide(a: SocketAddr, b: SocketAddr) -> bool {
    let overlap = a.ip() == b.ip() || a.ip().is_unspecified() || b.ip().is_unspecified();
    a.port() == b.port() && a.port() != 0 && overlap
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Located;

    #[test]
    fn who_speaks_for_somebody_who_speaks_for_himself_is_told() {
        let mut config = Config::example();
        let other = PeerSection {
            domain: "oldtown.test".to_owned(),
            aliases: vec!["old.test".to_owned()],
            ..PeerSection::default()
        };
        config.peer.push(other);
        config.peer[0].speaks_for = ["old.test", "village.test", "behind.test", "xmpp.test"]
            .map(str::to_owned)
            .to_vec();
        let (problems, warnings) = config.validate(&Located::default());
        let all: Vec<String> = problems
            .iter()
            .chain(&warnings)
            .filter(|problem| problem.key.contains("speaks_for"))
            .map(ToString::to_string)
            .collect();
        let told = |domain: &str, what: &str| {
            let name = format!("\"{domain}\"");
            let is = |line: &&String| line.contains(&name) && line.contains(what);
            all.iter().any(|line| is(&line))
        };
        assert_eq!(all.len(), 3, "{all:?}");
        assert!(told("old.test", "speaks for itself"), "{all:?}");
        assert!(told("village.test", "is the peer itself"), "{all:?}");
        assert!(told("xmpp.test", "that this node serves"), "{all:?}");
    }
}
