//! Elements made from the grammar: what a writer of a version might write.

use super::particle::{Particle, Term};
use super::{Grammar, Model, Rule};
use crate::csp::element::Element;
use crate::csp::version::Version;

/// An element that was made.
pub(in crate::csp) type Made = Element<'static>;

/// Decisions, one after the other; when they are used up, everything is as small as it may be.
pub(in crate::csp) struct Tape<'t> {
    left: &'t [u32],
    /// Content has no white space at its ends.
    is_plain: bool,
}

impl<'t> Tape<'t> {
    pub(in crate::csp) fn new(left: &'t [u32]) -> Self {
        Self {
            left,
            is_plain: false,
        }
    }

    /// For tools that take white space away.
    pub(in crate::csp) fn plain(left: &'t [u32]) -> Self {
        Self {
            left,
            is_plain: true,
        }
    }

    /// A number below `bound`.
    fn below(&mut self, bound: usize) -> usize {
        let Some((first, rest)) = self.left.split_first() else {
            return 0;
        };
        self.left = rest;
        usize::try_from(*first).unwrap() % bound
    }
}

/// Children without which an element says nothing, though a version may let them be left out.
const NEEDED: &[(&str, &str)] = &[
    ("AcceptedContentType", "ContentType"),
    ("SearchPairList", "SearchElement"),
    ("SearchPairList", "SearchString"),
    ("CIRHTTPAddress", "URL"),
    ("JoinedBlocked", "UserList"),
    ("LeftBlocked", "UserList"),
    ("BlockList", "AddList"),
    ("GrantList", "AddList"),
    ("JoinGroup-Request", "JoinedRequest"),
    ("SendMessage-Request", "DeliveryReport"),
    ("WelcomeNote", "ContentType"),
];

/// Children that nobody reads.
const LEFT_OUT: &[(&str, &str)] = &[("DetailedResult", "SearchElement"), ("ClientID", "MSISDN")];

/// Lists that are only there with something in them.
const FILLED: &[&str] = &["UserIDList", "ContactListIDList", "MessageInfoList"];

/// Makes the element called `name`.
pub(in crate::csp) fn make(version: Version, name: &'static str, tape: &mut Tape<'_>) -> Made {
    Maker {
        version,
        grammar: Grammar::of(version),
    }
    .element(name, "", name == "PresenceSubList", tape)
}

struct Maker {
    version: Version,
    grammar: &'static Grammar,
}

impl Maker {
    fn element(
        &self,
        name: &'static str,
        parent: &'static str,
        presence: bool,
        tape: &mut Tape<'_>,
    ) -> Made {
        let rule = self.grammar.rule(name, presence).unwrap();
        match rule.model() {
            Model::Elements(particle) => {
                let mut names = Vec::new();
                self.names(particle, name, tape, &mut names);
                let mut children: Vec<Made> = Vec::new();
                for child in names {
                    let below = presence || child == "PresenceSubList";
                    children.push(self.element(child, name, below, tape));
                }
                // The group of those who joined is one.
                if name == "Joined" {
                    for joined in children.iter_mut().filter(|c| c.name == "ScreenName") {
                        joined.children[1].text = "wv:chess@wv.example".into();
                    }
                }
                Element::of(name, children)
            }
            Model::Empty => Element::of(name, Vec::new()),
            Model::Integer => Element::leaf(name, number(name, tape)),
            Model::Boolean => Element::leaf(name, ["F", "T"][tape.below(2)]),
            Model::Date => Element::leaf(
                name,
                ["20010925T165859Z", "19700101T000000Z", "20380119T031408Z"][tape.below(3)],
            ),
            Model::Text | Model::Any | Model::Primitive => {
                Element::leaf(name, text(name, parent, tape))
            }
        }
    }

    /// Whether the child stands there even if the rule does not ask for it.
    fn is_needed(&self, parent: &str, child: &str) -> bool {
        let older = Grammar::of(Version::V1_2).rule(parent, false);
        let older = older.map(Rule::model);
        let asked = match older {
            Some(Model::Elements(particle)) if self.version == Version::V1_3 => {
                particle.asks_for(child)
            }
            _ => false,
        };
        asked || NEEDED.contains(&(parent, child))
    }

    fn names(
        &self,
        particle: &Particle,
        parent: &'static str,
        tape: &mut Tape<'_>,
        out: &mut Vec<&'static str>,
    ) {
        let needed = match particle.term {
            Term::Name(name) if LEFT_OUT.contains(&(parent, name)) => return,
            Term::Name(name) => self.is_needed(parent, name),
            _ => false,
        };
        let least = usize::from(!particle.optional || needed || FILLED.contains(&parent));
        // One list of pairs is one pair.
        let most = match (particle.repeated, parent) {
            (true, "SearchPairList") | (false, _) => 1,
            (true, _) => least + 2,
        };
        let times = least + tape.below(most - least + 1);
        let is_optional_group = particle.optional && !matches!(particle.term, Term::Name(_));
        let times = if is_optional_group && NEEDED.iter().any(|(p, _)| *p == parent) {
            times.max(1)
        } else {
            times
        };
        for _ in 0..times {
            match &particle.term {
                Term::Name(name) => out.push(name),
                Term::Sequence(parts) => {
                    for part in parts {
                        self.names(part, parent, tape, out);
                    }
                }
                Term::Choice(parts) => {
                    let chosen = tape.below(parts.len());
                    self.names(&parts[chosen], parent, tape, out);
                }
            }
        }
    }
}

impl Particle {
    /// Whether the child must stand there.
    fn asks_for(&self, child: &str) -> bool {
        if self.optional {
            return false;
        }
        match &self.term {
            Term::Name(name) => *name == child,
            Term::Sequence(parts) => parts.iter().any(|part| part.asks_for(child)),
            Term::Choice(_) => false,
        }
    }
}

fn number(name: &str, tape: &mut Tape<'_>) -> String {
    let numbers = if name.ends_with("Port") || name == "Code" {
        [200, 0, 255, 256, 65535]
    } else {
        [7, 0, 300, 70_000, u32::MAX]
    };
    numbers[tape.below(5)].to_string()
}

fn text(name: &str, parent: &str, tape: &mut Tape<'_>) -> &'static str {
    let texts: &[&'static str] = match (name, parent) {
        ("ContentData" | "DirectContent" | "ContainedvCard", _) if tape.is_plain => {
            &["hello", "Gr\u{fc}\u{df}e <&>", "aGVsbG8="]
        }
        // Without it, nothing would be left of the client.
        ("URL", "ClientID" | "OtherServer") => &["http://a.example/", "T"],
        ("Value", "SubscribeGroupNotice-Response") => &["F", "T"],
        ("UserID" | "UnrecognizedUserID" | "ValidUserID", _) => &[
            "wv:ann@wv.example",
            "wv:+358401234567@wv.example",
            "wv:j\u{fc}rgen",
        ],
        ("GroupID", _) => &["wv:chess@wv.example", "wv:ann/chess@wv.example"],
        ("ContactList" | "DefaultContactList", _) => &["wv:ann/friends@wv.example", "wv:ann/~x"],
        ("ContentEncoding", _) => &["None", "BASE64"],
        ("DigestSchema", "Login-Request") => &["MD5", "SHA"],
        ("ContentData" | "DirectContent" | "ContainedvCard", _) => &[
            "hello",
            " two\r\n spaces ",
            "T",
            "Gr\u{fc}\u{df}e <&>",
            "aGVsbG8=",
            "\t",
        ],
        ("SearchElement", _) => &["USER_ID", "GROUP_ID", "GROUP_USER_ID_JOINED"],
        ("InviteType", _) => &["GR", "IM", "AP"],
        ("Name", _) => &["AccessType", "History", "My name", "DisplayName"],
        _ => &[
            "",
            "a text",
            "T",
            "IM",
            "SMS",
            "text/plain",
            "Gr\u{fc}\u{df}e & <b>",
            "\u{1f600}]]>",
        ],
    };
    texts[tape.below(texts.len())]
}
