//! A user's own presence, as they change it (WVFF, 5.4.3; wire profile, 11.8).

use crate::element::Time;
use crate::imps::common::{ClientId, MetaInfo};
use crate::imps::presence::{Attribute, AttributeName, Item, MOODS};
use crate::imps::primitive::presence_admin::UpdatePresenceRequest;
use crate::imps::status::{Code, DetailedResult, Status};
use crate::imps::xml::Texts;

use super::super::client::ClientKey;
use super::super::core::Core;
use super::super::known::Availability;
use super::super::records;
use super::super::user::User;
use super::{Presence, Told};

/// An attribute that a user cannot set.
const ATTRIBUTE: Code = Code(750);
/// A value that cannot be.
const VALUE: Code = Code(751);
/// Bytes of a status text or alias.
pub(in crate::home) const MAX_TEXT: usize = 1024;
/// Bytes of the name of an attribute that is not known here; our choice.
const MAX_NAME: usize = 64;
/// How a client of this node is called in `ClientID`.
const CLIENT: &str = "urn:wvgate:client:";

/// A user's own presence.
pub(in crate::home) struct OwnPresence<'a> {
    user: &'a mut User,
    core: &'a mut Core,
    now: Time,
}

impl<'a> OwnPresence<'a> {
    /// Of this user, at this time.
    pub(in crate::home) fn of(user: &'a mut User, core: &'a mut Core, now: Time) -> Self {
        Self { user, core, now }
    }

    /// Changes what the user tells of themself, at the word of this domain; what is absent stays.
    /// Nothing changes if a value cannot be. Attributes that are not the user's to tell are passed
    /// over, and named by 201.
    pub(in crate::home) fn update(&mut self, from: &str, request: UpdatePresenceRequest) -> Status {
        if self.core.at_home(&request.value.user) != self.user.address(self.core) {
            let status = Status::new(Code::INVALID_USER);
            return status.because("It is somebody else's presence.");
        }
        let list = request.value.presence.unwrap_or_default();
        if let Some(why) = list.attributes.iter().find_map(fault_of) {
            return Status::new(VALUE).because(why);
        }
        let client = self.client(request.meta.as_ref());
        let all = list.attributes.len();
        let is_elsewhere = from != self.core.domain();
        let (attributes, others): (Vec<Attribute>, Vec<Attribute>) = list
            .attributes
            .into_iter()
            .partition(|attribute| may_tell(&attribute.name, is_elsewhere));
        if let Err(why) = self.has_room(client, &attributes) {
            return Status::new(VALUE).because(why);
        }
        self.take(client, attributes);
        Presence::of(self.user, self.core, self.now).publish();
        let status = Status::new(ATTRIBUTE).because("The domain tells this by itself, or not.");
        match others.len() {
            0 => Status::ok(),
            none if none == all => status,
            _ => Status {
                details: vec![DetailedResult {
                    description: status.description,
                    ..DetailedResult::new(ATTRIBUTE)
                }],
                ..Status::new(Code::PARTIAL)
            },
        }
    }

    /// The client of this node that tells it, if that is still there.
    fn client(&self, meta: Option<&MetaInfo>) -> Option<ClientKey> {
        let client = meta?.user()?.client.as_ref()?;
        let key = client.url.strip_prefix(CLIENT)?.parse().ok()?;
        let key = ClientKey(key);
        self.user.clients.contains_key(&key).then_some(key)
    }

    fn has_room(
        &self,
        client: Option<ClientKey>,
        attributes: &[Attribute],
    ) -> Result<(), &'static str> {
        let (own, of_client) = sorted(client, attributes.iter());
        if let Some(client) = client
            && !self.user.client_values.has_room(client, &of_client)
        {
            return Err("A client cannot tell so much.");
        }
        let before = self.user.told.as_deref();
        let mut told = before.cloned().unwrap_or_default();
        for attribute in own {
            if !is_in_account(&attribute.name) {
                told.tell(attribute.clone());
            }
        }
        let (before, after) = (before.map_or(0, Told::bytes), told.bytes());
        let settings = &self.core.settings;
        let is_full = self.core.told_bytes - before + after > settings.max_all_presence_bytes;
        if after > before && (after > settings.max_presence_bytes || is_full) {
            return Err("There is no room for so much presence.");
        }
        Ok(())
    }

    fn take(&mut self, client: Option<ClientKey>, attributes: Vec<Attribute>) {
        let (own, of_client) = sorted(client, attributes.into_iter());
        for mut attribute in of_client {
            attribute.fields.retain(|field| field.name != "ClientID");
            if let Some(client) = client {
                self.user.client_values.tell(client, attribute);
            }
        }
        let mut told = *self.user.told.take().unwrap_or_default();
        let (before, bytes) = (told.clone(), told.bytes());
        let account = self.user.account.clone();
        for mut attribute in own {
            let text = attribute.simple().map(str::to_owned);
            let filled = |text: Option<String>| text.filter(|text| !text.is_empty());
            let account = &mut self.user.account;
            match &attribute.name {
                AttributeName::UserAvailability => {
                    let value = text.as_deref().and_then(Availability::from_wire);
                    self.user.availability = value.unwrap_or_default();
                }
                // An empty text is a value: it says that the former one was cleared.
                AttributeName::StatusText => account.text = text,
                AttributeName::StatusMood => {
                    account.mood = filled(text).map(|mood| mood.trim().to_ascii_uppercase());
                }
                AttributeName::Alias => account.alias = filled(text),
                _ => {
                    attribute.fields.retain(|field| field.name != "ClientID");
                    told.tell(attribute);
                }
            }
        }
        self.core.told_bytes = self.core.told_bytes - bytes + told.bytes();
        let is_empty = told.is_empty();
        if told != before {
            let name = &self.user.name;
            self.core.act(if is_empty {
                records::delete_presence(name)
            } else {
                records::put_presence(name, &told)
            });
        }
        self.user.told = (!is_empty).then(|| Box::new(told));
        if self.user.account != account {
            self.user.save(self.core);
        }
    }
}

/// How a client of this node is called where a request says which client it is of.
pub(in crate::home) fn client_id(client: ClientKey) -> ClientId {
    ClientId {
        url: format!("{CLIENT}{}", client.0),
        application: None,
    }
}

/// What is told of the user, and what of the client that tells it. What no client of this node
/// tells is of the user.
fn sorted<A: std::borrow::Borrow<Attribute>>(
    client: Option<ClientKey>,
    attributes: impl Iterator<Item = A>,
) -> (Vec<A>, Vec<A>) {
    attributes
        .partition(|attribute| client.is_none() || !attribute.borrow().name.is_client_status())
}

fn is_in_account(name: &AttributeName) -> bool {
    matches!(
        name,
        AttributeName::UserAvailability
            | AttributeName::StatusText
            | AttributeName::StatusMood
            | AttributeName::Alias
    )
}

/// Whether a user may tell an attribute. Who is logged in says the domain where that is.
fn may_tell(name: &AttributeName, is_elsewhere: bool) -> bool {
    match name {
        AttributeName::OnlineStatus => is_elsewhere,
        AttributeName::Other(name) => name.len() <= MAX_NAME,
        _ => true,
    }
}

/// Why a value of a user's own presence cannot be.
fn fault_of(attribute: &Attribute) -> Option<&'static str> {
    if !attribute.is_valid() {
        return None;
    }
    let text = attribute.simple().unwrap_or_default();
    match &attribute.name {
        AttributeName::UserAvailability if Availability::from_wire(text).is_none() => {
            Some("There is no such availability.")
        }
        AttributeName::StatusMood => {
            let mood = text.trim().to_ascii_uppercase();
            let is_known = mood.is_empty() || MOODS.contains(&mood.as_str());
            (!is_known).then_some("There is no such mood.")
        }
        AttributeName::StatusText | AttributeName::Alias if text.len() > MAX_TEXT => {
            Some("The text is too long.")
        }
        _ => {
            let is_long = attribute.fields.iter().any(has_long_text);
            is_long.then_some("A text is too long.")
        }
    }
}

/// Whether there is a text that other domains would not read.
fn has_long_text(item: &Item) -> bool {
    let is_long = !Texts::STANDARD.has_room_for(&item.text);
    is_long && !Texts::is_content(&item.name) || item.children.iter().any(has_long_text)
}
