//! What a user publishes: the values that watchers may be shown (presence-attributes).

use crate::imps::presence::{Attribute, AttributeName, Item, PresenceSubList};

use super::super::authorization::AttributeSet;
use super::super::core::Core;
use super::super::known::Availability;
use super::super::user::User;

/// What a user publishes.
pub(in crate::home) struct Published<'a> {
    pub(in crate::home) user: &'a User,
    pub(in crate::home) core: &'a Core,
}

impl Published<'_> {
    /// The values of these attributes, in order of emission. Some are always there, with qualifier
    /// F where they are not known; the others where the user has told them.
    pub(in crate::home) fn values(&self, attributes: AttributeSet) -> PresenceSubList {
        let known = attributes.names().filter_map(|name| self.value(name));
        let others = self.user.told.iter().flat_map(|told| told.others());
        let others = others.filter(|attribute| attributes.contains(&attribute.name));
        PresenceSubList {
            attributes: known.chain(others.cloned()).collect(),
        }
    }

    fn value(&self, name: &AttributeName) -> Option<Attribute> {
        let online = self.is_online();
        let text = |value: &Option<String>| match value {
            Some(value) => Attribute::value(name.clone(), value.clone()),
            None => Attribute::unknown(name.clone()),
        };
        Some(match name {
            AttributeName::OnlineStatus => {
                Attribute::value(name.clone(), if online { "T" } else { "F" })
            }
            AttributeName::ClientInfo => {
                let told = self.told(name);
                told.unwrap_or_else(|| self.client_info())
            }
            AttributeName::CommCap => match self.told(name) {
                Some(told) if online => told,
                _ => self.capabilities(online),
            },
            AttributeName::UserAvailability => {
                let availability = if online {
                    self.user.availability
                } else {
                    Availability::NotAvailable
                };
                Attribute::value(name.clone(), availability.as_wire())
            }
            AttributeName::StatusText => text(&self.user.account.text),
            AttributeName::StatusMood => text(&self.user.account.mood),
            AttributeName::Alias if self.user.builtin => Attribute::value(name.clone(), "Echo"),
            AttributeName::Alias => text(&self.user.account.alias),
            _ => return self.told(name),
        })
    }

    /// Whether the user is logged in: here, or where their clients are, if that domain says so.
    fn is_online(&self) -> bool {
        let elsewhere = self.user.told.as_ref();
        let elsewhere = elsewhere.and_then(|told| told.get(&AttributeName::OnlineStatus));
        self.user.is_online() || elsewhere.and_then(Attribute::truth) == Some(true)
    }

    /// What the user's clients have told, or the user whichever client they use.
    fn told(&self, name: &AttributeName) -> Option<Attribute> {
        let of_clients = self.user.client_values.merged(name);
        let told = self.user.told.as_ref().and_then(|told| told.get(name));
        of_clients.or(told).cloned()
    }

    fn client_info(&self) -> Attribute {
        let name = AttributeName::ClientInfo;
        if !self.user.is_online() {
            return Attribute::unknown(name);
        }
        Attribute::fields(
            name,
            vec![
                Item::text("ClientType", "COMPUTER"),
                Item::text("ClientProducer", "wvgate"),
            ],
        )
    }

    fn capabilities(&self, online: bool) -> Attribute {
        let capability = vec![
            Item::text("Cap", "IM"),
            Item::text("Status", if online { "OPEN" } else { "CLOSED" }),
            Item::text("Contact", self.user.address(self.core).as_str()),
            Item::text("Note", if online { "IM online" } else { "IM offline" }),
        ];
        Attribute::fields(AttributeName::CommCap, vec![Item::of("CommC", capability)])
    }
}
