//! Whether the node is ready: what `/ready` and `wvgate status --ready` say.

use std::time::Duration;

use super::Shared;
use crate::config::ReadyPeers;
use crate::node::Core;

/// The owner answers within this time, or the node does not live; our choice.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// Why the node is not ready; empty if it is.
pub(super) async fn reasons(shared: &Shared) -> Vec<String> {
    let mut reasons = Vec::new();
    if let Err(error) = shared.node.store().health() {
        reasons.push(format!("store: {error}"));
    } else if !shared.node.store().has_room() {
        reasons.push("store: hardly any room left".to_owned());
    }
    let policy = shared.settings.ready_peers;
    let look = shared.node.ask(move |core, _, _| {
        let stops = core.sap.is_closing();
        (stops, core.components.clone(), peers(core, policy))
    });
    match tokio::time::timeout(PATIENCE, look).await {
        Ok(Ok((stops, up, peers))) => {
            if stops {
                reasons.push("the node is about to stop".to_owned());
            }
            for component in &shared.settings.components {
                if up.get(component) != Some(&true) {
                    reasons.push(format!("xmpp: component {component} is not connected"));
                }
            }
            reasons.extend(peers);
        }
        Ok(Err(gone)) => reasons.push(gone.to_string()),
        Err(_) => reasons.push("the owner does not answer".to_owned()),
    }
    reasons
}

/// What `admin.ready_peers` finds wanting.
fn peers(core: &Core, policy: ReadyPeers) -> Option<String> {
    let views = core.sap.peer_views();
    let down = views.iter().filter(|view| view.state != "up");
    let down: Vec<&str> = down.map(|view| view.domain.as_str()).collect();
    match policy {
        ReadyPeers::All if !down.is_empty() => {
            Some(format!("peers: {} of {} not up", down.len(), views.len()))
        }
        ReadyPeers::Any if !views.is_empty() && down.len() == views.len() => {
            Some("peers: none is up".to_owned())
        }
        _ => None,
    }
}
