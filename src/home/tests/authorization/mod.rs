//! Who may see what: the rules, one by one, and all of them against a model.

mod attribute_lists;
mod model;
mod reactive;

use super::contact_list::{ask, code, make};
use super::*;
use crate::imps::common::{AttributeList, UserId};
use crate::imps::presence::PresenceSubList;
use crate::imps::primitive::presence::SubscribeRequest;
use crate::ssp::envelope::decode_fragment;

pub(super) const ZOE: &str = "zoe@far.test";

/// Attributes as a request names them.
pub(super) fn elements(names: &[&str]) -> String {
    names
        .iter()
        .map(|name| ["<", name, "/>"].concat())
        .collect()
}

/// Somebody of another domain asks to watch alice: all of her presence, or these attributes.
pub(super) fn watch(world: &mut World, watcher: &str, names: &[&str]) -> u16 {
    let inside = elements(names);
    let xml = format!(
        r#"<SubscribeRequest><UserID userID="wv:alice@home.test"/><AttributeList><PresenceSubList>{inside}</PresenceSubList></AttributeList></SubscribeRequest>"#
    );
    let domain = address(watcher).domain().to_owned();
    let request = decode_fragment(xml.as_bytes()).unwrap();
    let answer = world.deliver(&domain, Some(watcher), request);
    answer.unwrap().verdict().unwrap().code.0
}

/// What watchers were told since the last time: who, and each attribute with its value, `-` for
/// qualifier F.
pub(super) fn told(world: &mut World) -> Vec<(String, Vec<(String, String)>)> {
    let mut told = Vec::new();
    for primitive in world.sent() {
        let Primitive::PresenceNotification(notice) = primitive else {
            panic!("{primitive:?}");
        };
        let values = notice.values.iter().flat_map(|value| &value.presence);
        let values = values.flat_map(|list| &list.attributes).map(|attribute| {
            let field = attribute.fields.first().filter(|_| attribute.is_valid());
            let value = field.map_or_else(|| "-".to_owned(), |field| field.text.clone());
            (attribute.name.as_str().to_owned(), value)
        });
        let values: Vec<(String, String)> = values.collect();
        for watcher in &notice.watchers {
            told.push((watcher.user.bare().to_owned(), values.clone()));
        }
    }
    told
}

/// That somebody was told these values.
pub(super) fn one(watcher: &str, values: &[(&str, &str)]) -> (String, Vec<(String, String)>) {
    let values = values
        .iter()
        .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
    (watcher.to_owned(), values.collect())
}

/// Alice attaches an attribute list, or detaches it (`verb`: `Create`, `Delete`).
pub(super) fn attach(verb: &str, default: bool, names: &[&str], targets: &str) -> String {
    let default = if default { "Yes" } else { "No" };
    let names = elements(names);
    let list = match verb {
        "Create" => {
            format!("<AttributeList><PresenceSubList>{names}</PresenceSubList></AttributeList>")
        }
        _ => String::new(),
    };
    format!(
        r#"<{verb}AttributeListRequest defaultList="{default}">META{list}{targets}</{verb}AttributeListRequest>"#
    )
}

pub(super) fn user(user: &str) -> String {
    format!(r#"<UserID userID="wv:{user}"/>"#)
}

pub(super) fn list(name: &str) -> String {
    format!(r#"<ContactList contactListID="wv:alice/{name}@home.test"/>"#)
}

/// Alice tells of herself.
pub(super) fn update(values: &[(&str, &str)]) -> String {
    let values = values.iter().map(|(name, value)| {
        format!("<{name}><Qualifier>T</Qualifier><PresenceValue>{value}</PresenceValue></{name}>")
    });
    let values: String = values.collect();
    format!(
        r#"<UpdatePresenceRequest>META<PresenceValue userID="wv:alice@home.test"><PresenceSubList>{values}</PresenceSubList></PresenceValue></UpdatePresenceRequest>"#
    )
}

/// Alice decides.
pub(super) fn decide(about: &str, accept: bool, names: &[&str]) -> String {
    let accept = if accept { "Yes" } else { "No" };
    let names = elements(names);
    format!(
        r#"<PresenceAuthUserRequest userID="wv:{about}" acceptance="{accept}">META<AttributeList><PresenceSubList>{names}</PresenceSubList></AttributeList></PresenceAuthUserRequest>"#
    )
}
