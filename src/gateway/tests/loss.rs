//! `docs/loss-table.md`: what becomes of each primitive, stanza and attribute, seen at a gateway that
//! is given samples of them.
//!
//! With `WVGATE_WRITE_DOCS` in the environment the table is written anew.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use super::*;
use crate::imps::presence::AttributeName;
use crate::imps::primitive::Name;
use crate::translate::tables::Rendering;

const HEAD: &str = "\
# Loss table

What becomes of what comes from one side, on the other: seen at a gateway that was given samples, so this is what the
program does. A test compares. Pairs of input and output, for one to read and to try with `wvgate translate`, are in
`tests/translate`. What an operator may change is in `mappings/`.

Nothing that a person wrote is dropped: it arrives, or its sender gets an error. What is dropped is counted by kind in
`wvgate_xmpp_silent_total`.
";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let files = fs::read_dir(root().join(folder)).unwrap();
    let files = files.map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = files
        .filter(|path| path.to_string_lossy().ends_with(ending))
        .collect();
    files.sort();
    files
}

/// The primitives in the samples of requests and notices, from the SSP side to XMPP.
fn samples() -> BTreeMap<String, Primitive> {
    let mut samples = BTreeMap::new();
    for file in files("tests/fixtures/profile", ".xml") {
        let text = fs::read_to_string(file).unwrap();
        let Some((_, inner)) = text.split_once("<Transaction ") else {
            continue;
        };
        let (_, inner) = inner.split_once('>').unwrap();
        let (inner, _) = inner.split_once("</Transaction>").unwrap();
        // All of them as somebody of the village says them.
        let is_home = inner.split_once("<Requestor").is_some_and(|(_, asker)| {
            asker
                .split_once("</")
                .is_some_and(|(asker, _)| asker.contains("home.example"))
        });
        let swapped = inner
            .replace("home.example", "HERE")
            .replace("village.example", "home.example")
            .replace("HERE", "village.example");
        // Lists are those of users of the XMPP domain.
        let inner = if is_home == is_of_lists(inner) {
            inner
        } else {
            swapped.as_str()
        };
        let read = parse(inner.trim().as_bytes(), &WIDE).ok();
        if let Some(Ok(primitive)) = read.map(|node| Primitive::read(&node)) {
            samples
                .entry(primitive.name().to_owned())
                .or_insert(primitive);
        }
    }
    samples
}

/// Whether a primitive is about lists of the user who asks.
fn is_of_lists(text: &str) -> bool {
    let name = text.trim_start().trim_start_matches('<');
    let name = name.split([' ', '>', '/']).next().unwrap_or_default();
    let facts = primitive::facts(name);
    let leaves = [
        "GCLI", "CCLI", "DCLI", "MCLS", "CALI", "DALI", "GALS", "GLBLU", "BLENT",
    ];
    facts.is_some_and(|facts| facts.kind == Kind::Request && leaves.contains(&facts.leaf))
}

/// The user who asks, in the text of a request.
fn asker(text: &str) -> Option<&str> {
    let (_, asker) = text.split_once("<Requestor")?;
    let (_, asker) = asker.split_once("userID=\"")?;
    asker.split('"').next()
}

/// What a gateway makes of a primitive.
fn of_primitive(primitive: Primitive) -> String {
    let mut world = World::settled(GatewaySettings::default());
    let text = primitive.to_xml(None);
    let user = asker(&text).filter(|_| is_of_lists(&text));
    let id = world.primitive(Some(user.unwrap_or(BOB)), primitive);
    let code = world.acts.iter().find_map(|act| match act {
        Act::Respond { to, primitive } if *to == id => Some(
            primitive
                .verdict()
                .map_or(200, |status| status.effective().0),
        ),
        _ => None,
    });
    let mut parts = shown(&world);
    parts.extend(dropped(&world));
    match code {
        Some(code) => parts.push(format!("answered {code}")),
        None if parts.is_empty() => parts.push("nothing".to_owned()),
        None => {}
    }
    parts.join(", ")
}

/// Stanzas handed out, each kind once.
fn shown(world: &World) -> Vec<String> {
    let mut kinds = Vec::new();
    for text in world.out() {
        let open = text.split('>').next().unwrap_or_default();
        let name = open
            .split(' ')
            .next()
            .unwrap_or_default()
            .trim_start_matches('<');
        let kind = open
            .split(" type='")
            .nth(1)
            .and_then(|rest| rest.split('\'').next());
        let mut line = match kind {
            Some(kind) => format!("`<{name} type='{kind}'>`"),
            None => format!("`<{name}>`"),
        };
        if let Some(condition) = condition(&text) {
            let _ = write!(line, " {condition}");
        }
        if !kinds.contains(&line) {
            kinds.push(line);
        }
    }
    kinds
}

fn condition(text: &str) -> Option<&str> {
    let before = text
        .split(" xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'")
        .next()?;
    let condition = before.rsplit('<').next()?;
    (before.len() < text.len()).then_some(condition)
}

fn dropped(world: &World) -> Vec<String> {
    let counted = world.gateway.silent().into_iter();
    let kinds = counted.filter_map(|(kind, count)| (count > 0).then_some(kind));
    kinds.map(|kind| format!("dropped ({kind})")).collect()
}

/// What a gateway makes of a stanza.
fn of_stanza(text: &str) -> String {
    let mut world = World::up(GatewaySettings::default());
    // Bob watches Alice, whom he has written to.
    world.ssp(
        Some(BOB),
        "<SubscribeRequest><UserID userID='wv:alice@home.example'/></SubscribeRequest>",
    );
    world.xmpp("<presence type='subscribed' from='alice@home.example' to='bob@village.example'/>");
    world.xmpp("<presence from='alice@home.example/y' to='bob@village.example'/>");
    super::messages::send(&mut world, "m-1", true);
    world.confirm(u64::MAX);
    world.pass(10_000);
    let before: Vec<String> = dropped(&world);
    world.xmpp(text);
    let (mut requests, mut stanzas) = (world.sent(), shown(&world));
    world.pass(3_000);
    requests.extend(world.sent());
    stanzas.extend(shown(&world));
    let mut parts: Vec<String> = Vec::new();
    for request in requests {
        let name = request
            .trim_start_matches('<')
            .split([' ', '>', '/'])
            .next();
        let name = format!("`{}`", name.unwrap_or_default());
        if !parts.contains(&name) {
            parts.push(name);
        }
    }
    parts.extend(stanzas);
    let new = dropped(&world).into_iter();
    parts.extend(new.filter(|kind| !before.contains(kind)));
    if parts.is_empty() {
        parts.push("nothing".to_owned());
    }
    parts.join(", ")
}

fn rows(out: &mut String, head: [&str; 2], rows: impl IntoIterator<Item = (String, String)>) {
    let _ = write!(out, "\n| {} | {} |\n|---|---|\n", head[0], head[1]);
    for (left, right) in rows {
        let _ = writeln!(out, "| {left} | {right} |");
    }
}

fn table() -> String {
    let mut out = HEAD.to_owned();
    let mappings = crate::translate::Mappings::built_in();

    out.push_str("\n## Primitives to XMPP\n");
    let primitives = samples().into_iter().filter(|(name, _)| {
        // Sessions and services are between neighbours, and never come here.
        primitive::facts(name).is_some_and(|facts| !matches!(facts.family, "session" | "service"))
            && !matches!(primitive::facts(name), Some(facts) if facts.kind == Kind::Response)
    });
    let primitives =
        primitives.map(|(name, primitive)| (format!("`{name}`"), of_primitive(primitive)));
    rows(&mut out, ["Primitive", "What becomes of it"], primitives);
    out.push_str(
        "\nA message is answered when the XMPP server has taken it, a question when XMPP has answered it or five \
         seconds are over.\n",
    );

    out.push_str("\n## Stanzas to SSP\n");
    let stanzas = files("tests/translate", ".in.xml")
        .into_iter()
        .filter_map(|file| {
            let name = file.file_name()?.to_string_lossy().into_owned();
            let title = name.strip_suffix(".in.xml")?.replace('-', " ");
            let text = fs::read_to_string(file).unwrap();
            let stanza = text.trim();
            (!stanza.starts_with("<WV-SSP")).then(|| (title, of_stanza(stanza)))
        });
    rows(&mut out, ["Stanza", "What becomes of it"], stanzas);

    out.push_str("\n## Presence attributes\n");
    let table = &mappings.presence;
    let asked = table.subscribed();
    let attributes = AttributeName::KNOWN.iter().map(|name| {
        let to_xmpp = match (table.shows(name), asked.get(name).is_some()) {
            (true, true) => "shown",
            (true, false) => "shown if it comes, not asked for",
            _ => "dropped: no counterpart",
        };
        let to_ssp = if table.has_value(name) {
            "from presence or PEP"
        } else {
            "told as unknown"
        };
        (
            format!("`{}`", name.as_str()),
            format!("to XMPP: {to_xmpp}; to SSP: {to_ssp}"),
        )
    });
    rows(&mut out, ["Attribute", "What becomes of it"], attributes);

    out.push_str("\n## Content of messages to XMPP\n");
    let kinds = [
        "text/plain",
        "text/html",
        "application/xhtml+xml",
        "text/x-vCard",
        "text/x-vCalendar",
        "text/*",
        "image/*",
        "audio/*",
        "video/*",
        "application/vnd.wap.mms-message",
        "application/vnd.3gpp.sms",
        "*/*",
    ];
    let kinds = kinds.into_iter().map(|kind| {
        let becomes = match mappings.content.rendering(kind) {
            Rendering::Body => "the body",
            Rendering::Html => "its text is the body, counted as degraded",
            Rendering::Plain => "its source is the body, counted as degraded",
            Rendering::File => "a link to it as a file; where there is no place for files, refused with 415",
            Rendering::FileOrPlain => {
                "a link to it as a file; where there is no place for files, its source is the body, counted as degraded"
            }
            Rendering::Refuse => "refused with 415",
        };
        (format!("`{kind}`"), becomes.to_owned())
    });
    rows(&mut out, ["Content type", "What becomes of it"], kinds);

    out.push_str("\n## Errors\n");
    let (_, status) = crate::translate::Mappings::FILES[0];
    let codes = (400..=999).map(Code).filter_map(|code| {
        let listed = format!("\n{} = ", code.0);
        if !status.contains(&listed) {
            return None;
        }
        let means = mappings.status.means(code);
        let error = mappings
            .status
            .error(code, crate::translate::Context::Message, None);
        let error = error.map_or_else(
            || "no error".to_owned(),
            |error| {
                let element = minidom::Element::from(error);
                let condition = element.children().next().map(|c| c.name().to_owned());
                format!(
                    "{} {}",
                    element.attr("type").unwrap_or_default(),
                    condition.unwrap_or_default()
                )
            },
        );
        Some((format!("{} {means}", code.0), error))
    });
    rows(&mut out, ["Status", "Error of a message in XMPP"], codes);
    out
}

#[test]
fn the_loss_table_says_what_the_gateway_does() {
    let path = root().join("docs/loss-table.md");
    let table = table();
    if std::env::var_os("WVGATE_WRITE_DOCS").is_some() {
        fs::write(&path, &table).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(written, table, "write it anew with WVGATE_WRITE_DOCS=1");
}

#[test]
fn every_primitive_between_domains_has_a_sample_in_the_loss_table() {
    let samples = samples();
    for name in Name::ALL {
        let facts = name.facts();
        let is_asked = matches!(facts.kind, Kind::Request | Kind::Notice);
        let is_for_neighbours = matches!(facts.family, "session" | "service");
        if is_asked && !is_for_neighbours {
            assert!(
                samples.contains_key(facts.name),
                "no sample of {}",
                facts.name
            );
        }
    }
}
