//! Whether the node is ready: what `/ready` and `wvgate status --ready` say.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Shared;
use crate::config::ReadyPeers;

/// The owner answers within this time, or the node does not live; our choice.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// Why the node is not ready; empty if it is.
pub(super) async fn reasons(shared: &Shared) -> Vec<String> {
    let mut reasons = Vec::new();
    if let Some(error) = shared.node.stores().find_map(|store| store.health().err()) {
        reasons.push(format!("store: {error}"));
    } else if !shared.node.stores().all(|store| store.has_room()) {
        reasons.push("store: hardly any room left".to_owned());
    }
    let policy = shared.settings.ready_peers;
    let look = shared.node.ask_all(move |core, now, _| {
        let views = core.sap.peer_views();
        let down = views.iter().filter(|view| view.state != "up").count();
        let components = (core.components.clone(), core.twins.lately(now));
        (core.sap.is_closing(), components, (down, views.len()))
    });
    match tokio::time::timeout(PATIENCE, look).await {
        Ok(Ok(shards)) => {
            if shards.iter().any(|(stops, ..)| *stops) {
                reasons.push("the node is about to stop".to_owned());
            }
            for component in &shared.settings.components {
                let is_up = |up: &BTreeMap<String, bool>| up.get(component) == Some(&true);
                if !shards.iter().any(|(_, (up, _), _)| is_up(up)) {
                    reasons.push(format!("xmpp: component {component} is not connected"));
                }
                if shards
                    .iter()
                    .any(|(_, (_, twins), _)| twins.contains(component))
                {
                    reasons.push(format!(
                        "xmpp: another process is connected as component {component}"
                    ));
                }
            }
            let (mut down, mut all) = (0, 0);
            for (_, _, (of_down, of_all)) in shards {
                down += of_down;
                all += of_all;
            }
            reasons.extend(peers(down, all, policy));
        }
        Ok(Err(gone)) => reasons.push(gone.to_string()),
        Err(_) => reasons.push("the owner does not answer".to_owned()),
    }
    reasons
}

/// What `admin.ready_peers` finds wanting.
fn peers(down: usize, all: usize, policy: ReadyPeers) -> Option<String> {
    match policy {
        ReadyPeers::All if down > 0 => Some(format!("peers: {down} of {all} not up")),
        ReadyPeers::Any if all > 0 && down == all => Some("peers: none is up".to_owned()),
        _ => None,
    }
}
