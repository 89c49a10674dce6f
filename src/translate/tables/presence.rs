//! `presence.toml`: presence attributes and their values.

use std::collections::BTreeMap;

use super::rows::{MappingError, Rows};
use crate::imps::presence::{AttributeName, MOODS, PresenceSubList};

/// The table `presence.toml`: values of presence on both sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PresenceTable {
    attributes: BTreeMap<String, AttributeRow>,
    pub(in crate::translate) availability_to_xmpp: BTreeMap<String, String>,
    pub(in crate::translate) availability_to_ssp: BTreeMap<String, String>,
    pub(in crate::translate) mood_to_xmpp: BTreeMap<String, String>,
    pub(in crate::translate) mood_to_ssp: BTreeMap<String, String>,
    client_to_xmpp: BTreeMap<String, String>,
    client_to_ssp: BTreeMap<String, String>,
    pub(in crate::translate) capability: BTreeMap<String, bool>,
    language_to_xmpp: BTreeMap<String, String>,
    language_to_ssp: BTreeMap<String, String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct AttributeRow {
    subscribe: bool,
    to_xmpp: bool,
    has_value: bool,
}

const SHOWS: [&str; 6] = ["none", "chat", "dnd", "away", "xa", "unavailable"];
const AVAILABILITIES: [&str; 3] = ["AVAILABLE", "DISCREET", "NOT_AVAILABLE"];
const CLIENTS: [&str; 5] = ["MOBILE_PHONE", "COMPUTER", "PDA", "CLI", "OTHER"];
const CAPABILITIES: [&str; 10] = [
    "IM",
    "IM_ONLINE",
    "IM_OFFLINE",
    "CALL",
    "SMS",
    "MMS",
    "EMAIL",
    "AUDIO_CALL",
    "VIDEO_CALL",
    "VIDEO_STREAM",
];

/// The moods of XEP-0107 that have a value.
pub(in crate::translate) const XMPP_MOODS: [&str; 76] = [
    "happy",
    "amazed",
    "calm",
    "contented",
    "grateful",
    "hopeful",
    "impressed",
    "interested",
    "playful",
    "proud",
    "relaxed",
    "relieved",
    "satisfied",
    "surprised",
    "thankful",
    "lucky",
    "sad",
    "dejected",
    "depressed",
    "disappointed",
    "grieving",
    "hurt",
    "lonely",
    "remorseful",
    "lost",
    "sick",
    "weak",
    "angry",
    "annoyed",
    "cranky",
    "disgusted",
    "frustrated",
    "grumpy",
    "indignant",
    "mean",
    "moody",
    "offended",
    "outraged",
    "jealous",
    "envious",
    "ashamed",
    "embarrassed",
    "guilty",
    "humbled",
    "humiliated",
    "shy",
    "invincible",
    "brave",
    "confident",
    "strong",
    "in_love",
    "amorous",
    "aroused",
    "flirtatious",
    "sleepy",
    "tired",
    "intoxicated",
    "bored",
    "distracted",
    "restless",
    "neutral",
    "excited",
    "crazy",
    "creative",
    "curious",
    "spontaneous",
    "in_awe",
    "anxious",
    "afraid",
    "cautious",
    "confused",
    "dismayed",
    "nervous",
    "shocked",
    "stressed",
    "worried",
];
/// Moods of XEP-0107 that have none, and may be given one.
const MOODS_WITHOUT_VALUE: [&str; 8] = [
    "undefined",
    "cold",
    "hot",
    "hungry",
    "thirsty",
    "contemplative",
    "sarcastic",
    "serious",
];

impl PresenceTable {
    pub(super) fn read(root: &Rows<'_>) -> Result<Self, MappingError> {
        root.only(&[
            "attributes",
            "availability",
            "mood",
            "client-type",
            "capability",
            "language",
        ])?;
        let known: Vec<&str> = AttributeName::KNOWN
            .iter()
            .map(AttributeName::as_str)
            .collect();
        let rows = root.table("attributes")?;
        rows.only(&known)?;
        rows.needs(known.iter().copied(), "the presence attributes")?;
        let mut attributes = BTreeMap::new();
        for key in rows.keys() {
            let row = rows.table(&key)?;
            row.only(&["subscribe", "to-xmpp", "to-ssp"])?;
            let row = AttributeRow {
                subscribe: row.truth("subscribe")?,
                to_xmpp: row.truth("to-xmpp")?,
                has_value: row.one_of("to-ssp", &["value", "unknown"])? == "value",
            };
            attributes.insert(key, row);
        }
        let all_moods: Vec<&str> = XMPP_MOODS
            .iter()
            .chain(&MOODS_WITHOUT_VALUE)
            .copied()
            .collect();
        let languages = pairs(&root.table("language")?)?;
        let mut language_to_ssp = BTreeMap::new();
        for (three, two) in &languages {
            // Where two codes exist, the terminological one comes first by name
            // in all cases but these.
            let bibliographic = ["chi", "cze", "dut", "fre", "ger", "gre", "rum"];
            if !bibliographic.contains(&three.as_str()) {
                language_to_ssp.insert(two.clone(), three.clone());
            }
        }
        let two_way = |name: &str, to_xmpp: (&[&str], &[&str]), to_ssp: (&[&str], &[&str])| {
            let table = root.table(name)?;
            table.only(&["to-xmpp", "to-ssp"])?;
            let there = closed(&table.table("to-xmpp")?, to_xmpp.0, to_xmpp.1)?;
            let back = closed(&table.table("to-ssp")?, to_ssp.0, to_ssp.1)?;
            Ok::<_, MappingError>((there, back))
        };
        let availability: Vec<&str> = AVAILABILITIES.iter().copied().chain(["other"]).collect();
        let (availability_to_xmpp, availability_to_ssp) = two_way(
            "availability",
            (&availability, &SHOWS),
            (&SHOWS, &AVAILABILITIES),
        )?;
        let (mood_to_xmpp, mood_to_ssp) =
            two_way("mood", (&MOODS, &all_moods), (&XMPP_MOODS, &MOODS))?;
        let types = [
            "phone", "pc", "handheld", "sms", "console", "web", "bot", "game", "tablet",
        ];
        let (client_to_xmpp, client_to_ssp) =
            two_way("client-type", (&CLIENTS, &types), (&types, &CLIENTS))?;
        let capability = closed(&root.table("capability")?, &CAPABILITIES, &["im", "none"])?;
        Ok(Self {
            attributes,
            availability_to_xmpp,
            availability_to_ssp,
            mood_to_xmpp,
            mood_to_ssp,
            client_to_xmpp,
            client_to_ssp,
            capability: capability
                .into_iter()
                .map(|(k, v)| (k, v == "im"))
                .collect(),
            language_to_xmpp: languages,
            language_to_ssp,
        })
    }

    /// The attributes an XMPP user's subscription asks for.
    pub fn subscribed(&self) -> PresenceSubList {
        let wanted = AttributeName::KNOWN.iter().filter(|name| {
            self.attributes
                .get(name.as_str())
                .is_some_and(|row| row.subscribe)
        });
        PresenceSubList::request(wanted.cloned())
    }

    /// Whether an attribute has a counterpart in XMPP.
    pub fn shows(&self, name: &AttributeName) -> bool {
        self.attributes
            .get(name.as_str())
            .is_some_and(|row| row.to_xmpp)
    }

    /// Whether XMPP has a value for an attribute.
    pub fn has_value(&self, name: &AttributeName) -> bool {
        self.attributes
            .get(name.as_str())
            .is_some_and(|row| row.has_value)
    }

    /// The two-letter language code for a three-letter one, or the code itself.
    pub fn language_to_xmpp<'c>(&'c self, code: &'c str) -> &'c str {
        self.language_to_xmpp.get(code).map_or(code, String::as_str)
    }

    /// The three-letter code of an `xml:lang`, whose region and script are lost.
    pub fn language_to_ssp(&self, tag: &str) -> Option<String> {
        let language = tag.split('-').next()?.to_ascii_lowercase();
        match self.language_to_ssp.get(&language) {
            Some(code) => Some(code.clone()),
            None => (language.len() == 3).then_some(language),
        }
    }

    /// The disco identity type of a client type.
    pub fn client_to_xmpp(&self, client: &str) -> &str {
        let known = self.client_to_xmpp.get(client);
        known
            .or(self.client_to_xmpp.get("OTHER"))
            .map_or("web", String::as_str)
    }

    /// The client type of a disco identity type.
    pub fn client_to_ssp(&self, kind: &str) -> &str {
        self.client_to_ssp.get(kind).map_or("OTHER", String::as_str)
    }
}

/// A table whose keys and values are texts.
fn pairs(rows: &Rows<'_>) -> Result<BTreeMap<String, String>, MappingError> {
    let read = |key: String| Ok((key.clone(), rows.text(&key)?));
    rows.keys().into_iter().map(read).collect()
}

/// A row for each name, none for others; values from a list.
fn closed(
    rows: &Rows<'_>,
    names: &[&str],
    values: &[&str],
) -> Result<BTreeMap<String, String>, MappingError> {
    let known: Vec<&str> = if names.contains(&"happy") {
        names.iter().chain(&MOODS_WITHOUT_VALUE).copied().collect()
    } else {
        names.to_vec()
    };
    rows.only(&known)?;
    rows.needs(names.iter().copied(), "all values that exist")?;
    let read = |key: String| Ok((key.clone(), rows.one_of(&key, values)?));
    rows.keys().into_iter().map(read).collect()
}
