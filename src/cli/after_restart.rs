//! What a reload leaves for the next start.

use crate::config::{Config, Duration, NodeSection, XmppSection};

/// What has changed and is not taken over by a running node: sections, and of `[ssp]` what the
/// listener is made with.
pub(super) fn after_restart(old: &Config, new: &Config) -> Vec<&'static str> {
    let (a, b) = (&old.ssp, &new.ssp);
    let listener = [
        ("ssp.listen", a.listen != b.listen),
        ("ssp.plain", a.plain != b.plain),
        ("ssp.max_message", a.max_message != b.max_message),
        ("ssp.max_depth", a.max_depth != b.max_depth),
        (
            "ssp.max_transactions",
            a.max_transactions != b.max_transactions,
        ),
        ("ssp.max_entries", a.max_entries != b.max_entries),
        ("ssp.max_text", a.max_text != b.max_text),
        (
            "ssp.max_connections",
            a.max_connections != b.max_connections,
        ),
        (
            "ssp.max_connections_per_address",
            a.max_connections_per_address != b.max_connections_per_address,
        ),
        ("ssp.max_bodies", a.max_bodies != b.max_bodies),
        ("ssp.header_timeout", a.header_timeout != b.header_timeout),
        ("ssp.body_timeout", a.body_timeout != b.body_timeout),
        ("ssp.body_pace", a.body_pace != b.body_pace),
        ("ssp.idle_timeout", a.idle_timeout != b.idle_timeout),
    ];
    let sections = [
        ("node", without_drain(old) != without_drain(new)),
        ("home", old.home != new.home),
        ("clients", old.clients != new.clients),
        ("content", old.content != new.content),
        ("xmpp", without_policies(old) != without_policies(new)),
        ("admin", old.admin != new.admin),
        ("trace", old.trace != new.trace),
        ("log.format", old.log.format != new.log.format),
    ];
    let all = listener.into_iter().chain(sections);
    all.filter_map(|(key, changed)| changed.then_some(key))
        .collect()
}

/// What of `[node]` a reload does not take over.
fn without_drain(config: &Config) -> NodeSection {
    let mut node = config.node.clone();
    node.drain_timeout = Duration::from_secs(0);
    node
}

/// What of `[xmpp]` a reload does not take over.
fn without_policies(config: &Config) -> Option<XmppSection> {
    let mut xmpp = config.xmpp.clone()?;
    xmpp.policy = Vec::new();
    Some(xmpp)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::XmppPolicy;

    #[test]
    fn what_a_reload_does_not_take_over_is_said_by_key() {
        let old = Config::example();
        assert!(after_restart(&old, &old).is_empty());
        let mut new = Config::example();
        new.ssp.max_message = crate::config::Size::kib(2048);
        new.ssp.max_queue += 1;
        new.trace.keep = Duration::from_secs(60);
        assert_eq!(after_restart(&old, &new), ["ssp.max_message", "trace"]);
        let mut new = Config::example();
        new.node.drain_timeout = Duration::from_secs(60);
        assert!(after_restart(&old, &new).is_empty());
        new.node.echo = !old.node.echo;
        assert_eq!(after_restart(&old, &new), ["node"]);
        let mut new = Config::example();
        let xmpp = new.xmpp.as_mut().unwrap();
        xmpp.policy.push(XmppPolicy::default());
        assert!(after_restart(&old, &new).is_empty());
        new.xmpp.as_mut().unwrap().muc.push("rooms.test".to_owned());
        assert_eq!(after_restart(&old, &new), ["xmpp"]);
    }
}
