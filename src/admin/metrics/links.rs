//! What is measured of the links to XMPP servers.

use std::collections::BTreeMap;
use std::time::Duration;

use super::text::{Row, Text};
use crate::gateway::LinkView;

/// Components, whether the XMPP server takes them, and what waits for their links; at this time by
/// the wall clock, in milliseconds.
pub(super) fn write(
    text: &mut Text,
    components: &BTreeMap<String, bool>,
    waiting: &BTreeMap<String, LinkView>,
    now: u64,
) {
    let each = || components.iter().map(|(name, it)| (name.as_str(), it));
    text.each(
        (
            "wvgate_xmpp_component_up",
            "gauge",
            "Whether the XMPP server takes the component.",
        ),
        "component",
        each(),
        |up| u8::from(*up),
    );
    let links = || waiting.iter().map(|(name, it)| (name.as_str(), it));
    let gauges: [Row<LinkView>; 2] = [
        (
            "wvgate_xmpp_link_waiting",
            "Stanzas that the component's server has not confirmed.",
            |link| link.waiting,
        ),
        ("wvgate_xmpp_link_waiting_bytes", "Bytes of them.", |link| {
            link.bytes
        }),
    ];
    for (name, help, value) in gauges {
        text.each((name, "gauge", help), "component", links(), value);
    }
    let (name, help) = (
        "wvgate_xmpp_link_oldest_seconds",
        "How long the oldest of them waits.",
    );
    text.each((name, "gauge", help), "component", links(), |link| {
        let waits = link.oldest.map_or(0, |since| now.saturating_sub(since));
        Duration::from_millis(waits).as_secs_f64()
    });
    let name = "wvgate_xmpp_confirm_seconds";
    let help = "How long stanzas waited until the component's server had confirmed them.";
    text.family(name, "histogram", help);
    for (component, link) in links() {
        text.spans(name, Some(("component", component)), &link.confirmed);
    }
}
