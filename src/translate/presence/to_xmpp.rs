//! A WV user's presence as XMPP shows it.

use minidom::Element;
use xmpp_parsers::jid::{BareJid, Jid, ResourcePart};
use xmpp_parsers::message::{Lang, Message, MessageType};
use xmpp_parsers::presence::{Presence, Show, Type};

use super::avatar;
use super::location::{degrees, tzo};
use crate::imps::Address;
use crate::imps::common::ClientId;
use crate::imps::presence::{Attribute, AttributeName as Name, PresenceSubList};
use crate::translate::stanza::{attribute, clean, element, ns, text_element};
use crate::translate::tables::PresenceTable;
use crate::translate::{AddressError, Translator};

/// What a watcher is shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    /// One per client of the user, else one for all.
    pub presences: Vec<Presence>,
    /// PEP events: mood, location, what there is of a picture.
    pub events: Vec<Message>,
}

/// Presence of `user` for the watcher `to`.
///
/// # Errors
/// The user has no JID.
pub fn to_xmpp(
    translator: &Translator,
    user: &Address,
    list: &PresenceSubList,
    to: &Jid,
) -> Result<Shown, AddressError> {
    let table = &translator.mappings.presence;
    let list = PresenceSubList {
        attributes: list
            .attributes
            .iter()
            .filter(|attribute| table.shows(&attribute.name))
            .cloned()
            .chain(list.get(&Name::Registration).cloned())
            .collect(),
    };
    let bare = translator.jid(user)?;
    let mut presences = Vec::new();
    for client in clients(&list) {
        let resource = resource(translator, client);
        let presence = presence(table, &list, client);
        let from: Jid = match resource {
            Some(resource) => bare.with_resource(&resource).into(),
            None => bare.clone().into(),
        };
        presences.push(presence.with_from(from).with_to(to.clone()));
    }
    let current = |item: Element| ("current".to_owned(), item);
    let events = [
        mood(table, &list).map(current),
        location(&list).map(current),
        avatar::metadata(&list),
    ];
    let events = events.into_iter().flatten();
    Ok(Shown {
        presences,
        events: events
            .map(|(id, item)| event(&id, item, &bare, to))
            .collect(),
    })
}

fn resource(translator: &Translator, client: Option<&str>) -> Option<ResourcePart> {
    let default = &translator.mappings.addresses.default_resource;
    let client = ClientId {
        url: client.unwrap_or(default).to_owned(),
        application: None,
    };
    translator.resource(&client)
}

fn presence(table: &PresenceTable, list: &PresenceSubList, client: Option<&str>) -> Presence {
    let of_client = |name: Name| {
        let mut all = list.attributes.iter().filter(|a| a.name == name);
        all.find(|a| client.is_none() || a.client() == client || a.client().is_none())
    };
    let online = of_client(Name::OnlineStatus);
    let is_online = online.and_then(Attribute::truth);
    let availability = list
        .get(&Name::UserAvailability)
        .and_then(Attribute::simple);
    let mut show = availability.map(|value| {
        let row = table.availability_to_xmpp.get(value);
        row.or_else(|| table.availability_to_xmpp.get("other"))
            .map_or("none", String::as_str)
    });
    if is_online == Some(true) {
        let registered = of_client(Name::Registration).and_then(Attribute::truth);
        if registered == Some(false) && show.is_none() {
            show = Some("away");
        }
        if of_client(Name::CommCap).is_some_and(|cap| is_im_closed(table, cap)) {
            show = Some("xa");
        }
    }
    // A value that is not known (Qualifier F) shows nobody.
    let unknown = online.is_some_and(|online| online.qualifier == Some(false));
    if is_online == Some(false) || unknown || show == Some("unavailable") {
        let mut presence = Presence::new(Type::Unavailable);
        add_status(table, list, &mut presence);
        return presence;
    }
    let mut presence = Presence::available();
    presence.show = match show {
        Some("away") => Some(Show::Away),
        Some("chat") => Some(Show::Chat),
        Some("dnd") => Some(Show::Dnd),
        Some("xa") => Some(Show::Xa),
        _ => None,
    };
    let priority = of_client(Name::ClientInfo)
        .and_then(|info| info.field("ClientIMPriority")?.parse::<i32>().ok());
    if let Some(priority) = priority {
        presence = presence.with_priority(i8::try_from(priority.clamp(-128, 127)).unwrap_or(0));
    }
    add_status(table, list, &mut presence);
    if let Some(alias) = simple_text(list, &Name::Alias) {
        presence
            .payloads
            .push(text_element("nick", ns::NICK, alias));
    }
    presence.payloads.extend(link(list));
    presence.payloads.extend(avatar::mark(list));
    presence
}

fn add_status(table: &PresenceTable, list: &PresenceSubList, presence: &mut Presence) {
    let language = simple_text(list, &Name::PreferredLanguage)
        .map(|code| table.language_to_xmpp(code))
        .filter(|tag| tag.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'));
    let text = simple_text(list, &Name::StatusText)
        .map(str::to_owned)
        .or_else(|| status_content(list));
    if let Some(text) = text {
        let language = language.map_or(Lang::new(), Lang::from);
        presence.statuses.insert(language, clean(&text));
    }
}

fn is_im_closed(table: &PresenceTable, capabilities: &Attribute) -> bool {
    let table = &table.capability;
    let mut im = capabilities.fields.iter().filter(|item| {
        let name = item.child("Cap").map_or("", |cap| cap.text.as_str());
        capabilities.is_valid() && table.get(name).copied().unwrap_or(false)
    });
    let closed = |item: &crate::imps::presence::Item| {
        item.child("Status")
            .is_some_and(|status| status.text == "CLOSED")
    };
    im.clone().next().is_some() && im.all(closed)
}

fn mood(table: &PresenceTable, list: &PresenceSubList) -> Option<Element> {
    let attribute = list.get(&Name::StatusMood)?;
    attribute.qualifier?;
    let mood = element("mood", ns::MOOD);
    let Some(value) = attribute.simple().filter(|value| !value.is_empty()) else {
        return Some(mood.build());
    };
    Some(match table.mood_to_xmpp.get(value) {
        Some(name) => mood.append(element(name, ns::MOOD).build()).build(),
        None => mood
            .append(element("undefined", ns::MOOD).build())
            .append(text_element("text", ns::MOOD, value))
            .build(),
    })
}

/// The clients with an `OnlineStatus` of their own, or none in particular.
fn clients(list: &PresenceSubList) -> Vec<Option<&str>> {
    let mut clients = Vec::new();
    for attribute in &list.attributes {
        if attribute.name == Name::OnlineStatus && attribute.client().is_some() {
            let client = attribute.client();
            if !clients.contains(&client) {
                clients.push(client);
            }
        }
    }
    if clients.is_empty() {
        clients.push(None);
    }
    clients
}

fn simple_text<'l>(list: &'l PresenceSubList, name: &Name) -> Option<&'l str> {
    let text = list.get(name)?.simple()?;
    (!text.is_empty()).then_some(text)
}

/// Text content stands in where there is no status text.
fn status_content(list: &PresenceSubList) -> Option<String> {
    let content = list.get(&Name::StatusContent)?;
    let kind = content.field("ContentType")?;
    if !kind.to_ascii_lowercase().starts_with("text/plain") {
        return None;
    }
    let bytes = crate::imps::common::decode_base64(content.field("DirectContent")?)?;
    String::from_utf8(bytes).ok()
}

fn link(list: &PresenceSubList) -> Option<Element> {
    let first = list.get(&Name::InfoLink).and_then(|links| {
        let item = links.item("Inf_link")?;
        let text = item.child("Text").map(|text| text.text.as_str());
        Some((item.child("Link")?.text.as_str(), text))
    });
    let content = || {
        let content = list.get(&Name::StatusContent)?;
        let url = content
            .field("ReferredContent")
            .or(content.field("PreferredContent"))?;
        Some((url, None))
    };
    let (url, text) = first.or_else(content).filter(|(url, _)| !url.is_empty())?;
    let link = element("x", ns::OOB).append(text_element("url", ns::OOB, url));
    Some(match text {
        Some(text) => link.append(text_element("desc", ns::OOB, text)).build(),
        None => link.build(),
    })
}

fn location(list: &PresenceSubList) -> Option<Element> {
    let place = list.get(&Name::GeoLocation);
    let address = list.get(&Name::Address);
    let words = list.get(&Name::FreeTextLocation);
    if ![place, address, words]
        .into_iter()
        .flatten()
        .any(|attribute| attribute.qualifier.is_some())
    {
        return None;
    }
    let mut fields: Vec<(&str, String)> = Vec::new();
    if let Some(place) = place {
        let latitude = place.field("Latitude").and_then(|text| degrees(text, 90.0));
        let longitude = place
            .field("Longitude")
            .and_then(|text| degrees(text, 180.0));
        if let (Some(latitude), Some(longitude)) = (latitude, longitude) {
            fields.push(("lat", format!("{latitude:.6}")));
            fields.push(("lon", format!("{longitude:.6}")));
            for (wv, xmpp) in [("Altitude", "alt"), ("Accuracy", "accuracy")] {
                let number = place.field(wv).filter(|text| text.parse::<f64>().is_ok());
                fields.extend(number.map(|text| (xmpp, text.to_owned())));
            }
        }
    }
    if let Some(address) = address {
        for (wv, xmpp) in [
            ("Country", "countrycode"),
            ("City", "locality"),
            ("Street", "street"),
            ("Building", "building"),
            ("NamedArea", "area"),
        ] {
            let text = address.field(wv).filter(|text| !text.is_empty());
            fields.extend(text.map(|text| (xmpp, text.to_owned())));
        }
        let crossings: Vec<&str> = ["Crossing1", "Crossing2"]
            .iter()
            .filter_map(|name| address.field(name))
            .filter(|text| !text.is_empty())
            .collect();
        if !crossings.is_empty() {
            fields.push(("description", crossings.join(" / ")));
        }
    }
    let text = words
        .and_then(Attribute::simple)
        .filter(|text| !text.is_empty());
    fields.extend(text.map(|text| ("text", text.to_owned())));
    // A time zone alone is no location; an empty element withdraws one.
    if !fields.is_empty() {
        let zone = list
            .get(&Name::TimeZone)
            .and_then(|zone| tzo(zone.field("Zone")?));
        fields.extend(zone.map(|zone| ("tzo", zone)));
    }
    let location = fields
        .iter()
        .map(|(name, text)| text_element(name, ns::GEOLOC, text));
    Some(element("geoloc", ns::GEOLOC).append_all(location).build())
}

fn event(id: &str, item: Element, from: &BareJid, to: &Jid) -> Message {
    let node = item.ns();
    let entry = attribute(element("item", ns::PUBSUB_EVENT), "id", id).append(item);
    let items = attribute(element("items", ns::PUBSUB_EVENT), "node", &node).append(entry.build());
    let event = element("event", ns::PUBSUB_EVENT).append(items.build());
    let mut message = Message::new_with_type(MessageType::Headline, to.clone());
    message.from = Some(from.clone().into());
    message.payloads.push(event.build());
    message
}
