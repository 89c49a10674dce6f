//! What is seen of an XMPP user, as WV presence attributes.

use std::collections::BTreeMap;
use std::sync::Arc;

use minidom::Element;
use xmpp_parsers::message::Message;
use xmpp_parsers::presence::{Presence, Type};

use super::avatar::{self, Hint, Told};
use super::location::{sexagesimal, zone};
pub use super::resource::Resource;
use super::resource::name_of;
use crate::imps::Address;
use crate::imps::presence::{Attribute, AttributeName as Name, Item, PresenceSubList};
use crate::text::cut;
use crate::translate::card::Photo;
use crate::translate::stanza::{child_text, ns, payload};
use crate::translate::tables::PresenceTable;

/// Resources of one user that are kept; XMPP servers allow fewer.
const MAX_RESOURCES: usize = 16;
/// The longest status that is kept whole, bytes; our choice: more than a screen shows.
pub const MAX_STATUS: usize = 1024;
/// The longest name, mood text or part of a place that is kept whole, bytes; our choice.
pub const MAX_NAME: usize = 256;
/// The longest link that is kept, bytes; a part of one leads nowhere. Our choice.
pub const MAX_LINK: usize = 2048;

/// Attributes that events publish, and end.
pub const PUBLISHED: [Name; 8] = [
    Name::TimeZone,
    Name::GeoLocation,
    Name::Address,
    Name::FreeTextLocation,
    Name::StatusText,
    Name::StatusMood,
    Name::Alias,
    Name::StatusContent,
];

/// All that is seen of one XMPP user.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Seen {
    /// By resource; only available ones.
    pub resources: BTreeMap<String, Resource>,
    /// Whether any presence was seen at all: else nothing is known.
    pub known: bool,
    /// Mood word of XEP-0107 and its text.
    pub mood: Option<(String, Option<String>)>,
    /// What the user does (XEP-0108), in words.
    #[serde(default)]
    pub activity: Option<String>,
    /// Fields of XEP-0080.
    pub location: BTreeMap<String, String>,
    /// XEP-0172, from PEP.
    pub nick: Option<String>,
    /// The picture of which was told.
    #[serde(default)]
    pub told: Option<Told>,
    /// That picture, once it is here.
    #[serde(skip)]
    pub picture: Option<Arc<Photo>>,
    /// Which item of a node of PEP it is that is seen, by node.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    items: BTreeMap<String, String>,
}

impl Seen {
    /// Takes note of presence at `now` (milliseconds); whether it was about availability.
    pub fn presence(&mut self, presence: &Presence, now: u64) -> bool {
        let resource = presence.from.as_ref().and_then(|from| from.resource());
        let resource = resource.map_or("", |resource| resource.as_str());
        match presence.type_ {
            Type::Unavailable => {
                self.known = true;
                // Without a resource all of them are meant.
                match resource {
                    "" => self.resources.clear(),
                    resource => {
                        self.resources.remove(resource);
                    }
                }
                true
            }
            Type::None => {
                self.known = true;
                let mark = payload(&presence.payloads, "x", ns::VCARD_UPDATE);
                // What is published by PEP says more, and newer, of the same.
                let is_published = self.told.as_ref().is_some_and(|told| told.is_published);
                if let Some(hint) = mark.and_then(avatar::marked).filter(|_| !is_published) {
                    self.hint(hint);
                }
                if self.resources.len() >= MAX_RESOURCES && !self.resources.contains_key(resource) {
                    let oldest = self.resources.iter().min_by_key(|(_, r)| r.at);
                    if let Some(name) = oldest.map(|(name, _)| name.clone()) {
                        self.resources.remove(&name);
                    }
                }
                self.resources
                    .insert(resource.to_owned(), Resource::of(presence, now));
                true
            }
            _ => false,
        }
    }

    /// Takes note of a PEP event; whether it was one with a meaning here.
    pub fn event(&mut self, message: &Message) -> bool {
        let event = payload(&message.payloads, "event", ns::PUBSUB_EVENT);
        let Some(what) = event.and_then(|event| event.children().next()) else {
            return false;
        };
        let node = what.attr("node").unwrap_or_default();
        let item = match what.name() {
            "items" => what.get_child("item", ns::PUBSUB_EVENT),
            "purge" | "delete" => return self.ended(node),
            // How a node is set up, or who may see it, changes nothing of what is published.
            _ => return false,
        };
        let Some(item) = item else {
            return self.retracted(node, what);
        };
        let id = item.attr("id").filter(|id| id.len() <= MAX_NAME);
        let Some(value) = item.children().next() else {
            // What is published now is not said: it is not what was seen.
            return self.ended(node);
        };
        let is_news = self.take(value);
        // Nodes of other names may be any number.
        if is_news && node == value.ns() {
            match id {
                Some(id) => self.items.insert(node.to_owned(), id.to_owned()),
                None => self.items.remove(node),
            };
        }
        is_news
    }

    /// Takes note of what is published at a node; whether it has a meaning here.
    fn take(&mut self, item: &Element) -> bool {
        match (item.name(), item.ns().as_str()) {
            ("mood", ns::MOOD) => {
                let word = item.children().find(|child| child.name() != "text");
                let text = child_text(item, "text").map(|text| cut(&text, MAX_NAME).to_owned());
                self.mood = word.map(|word| (cut(word.name(), MAX_NAME).to_owned(), text));
            }
            ("activity", ns::ACTIVITY) => self.activity = activity(item),
            ("geoloc", ns::GEOLOC) => {
                let field = |child: &Element| {
                    let text = child.text();
                    let name = cut(child.name(), MAX_NAME).to_owned();
                    (name, cut(&text, MAX_NAME).to_owned())
                };
                self.location = item.children().take(32).map(field).collect();
            }
            ("nick", ns::NICK) => {
                self.nick = name_of(&item.text());
            }
            ("metadata", ns::AVATAR_METADATA) => self.hint(avatar::published(item)),
            _ => return false,
        }
        true
    }

    /// Items of a node were taken back; whether that one was among them that is seen. An older one says
    /// nothing of what is published now.
    fn retracted(&mut self, node: &str, items: &Element) -> bool {
        let mut taken = items.children();
        let seen = self.items.get(node).map(String::as_str);
        let is_seen = taken.any(|item| {
            let is_retracted = item.is("retract", ns::PUBSUB_EVENT);
            is_retracted && (seen.is_none() || item.attr("id") == seen)
        });
        is_seen && self.ended(node)
    }

    /// What was published at a node is so no more; whether that had a meaning here.
    fn ended(&mut self, node: &str) -> bool {
        self.items.remove(node);
        match node {
            ns::MOOD => self.mood = None,
            ns::ACTIVITY => self.activity = None,
            ns::GEOLOC => self.location.clear(),
            ns::NICK => self.nick = None,
            ns::AVATAR_METADATA => self.hint(Hint::None),
            _ => return false,
        }
        true
    }

    fn hint(&mut self, hint: Hint) {
        let told = match hint {
            Hint::Some(told) => Some(told),
            Hint::None | Hint::Other => None,
        };
        let is_same = |told: &Told| self.told.as_ref().is_some_and(|own| own.id == told.id);
        if !told.as_ref().is_some_and(is_same) {
            self.picture = None;
        }
        self.told = told;
    }

    /// The picture that is to be fetched.
    pub fn wanted(&self) -> Option<&Told> {
        self.told.as_ref().filter(|_| self.picture.is_none())
    }

    /// Takes the picture of which was told; whether it is that.
    pub fn take_picture(&mut self, told: &Told, picture: &Arc<Photo>) -> bool {
        let is_it = self.wanted().is_some_and(|own| own.id == told.id);
        if is_it {
            self.picture = Some(Arc::clone(picture));
        }
        is_it
    }

    /// Leaves out the picture, which can take more than all else.
    pub fn forget_picture(&mut self) {
        self.told = None;
        self.picture = None;
    }

    /// What it takes, roughly.
    pub fn bytes(&self) -> usize {
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let mood = self
            .mood
            .as_ref()
            .map_or(0, |(word, more)| word.len() + text(more));
        let location = self
            .location
            .iter()
            .map(|(name, text)| name.len() + text.len());
        let resources = self.resources.iter().map(|(name, resource)| {
            let statuses = resource
                .statuses
                .iter()
                .map(|(l, text)| l.len() + text.len());
            let link = resource
                .link
                .as_ref()
                .map_or(0, |(url, more)| url.len() + text(more));
            name.len() + statuses.sum::<usize>() + text(&resource.nick) + link
        });
        let picture = self.picture.as_ref().map_or(0, |photo| photo.bytes.len());
        let told = self.told.as_ref().map_or(0, |told| told.id.len());
        picture
            + told
            + mood
            + text(&self.activity)
            + text(&self.nick)
            + location.sum::<usize>()
            + resources.sum::<usize>()
    }

    /// Forgets all texts; who is there and how stays.
    pub fn forget_texts(&mut self) {
        self.forget_picture();
        self.mood = None;
        self.activity = None;
        self.nick = None;
        self.location.clear();
        for resource in self.resources.values_mut() {
            resource.statuses.clear();
            resource.nick = None;
            resource.link = None;
        }
    }

    /// Presence of `user` restricted to the requested attributes; none requested
    /// means all that have a value. `language` is the watcher's.
    pub fn to_ssp(
        &self,
        table: &PresenceTable,
        user: &Address,
        requested: &[Name],
        language: Option<&str>,
    ) -> PresenceSubList {
        let names = if requested.is_empty() {
            Name::KNOWN
        } else {
            requested
        };
        let mut list = PresenceSubList::default();
        for name in names {
            let value = if table.has_value(name) {
                self.value(table, name, user, language)
            } else {
                None
            };
            match value {
                Some(attribute) => list.attributes.push(attribute),
                // Who asks for everything is not told what does not exist.
                None if requested.is_empty() || *name == Name::Alias => {}
                None => list.attributes.push(Attribute::unknown(name.clone())),
            }
        }
        list.sort();
        list
    }

    /// What PEP events have said, without availability.
    pub fn published(&self, table: &PresenceTable) -> PresenceSubList {
        let known = Self {
            known: true,
            ..self.clone()
        };
        // Of nobody in particular.
        let user = Address::new("");
        let values = PUBLISHED
            .iter()
            .filter_map(|name| known.value(table, name, &user, None));
        PresenceSubList {
            attributes: values.collect(),
        }
    }

    fn value(
        &self,
        table: &PresenceTable,
        name: &Name,
        user: &Address,
        language: Option<&str>,
    ) -> Option<Attribute> {
        if !self.known {
            return None;
        }
        let best = self.best();
        let simple = |text: &str| Some(Attribute::value(name.clone(), text));
        match name {
            Name::OnlineStatus => simple(if best.is_some() { "T" } else { "F" }),
            Name::UserAvailability => {
                let show = match best {
                    None => "unavailable",
                    Some(resource) if resource.show.is_empty() => "none",
                    Some(resource) => &resource.show,
                };
                simple(table.availability_to_ssp.get(show)?)
            }
            Name::ClientInfo => {
                let best = best?;
                let mut fields = vec![Item::text("ClientType", "COMPUTER")];
                if best.priority > 0 {
                    fields.push(Item::text("ClientIMPriority", best.priority.to_string()));
                }
                Some(Attribute::fields(name.clone(), fields))
            }
            Name::CommCap => {
                best?;
                let capability = vec![
                    Item::text("Cap", "IM"),
                    Item::text("Status", "OPEN"),
                    Item::text("Contact", user.as_str()),
                    Item::text("Note", "IM online"),
                ];
                let fields = vec![Item::of("CommC", capability)];
                Some(Attribute::fields(name.clone(), fields))
            }
            Name::StatusText => {
                let text = best.and_then(|best| status_in(&best.statuses, language));
                let mood = || {
                    let (_, text) = self.mood.as_ref()?;
                    text.as_ref().map(|text| format!("({text})"))
                };
                let activity = || best.and(self.activity.clone());
                match text.map(str::to_owned).or_else(activity).or_else(mood) {
                    Some(text) => simple(&text),
                    // An empty text clears the one before.
                    None => best.and(simple("")),
                }
            }
            Name::StatusMood => simple(table.mood_to_ssp.get(&self.mood.as_ref()?.0)?),
            Name::Alias => simple(
                self.nick
                    .as_deref()
                    .or_else(|| best?.nick.as_deref())?
                    .trim(),
            ),
            Name::PreferredLanguage => {
                let tag = best?.statuses.keys().find(|tag| !tag.is_empty())?;
                simple(&table.language_to_ssp(tag)?)
            }
            Name::InfoLink => {
                let (url, text) = best?.link.as_ref()?;
                let mut link = vec![Item::text("Link", url.as_str())];
                link.extend(text.as_ref().map(|text| Item::text("Text", text.as_str())));
                let fields = vec![Item::of("Inf_link", link)];
                Some(Attribute::fields(name.clone(), fields))
            }
            Name::TimeZone => {
                let zone = zone(self.location.get("tzo")?)?;
                let fields = vec![Item::text("Zone", zone)];
                Some(Attribute::fields(name.clone(), fields))
            }
            Name::GeoLocation => coordinates(&self.location),
            Name::Address => address(&self.location),
            Name::FreeTextLocation => simple(&words(&self.location)?),
            Name::StatusContent => Some(avatar::content(self.picture.as_ref()?)),
            _ => None,
        }
    }

    /// The resource that stands for the user: highest priority, then newest.
    fn best(&self) -> Option<&Resource> {
        self.resources.values().max_by_key(|r| (r.priority, r.at))
    }
}

/// All requested attributes as unknown: not authorized any more, or no link.
pub fn withdrawn(table: &PresenceTable, requested: &[Name]) -> PresenceSubList {
    let all = Name::KNOWN.iter().filter(|name| table.has_value(name));
    let names: Vec<Name> = if requested.is_empty() {
        all.cloned().collect()
    } else {
        requested.to_vec()
    };
    let mut list = PresenceSubList {
        attributes: names.into_iter().map(Attribute::unknown).collect(),
    };
    list.sort();
    list
}

/// "general: specific – text" of an activity (XEP-0108); nothing if it was withdrawn.
fn activity(item: &Element) -> Option<String> {
    let general = item.children().find(|child| child.name() != "text")?;
    let words = |element: &Element| cut(element.name(), MAX_NAME).replace('_', " ");
    let mut text = words(general);
    if let Some(specific) = general.children().next() {
        text = format!("{text}: {}", words(specific));
    }
    if let Some(more) = child_text(item, "text") {
        text = format!("{text} – {}", cut(&more, MAX_NAME));
    }
    Some(text)
}

fn status_in<'s>(
    statuses: &'s BTreeMap<String, String>,
    language: Option<&str>,
) -> Option<&'s str> {
    language
        .and_then(|language| statuses.get(language))
        .or_else(|| statuses.get(""))
        .or_else(|| statuses.values().next())
        .map(|text| text.trim())
        .filter(|text| !text.is_empty())
}

type Fields = BTreeMap<String, String>;

fn field<'f>(fields: &'f Fields, name: &str) -> Option<&'f str> {
    let text = fields.get(name)?.trim();
    (!text.is_empty()).then_some(text)
}

fn coordinates(fields: &Fields) -> Option<Attribute> {
    let number = |name: &str| field(fields, name)?.parse::<f64>().ok();
    let latitude = sexagesimal(number("lat")?, 90.0, ('N', 'S'))?;
    let longitude = sexagesimal(number("lon")?, 180.0, ('E', 'W'))?;
    let mut items = vec![
        Item::text("Longitude", longitude),
        Item::text("Latitude", latitude),
    ];
    for (xmpp, wv) in [("alt", "Altitude"), ("accuracy", "Accuracy")] {
        let known = number(xmpp).and(field(fields, xmpp));
        items.extend(known.map(|text| Item::text(wv, text)));
    }
    Some(Attribute::fields(Name::GeoLocation, items))
}

fn address(fields: &Fields) -> Option<Attribute> {
    let mut items = Vec::new();
    for (xmpp, wv) in [
        ("countrycode", "Country"),
        ("locality", "City"),
        ("street", "Street"),
        ("building", "Building"),
        ("area", "NamedArea"),
    ] {
        let text = field(fields, xmpp);
        let text = match wv {
            "City" => text.or_else(|| field(fields, "region")),
            _ => text,
        };
        items.extend(text.map(|text| Item::text(wv, text)));
    }
    (!items.is_empty()).then(|| Attribute::fields(Name::Address, items))
}

fn words(fields: &Fields) -> Option<String> {
    if let Some(text) = field(fields, "text").or_else(|| field(fields, "description")) {
        return Some(text.to_owned());
    }
    let parts = [field(fields, "locality"), field(fields, "country")];
    let parts: Vec<&str> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}
