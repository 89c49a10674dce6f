//! The dialogues in `tests/dialogues/`, played against a SAP in pretend time. One file for each
//! flow of the wire profile, so that it can be read next to the specification.
//!
//! ```text
//! # a comment
//! dialect baraza            how A speaks; `relay` puts R between A and another peer C
//! A: <...>                  the peer A posts this; it must be answered 200
//! A! 403                    the answer to what A posted last was this instead
//! B: <...>                  we post this next, to A; A acknowledges it
//! B! closed                 what we posted last was not acknowledged: closed, or a status
//! C: <...>, R: <...>        likewise: the peer C posts; we post to C
//! +250ms                    time passes
//! B- nothing                we have posted nothing that is not written here
//! ask <...>                 a user of ours asks this
//! hears 504                 ... and is answered so
//! delivered <Name>          a primitive of this name was handed to a user of ours
//! ```
//!
//! `{name}` matches anything and keeps it at its first use, and means the same from then on;
//! `{digest:name}` is the digest over what was kept. Lines that begin with white space go on.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use wvgate::imps::xml::{self, Limits, Node};
use wvgate::imps::{Code, Primitive};
use wvgate::sap::{
    Dialect, Peer, Post, Posted, Route, Settings, SpeaksFor, Verdict, transaction::recipients,
};
use wvgate::ssp::envelope::{decode_fragment, scan};

use super::support::alone::{Alone, dialect};
use super::support::peer::digest;

/// A line with its continuations.
struct Line {
    number: usize,
    text: String,
}

fn lines(text: &str) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        match lines.last_mut() {
            Some(last) if line.starts_with(' ') => {
                // Attributes and elements alike may be broken anywhere.
                if !last.text.ends_with('>') || !line.trim_start().starts_with('<') {
                    last.text.push(' ');
                }
                last.text.push_str(line.trim());
            }
            _ => lines.push(Line {
                number: number + 1,
                text: line.trim().to_owned(),
            }),
        }
    }
    lines
}

/// One dialogue under way.
struct Dialogue {
    name: String,
    alone: Alone,
    bound: BTreeMap<String, String>,
    last_verdict: Option<Verdict>,
    /// Posted, compared, and waiting for its fate.
    last_post: Option<Post>,
}

impl Dialogue {
    fn new(name: &str, dialect: Arc<Dialect>) -> Self {
        let mut relay = Peer::new("c.test", crate::support::alone::quiet());
        relay.speaks_for = SpeaksFor {
            any: true,
            domains: Vec::new(),
        };
        let settings = Settings::new("b.test")
            .with_peer(Peer::new("a.test", dialect))
            .with_peer(relay)
            .with_route("b.test", Route::Local(wvgate::home::ELEMENT));
        Self {
            name: name.to_owned(),
            alone: Alone::new(settings),
            bound: BTreeMap::new(),
            last_verdict: None,
            last_post: None,
        }
    }

    fn play(&mut self, line: &Line) {
        let place = format!("{}:{}", self.name, line.number);
        let (word, rest) = line.text.split_once(' ').unwrap_or((&line.text, ""));
        if !word.ends_with('!') {
            self.settle(&place);
        }
        match word {
            "A:" | "C:" => {
                let body = self.filled(rest, &place);
                self.last_verdict = Some(self.alone.say(&body));
                self.answer_as_home();
            }
            "A!" | "C!" => {
                let status = match self.last_verdict.take() {
                    Some(Verdict::Accepted) => "200",
                    Some(Verdict::Malformed) => "400",
                    Some(Verdict::Forbidden) => "403",
                    Some(Verdict::Busy(_)) => "503",
                    None => "nothing was posted",
                };
                assert_eq!(status, rest, "{place}");
            }
            "B:" | "R:" => {
                let to = if word == "B:" { "a.test" } else { "c.test" };
                let at = self.alone.posts.iter().position(|post| post.peer == to);
                let at = at.unwrap_or_else(|| panic!("{place}: we posted nothing to {to}"));
                let post = self.alone.posts.remove(at);
                let body = String::from_utf8_lossy(&post.body).into_owned();
                self.compare(rest, &body, &place);
                self.last_post = Some(post);
            }
            "B!" | "R!" => {
                let post = self.last_post.take().unwrap_or_else(|| panic!("{place}"));
                let outcome = match rest.parse() {
                    Ok(status) => Posted::Refused {
                        status,
                        retry_after: None,
                    },
                    Err(_) => Posted::Closed,
                };
                self.alone.posted(&post, &outcome);
            }
            "B-" => assert!(
                self.alone.posts.is_empty(),
                "{place}: {:?}",
                self.alone.posts
            ),
            "ask" => {
                let text = self.filled(rest, &place);
                let primitive = decode_fragment(text.as_bytes()).unwrap();
                self.alone.request(1, &primitive);
            }
            "hears" => {
                assert!(!self.alone.answers.is_empty(), "{place}: no answer");
                let (_, answer) = self.alone.answers.remove(0);
                let code = answer.verdict().map(|status| status.code.to_string());
                assert_eq!(code.as_deref(), Some(rest), "{place}");
            }
            "delivered" => {
                let at = self
                    .alone
                    .delivered
                    .first()
                    .map(|(_, d)| d.primitive.name().to_owned());
                assert_eq!(at.as_deref(), Some(rest), "{place}");
                self.alone.delivered.remove(0);
            }
            time if time.starts_with('+') => {
                let millis = match (time.strip_suffix("ms"), time.strip_suffix('s')) {
                    (Some(millis), _) => millis[1..].parse::<u64>(),
                    (None, Some(seconds)) => seconds[1..].parse::<u64>().map(|s| s * 1000),
                    _ => panic!("{place}: {time}"),
                };
                self.alone.pass(millis.unwrap());
            }
            other => panic!("{place}: what is {other}?"),
        }
    }

    /// What was posted is acknowledged and what was said was taken, unless the line before said
    /// otherwise.
    fn settle(&mut self, place: &str) {
        if let Some(post) = self.last_post.take() {
            self.alone.posted(&post, &Posted::Acknowledged);
        }
        if let Some(verdict) = self.last_verdict.take() {
            assert_eq!(verdict, Verdict::Accepted, "before {place}");
        }
    }

    /// Our users take everything.
    fn answer_as_home(&mut self) {
        let waiting: Vec<_> = self
            .alone
            .delivered
            .iter_mut()
            .filter_map(|(element, delivered)| {
                Some((*element, delivered.id.take()?, delivered.primitive.clone()))
            })
            .collect();
        for (element, id, primitive) in waiting {
            let answer = match &primitive {
                Primitive::SendMessageRequest(message) => recipients::answer(
                    primitive.any_name().known(),
                    message.info.message_id.as_deref(),
                    wvgate::imps::Status::ok(),
                ),
                _ => Primitive::status(Code::OK),
            };
            let now = self.alone.now;
            self.alone.sap.respond(element, id, answer, now);
        }
        self.alone.drain();
    }

    /// The text with what is known put in.
    fn filled(&self, text: &str, place: &str) -> String {
        let mut out = String::new();
        for (literal, name) in pieces(text) {
            out.push_str(literal);
            if let Some(name) = name {
                let value = self.known(name);
                out.push_str(&value.unwrap_or_else(|| panic!("{place}: what is {{{name}}}?")));
            }
        }
        out
    }

    fn known(&self, name: &str) -> Option<String> {
        match name.strip_prefix("digest:") {
            Some(name) => self.bound.get(name).map(|token| digest(token)),
            None => self.bound.get(name).cloned(),
        }
    }

    /// Compares as XML: order of attributes, white space and declarations do not count.
    fn compare(&mut self, expected: &str, found: &str, place: &str) {
        let limits = Limits::default();
        let expected_node = xml::parse(expected.as_bytes(), &limits)
            .unwrap_or_else(|error| panic!("{place}: {error}"));
        let found_node = xml::parse(found.as_bytes(), &limits).unwrap();
        let (mut expected_flat, mut found_flat) = (Vec::new(), Vec::new());
        flatten(&expected_node, "", &mut expected_flat);
        flatten(&found_node, "", &mut found_flat);
        let fits = expected_flat.len() == found_flat.len()
            && expected_flat
                .iter()
                .zip(&found_flat)
                .all(|((at, expected), (found_at, found))| {
                    at == found_at && self.matches(expected, found)
                });
        assert!(
            fits,
            "{place}: expected\n{expected}\nbut we posted\n{found}"
        );
    }

    /// Whether a value fits; keeps what stands at a new name.
    fn matches(&mut self, pattern: &str, value: &str) -> bool {
        let pieces = pieces(pattern);
        let mut rest = value;
        let mut open: Option<&str> = None;
        for (literal, name) in pieces {
            match open.take() {
                None => match rest.strip_prefix(literal) {
                    Some(after) => rest = after,
                    None => return false,
                },
                Some(new) => {
                    let at = if literal.is_empty() && name.is_none() {
                        rest.len()
                    } else {
                        match rest.find(literal) {
                            Some(at) => at,
                            None => return false,
                        }
                    };
                    self.bound.insert(new.to_owned(), rest[..at].to_owned());
                    rest = &rest[at + literal.len()..];
                }
            }
            match name.map(|name| (name, self.known(name))) {
                Some((_, Some(value))) => match rest.strip_prefix(value.as_str()) {
                    Some(after) => rest = after,
                    None => return false,
                },
                Some((name, None)) => open = Some(name),
                None => {}
            }
        }
        if let Some(new) = open {
            self.bound.insert(new.to_owned(), rest.to_owned());
            rest = "";
        }
        rest.is_empty()
    }
}

/// `a{b}c` to `(a, Some(b)), (c, None)`.
fn pieces(text: &str) -> Vec<(&str, Option<&str>)> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((literal, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').unwrap();
        pieces.push((literal, Some(name)));
        rest = after;
    }
    pieces.push((rest, None));
    pieces
}

/// Every element, attribute and text with its place, attributes in order of their names.
fn flatten(node: &Node<'_>, path: &str, out: &mut Vec<(String, String)>) {
    let path = format!("{path}/{}", node.name);
    out.push((path.clone(), String::new()));
    let mut attributes: Vec<(String, String)> = node
        .attributes
        .iter()
        .filter(|(name, _)| *name != "xmlns")
        .map(|(name, value)| (format!("{path}@{name}"), value.to_string()))
        .collect();
    attributes.sort();
    out.append(&mut attributes);
    let text = node.text.trim();
    if !text.is_empty() {
        out.push((format!("{path}#"), text.to_owned()));
    }
    for child in &node.children {
        flatten(child, &path, out);
    }
}

#[test]
fn all_dialogues_go_as_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dialogues");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let mut played = Vec::new();
    for file in files {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&file).unwrap();
        let mut lines = lines(&text);
        let mut spoken = crate::support::alone::quiet();
        if let Some(kind) = lines
            .first()
            .and_then(|line| line.text.strip_prefix("dialect "))
        {
            spoken = dialect(kind);
            lines.remove(0);
        }
        let mut dialogue = Dialogue::new(&name, spoken);
        for line in &lines {
            dialogue.play(line);
        }
        dialogue.settle(&name);
        assert!(
            dialogue.alone.posts.is_empty(),
            "{name}: {:?}",
            dialogue.alone.posts
        );
        played.push(name);
    }
    assert!(played.len() >= 8, "{played:?}");
}

#[test]
fn every_xml_line_of_a_peer_is_an_envelope() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dialogues");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        for line in lines(&std::fs::read_to_string(&path).unwrap()) {
            if let Some(body) = line.text.strip_prefix("A: ") {
                let scanned = scan(&body.to_owned().into(), &Limits::default());
                assert!(
                    scanned.is_ok(),
                    "{}:{}: {scanned:?}",
                    path.display(),
                    line.number
                );
            }
        }
    }
}
