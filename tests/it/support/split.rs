//! Domains whose services complement each other, with two relays between them.
//!
//! ```text
//! home.example — one.test — two.test — village.example    IM, content
//!                    \          \
//!                     \          pse.example              presence, groups, contact lists
//!                      aside.test                         where everything unknown would go
//! ```
//!
//! Users of the village have their presence, groups and contact lists at the third domain, so
//! the village is at the beginning of a route to a provider (WVFF, 11, figure 4) as well
//! as at the end of one. Users of the home domain keep their own things at both, while others
//! ask about them, and write to them, at home (figure 3).

use wvgate::imps::primitive::{self, Routing};
use wvgate::sap::{Route, ServiceSet, Settings};
use wvgate::ssp::Mode;
use wvgate::ssp::envelope::Transaction;

use super::samples::{self, Sample};
use super::world::peer;

pub(crate) use super::samples::{HOME, VILLAGE};
pub(crate) const PSE: &str = "pse.example";
pub(crate) const ONE: &str = "one.test";
pub(crate) const TWO: &str = "two.test";
pub(crate) const ASIDE: &str = "aside.test";
pub(crate) const RELAYS: [&str; 2] = [ONE, TWO];
pub(crate) const ENDS: [&str; 3] = [HOME, VILLAGE, PSE];

/// Function, home domain, provider: the same at every domain.
pub(crate) const SERVICE_TABLE: &[(&str, &str, &str)] = &[
    ("*", HOME, VILLAGE),
    ("PresenceFeat", HOME, PSE),
    ("ContactListFeat", HOME, PSE),
    ("SUBPR", HOME, HOME),
    ("GETPR", HOME, HOME),
    ("SENDM", HOME, HOME),
    ("PresenceFeat", VILLAGE, PSE),
    ("ContactListFeat", VILLAGE, PSE),
    ("CommonFeat", VILLAGE, HOME),
    ("ProfileFunc", VILLAGE, HOME),
];

/// A domain, its peer, and for whom that may speak besides itself.
pub(crate) const LINKS: &[(&str, &str, &[&str])] = &[
    (HOME, ONE, &[VILLAGE, PSE]),
    (ONE, HOME, &[]),
    (ONE, TWO, &[VILLAGE, PSE]),
    (ONE, ASIDE, &[]),
    (TWO, ONE, &[HOME]),
    (TWO, VILLAGE, &[]),
    // It tells of the presence of the village's users, to users of the village too, because
    // the Service Table says so.
    (TWO, PSE, &[]),
    (VILLAGE, TWO, &[HOME, PSE]),
    (PSE, TWO, &[HOME, VILLAGE]),
];

/// A domain, the target, and the peer that leads there.
pub(crate) const ROUTES: &[(&str, &str, &str)] = &[
    (HOME, "*", ONE),
    (ONE, VILLAGE, TWO),
    (ONE, PSE, TWO),
    (ONE, "*", ASIDE),
    (TWO, HOME, ONE),
    (VILLAGE, "*", TWO),
    (PSE, "*", TWO),
];

/// The SAP's settings at one of the domains.
pub(crate) fn settings(domain: &str) -> Settings {
    let mut settings = Settings::new(domain);
    for (_, to, speaks_for) in LINKS.iter().filter(|(own, ..)| *own == domain) {
        settings = settings.with_peer(peer(to, speaks_for));
    }
    for (_, to, via) in ROUTES.iter().filter(|(own, ..)| *own == domain) {
        settings = settings.with_route(to, Route::Peer((*via).to_owned()));
    }
    if ENDS.contains(&domain) {
        settings = settings.with_route(domain, Route::Local(wvgate::home::ELEMENT));
    }
    for (function, home, pse) in SERVICE_TABLE.iter().filter(|row| is_known(row, domain)) {
        let functions = ServiceSet::named(function).unwrap();
        settings.pse.add(functions, home, pse);
    }
    settings
}

/// Whether a row stands in the table of a domain. A provider of profiles does not know that it is
/// one: else its SAP would keep what it is told, and no element would see it.
pub(crate) fn is_known((function, home, pse): &(&str, &str, &str), domain: &str) -> bool {
    *pse != domain || *home == domain || !matches!(*function, "*" | "ProfileFunc" | "CommonFeat")
}

/// The hops from one end to another.
pub(crate) fn way(from: &str, to: &str) -> Vec<(String, String)> {
    let to_middle = |end: &str| match end {
        HOME => vec![HOME, ONE, TWO],
        VILLAGE => vec![VILLAGE, TWO],
        _ => vec![PSE, TWO],
    };
    if from == to {
        return Vec::new();
    }
    let (mut way, back) = (to_middle(from), to_middle(to));
    way.extend(back.iter().rev().skip(1));
    way.windows(2)
        .map(|hop| (hop[0].to_owned(), hop[1].to_owned()))
        .collect()
}

/// The samples, told between these domains.
pub(crate) fn samples(exchanged: bool) -> Vec<Sample> {
    samples::samples(exchanged)
        .into_iter()
        .map(|sample| {
            let text = samples::text(&sample.file, exchanged);
            Sample::read(&sample.file, split(&sample, text))
        })
        .collect()
}

/// One sample, told between these domains.
pub(crate) fn sample(file: &str, exchanged: bool, change: impl Fn(String) -> String) -> Sample {
    let text = change(samples::text(file, exchanged));
    let sample = Sample::read(file, text.clone());
    Sample::read(file, split(&sample, text))
}

/// The village's groups are at the third domain (an id carries the provider's domain), and what
/// comes from them, or from the provider of the village's presence, comes from there.
fn split(sample: &Sample, text: String) -> String {
    let mut text = text;
    if sample.name() == "VerifyIDRequest" {
        // Of ids at two domains each is verified at its own.
        return text;
    }
    for group in ["party", "reading", "club"] {
        text = text.replace(&format!("/{group}@{VILLAGE}"), &format!("/{group}@{PSE}"));
    }
    let from_group = matches!(
        sample.name(),
        "SendMessageRequest" | "LeaveGroupIndication" | "GroupChangeNotice"
    ) && text.contains(PSE);
    let from_provider = matches!(
        sample.name(),
        "PresenceNotification" | "PresenceAuthRequest"
    );
    if sample.name() == "PresenceAuthRequest" && sample.from == HOME {
        // It is nobody's provider, and asks for its own users only.
        text = text.replace("salamander.example", HOME);
    }
    if sample.mode == Mode::Request && sample.from == VILLAGE && (from_group || from_provider) {
        text = text.replace(&format!("wv:@{VILLAGE}"), &format!("wv:@{PSE}"));
    }
    text
}

/// Who sends a sample: the presence of the village's users is told by its provider.
pub(crate) fn sender(sample: &Sample) -> &str {
    match sample.name() {
        "PresenceNotification" if sample.from == VILLAGE => PSE,
        _ => &sample.from,
    }
}

/// Where a sample must arrive, as the picture says it.
pub(crate) fn provider(sample: &Sample) -> String {
    let facts = primitive::facts(sample.name()).unwrap();
    let peek = Transaction::new(Mode::Request, "1", &sample.primitive).peek;
    let domain = |address: Option<&wvgate::imps::Address>| address.unwrap().domain().to_owned();
    match facts.routing {
        Routing::Group => domain(peek.group.as_ref()),
        Routing::Subject => domain(peek.subject.as_ref()),
        Routing::Service => domain(peek.about.as_ref()),
        Routing::Recipients => {
            let target = domain(peek.recipients.first().or(peek.users.first()));
            let asks_presence = facts.family == "presence" && !sample.is_notice();
            if asks_presence && target == VILLAGE {
                PSE.to_owned()
            } else {
                target
            }
        }
        Routing::Requestor => match (facts.family, sample.from.as_str()) {
            ("contact_list" | "presence_admin", _) => PSE.to_owned(),
            (_, HOME) => VILLAGE.to_owned(),
            ("common" | "profile", _) => HOME.to_owned(),
            (_, own) => own.to_owned(),
        },
        Routing::Hop => panic!("{} goes nowhere", sample.file),
    }
}
