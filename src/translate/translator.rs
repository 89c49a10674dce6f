//! Who is where, and by which tables: `Translator`, with the addresses of both sides,
//! `wv:user@domain` and JID (xmpp-mapping, 1 and 2).
//!
//! | | mode `Names` | mode `Gateway` |
//! |---|---|---|
//! | `wv:bob@village.example` | `bob@village.example` | `bob\40village.example@imps.D` |
//! | `wv:alice@D` | `alice@D` | `alice@D` |
//! | `wv:alice%25E@imps.D` | | `alice@E` |
//! | `wv:bob/party@village.example` | `bob\2fparty@village.example` | `bob\2fparty\40village.example@imps.D` |
//! | `wv:/club@D` | `club@conference.D` | `club@conference.D` |

use std::fmt::Write as _;
use std::sync::Arc;

use sha1::{Digest, Sha1};
use xmpp_parsers::jid::{BareJid, DomainPart, Jid, NodePart, ResourcePart};

use super::address::{AddressError, to_ssp_domain, to_xmpp_domain};
use super::escape::{escape, is_phone_number, percent_decode, percent_encode, unescape};
use super::stanza::clean;
use super::tables::Mappings;
use crate::imps::Address;
use crate::imps::address::Kind;
use crate::imps::common::{ClientId, ScreenName, User};
use crate::text::shown::steers;

/// How users of the other side are named (xmpp-mapping, 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Mode H: the same names on both sides; each SSP domain is a component.
    #[default]
    Names,
    /// Mode G: all SSP users appear below one component.
    Gateway,
}

/// What every translation needs to know: who is where, and the tables.
#[derive(Debug, Clone)]
pub struct Translator {
    /// How users are named.
    pub mode: Mode,
    /// The XMPP domain whose users appear in SSP under their own names (D).
    pub domain: String,
    /// In mode `Names` the SSP domains that appear in XMPP, in mode `Gateway`
    /// the one domain below which everybody appears; as XMPP writes them.
    pub components: Vec<String>,
    /// Room services of the XMPP domain; the rooms of the first have the short
    /// form of address (section 2.3).
    pub muc: Vec<String>,
    /// The tables of `mappings/`.
    pub mappings: Arc<Mappings>,
}

impl Translator {
    /// With the built-in tables, in mode `Names`, and the customary room service.
    pub fn new(domain: &str, components: &[&str]) -> Self {
        Self {
            mode: Mode::Names,
            domain: domain.to_lowercase(),
            components: components.iter().map(|c| to_xmpp_domain(c)).collect(),
            muc: vec![format!("conference.{}", domain.to_lowercase())],
            mappings: Arc::new(Mappings::built_in()),
        }
    }

    /// The same in the given mode.
    #[must_use]
    pub fn in_mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// The gateway's own component in mode `Gateway`, empty if there is none.
    fn gateway_domain(&self) -> &str {
        self.components.first().map_or("", String::as_str)
    }

    /// The JID of a user, group or service (sections 2.1 and 2.3).
    ///
    /// # Errors
    /// The address is malformed, or no JID can be made of it.
    pub fn jid(&self, address: &Address) -> Result<BareJid, AddressError> {
        let bad = || AddressError::Malformed(address.to_string());
        let domain = address.domain();
        if domain.is_empty() || address.local().matches('/').count() > 1 {
            return Err(bad());
        }
        let user = self.user_of(address.user_part());
        let resource = address.resource_part().map(percent_decode);
        // In a JID of the SSP side an escaped slash tells a group from a user.
        let is_xmpp_user = resource.is_none() && self.is_xmpp(address);
        if resource.as_deref() == Some("") || user.contains('/') && !is_xmpp_user {
            return Err(bad());
        }
        if domain == self.own_ssp_domain() {
            if let Some(resource) = resource {
                return self.local_room(&user, &resource).ok_or_else(bad);
            }
            return self.bare(&user, &self.domain).ok_or_else(bad);
        }
        let local = match &resource {
            Some(resource) => format!("{user}/{resource}"),
            None => user.clone(),
        };
        match self.mode {
            Mode::Names => self.bare(&local, domain).ok_or_else(bad),
            Mode::Gateway if domain == self.gateway_ssp_domain() => {
                if user.is_empty() && resource.is_none() {
                    return self.bare("", self.gateway_domain()).ok_or_else(bad);
                }
                let (user, home) = user
                    .rsplit_once('%')
                    .filter(|(_, home)| !home.is_empty() && resource.is_none())
                    .ok_or_else(|| AddressError::Foreign(address.to_string()))?;
                self.bare(user, home).ok_or_else(bad)
            }
            Mode::Gateway => {
                let local = format!("{local}@{domain}");
                self.bare(&local, self.gateway_domain()).ok_or_else(bad)
            }
        }
    }

    /// The JID of a user at their client, for delivery: bare if no client
    /// is named (section 2.5).
    ///
    /// # Errors
    /// As [`Translator::jid`].
    pub fn jid_of(&self, user: &User) -> Result<Jid, AddressError> {
        let bare = self.jid(&user.user)?;
        Ok(match user.client.as_ref().and_then(|c| self.resource(c)) {
            Some(resource) => bare.with_resource(&resource).into(),
            None => bare.into(),
        })
    }

    /// The JID from which a user's presence and messages come: never bare.
    ///
    /// # Errors
    /// As [`Translator::jid`].
    pub fn jid_from(&self, user: &User) -> Result<Jid, AddressError> {
        let jid = self.jid_of(user)?;
        if jid.is_full() {
            return Ok(jid);
        }
        jid.to_bare()
            .with_resource_str(&self.mappings.addresses.default_resource)
            .map(Into::into)
            .map_err(|_| AddressError::Malformed(user.user.to_string()))
    }

    /// The JID of an occupant of a room: `room/nick` (section 2.4).
    ///
    /// # Errors
    /// The room has no JID, or preparation would change the nickname.
    pub fn occupant(&self, name: &ScreenName) -> Result<Jid, AddressError> {
        let room = self.jid(&name.group)?;
        let nick = clean(name.name.trim());
        let occupant = room.with_resource_str(&nick).ok();
        // What preparation changes is another occupant's name.
        occupant
            .filter(|jid| jid.resource().as_str() == nick && !nick.contains(steers))
            .map(Into::into)
            .ok_or_else(|| AddressError::Malformed(name.name.clone()))
    }

    /// The WV address of a JID, without its resource (section 2.2).
    ///
    /// # Errors
    /// The local part cannot be undone.
    pub fn address(&self, jid: &Jid) -> Result<Address, AddressError> {
        self.address_of(jid, false)
    }

    /// The WV address of a room, in which some servers write another character
    /// for `/` (section 2.3).
    ///
    /// # Errors
    /// The local part cannot be undone.
    pub fn group(&self, jid: &Jid) -> Result<Address, AddressError> {
        self.address_of(jid, true)
    }

    fn address_of(&self, jid: &Jid, is_group: bool) -> Result<Address, AddressError> {
        let bad = || AddressError::Malformed(jid.to_string());
        let table = &self.mappings.addresses;
        let domain = to_ssp_domain(jid.domain().as_str());
        let local = match jid.node() {
            Some(node) => {
                let local = unescape(node.as_str(), table).to_lowercase();
                // Mapped back it would be another user's.
                if escape(&local, table) != node.as_str() {
                    return Err(bad());
                }
                local
            }
            None => String::new(),
        };
        if local.starts_with(' ') || local.ends_with(' ') || local.contains(steers) {
            return Err(bad());
        }
        if self.is_muc(&domain) {
            return self.room_address(&local, &domain).ok_or_else(bad);
        }
        if domain == self.own_ssp_domain() {
            let user = percent_encode(&local, table);
            return Ok(Address::user(&user, &domain));
        }
        match self.mode {
            Mode::Gateway if domain == self.gateway_ssp_domain() => {
                if local.is_empty() {
                    return Ok(Address::service(&domain));
                }
                let (local, home) = local
                    .rsplit_once('@')
                    .filter(|(_, home)| !home.is_empty())
                    .ok_or_else(|| AddressError::Foreign(jid.to_string()))?;
                let home = to_ssp_domain(home);
                if home == domain || home == self.own_ssp_domain() {
                    return Err(AddressError::Foreign(jid.to_string()));
                }
                self.remote(local, &home, is_group).ok_or_else(bad)
            }
            Mode::Gateway => {
                let user = percent_encode(&format!("{local}%{domain}"), table);
                Ok(Address::user(&user, &self.gateway_ssp_domain()))
            }
            Mode::Names => self.remote(&local, &domain, is_group).ok_or_else(bad),
        }
    }

    /// The user of a JID, with the client unless the JID is bare.
    ///
    /// # Errors
    /// As [`Translator::address`].
    pub fn user(&self, jid: &Jid) -> Result<User, AddressError> {
        let mut user = User::new(self.address(jid)?);
        user.client = jid.resource().map(|resource| ClientId {
            url: resource.to_string(),
            application: None,
        });
        Ok(user)
    }

    /// The resource for a client: its URL if that can be a resource, else a
    /// digest of it, which the caller must remember if it is to come back.
    pub fn resource(&self, client: &ClientId) -> Option<ResourcePart> {
        let text = match &client.application {
            Some(id) => format!("{}{id}", self.mappings.addresses.application_prefix),
            None => client.url.clone(),
        };
        if text.is_empty() {
            return None;
        }
        match ResourcePart::new(&text) {
            Ok(resource) if resource.as_str() == text => Some(resource.into_owned()),
            _ => {
                let mut name = String::with_capacity(16);
                for byte in &Sha1::digest(text.as_bytes())[..8] {
                    let _ = write!(name, "{byte:02x}");
                }
                ResourcePart::new(&name)
                    .ok()
                    .map(std::borrow::Cow::into_owned)
            }
        }
    }

    /// Whether the JID names a room, as far as its form tells (section 2.3).
    pub fn is_room(&self, jid: &Jid) -> bool {
        self.is_muc(jid.domain().as_str())
            || jid
                .node()
                .is_some_and(|node| unescape(node.as_str(), &self.mappings.addresses).contains('/'))
    }

    /// Whether the address is one of the XMPP network, not of the SSP side.
    pub fn is_xmpp(&self, address: &Address) -> bool {
        let domain = address.domain();
        domain == self.own_ssp_domain()
            || self.mode == Mode::Gateway && domain == self.gateway_ssp_domain()
    }

    /// The JID of somebody over there whose address a person has typed; `None` if it is no address of
    /// the SSP side.
    pub fn typed(&self, text: &str) -> Option<BareJid> {
        let address = Address::new(text.trim());
        let is_one = address.is_valid()
            && address.kind() != Kind::Service
            && !self.is_xmpp(&address)
            && self.component_of(&address).is_some();
        is_one.then(|| self.jid(&address).ok()).flatten()
    }

    /// The component through which a user of the SSP side speaks, if there is one.
    pub fn component_of(&self, address: &Address) -> Option<&str> {
        match self.mode {
            Mode::Gateway => self.components.first(),
            Mode::Names => self
                .components
                .iter()
                .find(|component| to_ssp_domain(component) == address.domain()),
        }
        .map(String::as_str)
    }

    /// A nickname as the WV side can have it (section 2.4).
    pub fn screen_name(&self, nick: &str) -> String {
        let forbidden = |c: char| if steers(c) { '_' } else { c };
        let mut name: String = nick.trim().chars().map(forbidden).collect();
        let mut most = self.mappings.addresses.nickname_bytes.min(name.len());
        while !name.is_char_boundary(most) {
            most -= 1;
        }
        name.truncate(most);
        name
    }

    /// The own domain as SSP writes it.
    pub fn own_ssp_domain(&self) -> String {
        to_ssp_domain(&self.domain)
    }

    fn gateway_ssp_domain(&self) -> String {
        to_ssp_domain(self.gateway_domain())
    }

    /// The component of that domain, in whichever form it is written.
    pub fn component_named(&self, domain: &str) -> Option<&str> {
        let domain = to_ssp_domain(domain);
        let mut components = self.components.iter();
        components
            .find(|component| to_ssp_domain(component) == domain)
            .map(String::as_str)
    }

    fn is_muc(&self, domain: &str) -> bool {
        self.muc
            .iter()
            .any(|muc| to_ssp_domain(muc) == to_ssp_domain(domain))
    }

    /// What a user part says: a phone number without what people put into it, or a name. A `+`
    /// that is percent-coded begins no number.
    fn user_of(&self, part: &str) -> String {
        if part.starts_with('+') {
            let separators = &self.mappings.addresses.phone_separators;
            let bare: String = part.chars().filter(|c| !separators.contains(c)).collect();
            if is_phone_number(&bare) {
                return bare;
            }
        }
        percent_decode(part)
    }

    fn bare(&self, local: &str, domain: &str) -> Option<BareJid> {
        let domain = DomainPart::new(&to_xmpp_domain(domain)).ok()?.into_owned();
        if local.is_empty() {
            return Some(BareJid::from_parts(None, &domain));
        }
        let escaped = escape(&local.to_lowercase(), &self.mappings.addresses);
        if escaped.starts_with("\\20") || escaped.ends_with("\\20") || local.contains(steers) {
            return None;
        }
        let node = NodePart::new(&escaped).ok()?;
        // What preparation changes is another user's: ß is ss there.
        if node.as_str() != escaped {
            return None;
        }
        Some(BareJid::from_parts(Some(&node), &domain))
    }

    /// `None` for a group without a name.
    fn remote(&self, local: &str, domain: &str, is_group: bool) -> Option<Address> {
        let table = &self.mappings.addresses;
        let split = local.split_once('/').or_else(|| {
            let separator = is_group.then(|| local.find(table.group_separators.as_slice()))??;
            let width = local[separator..].chars().next().map_or(1, char::len_utf8);
            Some((&local[..separator], &local[separator + width..]))
        });
        match split {
            Some((_, "")) => None,
            Some((user, resource)) => Some(Address::resource_of(
                &percent_encode(user, table),
                &percent_encode(resource, table),
                domain,
            )),
            None => Some(Address::user(&percent_encode(local, table), domain)),
        }
    }

    fn local_room(&self, owner: &str, name: &str) -> Option<BareJid> {
        if !owner.is_empty() {
            return self.bare(&format!("{owner}/{name}"), self.muc.first()?);
        }
        if let Some((room, service)) = self.of_further_service(name) {
            return self.bare(room, service);
        }
        // A slash in the JID tells the room of an owner.
        match owner_and_room(name) {
            Some(_) => None,
            None => self.bare(name, self.muc.first()?),
        }
    }

    /// `None` for a room whose address would be another's.
    fn room_address(&self, local: &str, domain: &str) -> Option<Address> {
        let table = &self.mappings.addresses;
        let own = self.own_ssp_domain();
        let first = self.muc.first();
        if first.is_none_or(|muc| to_ssp_domain(muc) != domain) {
            let name = percent_encode(&format!("{local}@{domain}"), table);
            return Some(Address::resource_of("", &name, &own));
        }
        if let Some((owner, name)) = owner_and_room(local) {
            let owner = percent_encode(owner, table);
            return Some(Address::resource_of(
                &owner,
                &percent_encode(name, table),
                &own,
            ));
        }
        if local.is_empty() || self.of_further_service(local).is_some() {
            return None;
        }
        Some(Address::resource_of(
            "",
            &percent_encode(local, table),
            &own,
        ))
    }

    /// The room and the service of a name that carries both: those of all room services but the
    /// first do.
    fn of_further_service<'n>(&self, name: &'n str) -> Option<(&'n str, &'n str)> {
        let (room, service) = name.rsplit_once('@')?;
        let mut further = self.muc.iter().skip(1);
        further
            .any(|muc| to_ssp_domain(muc) == service)
            .then_some((room, service))
    }
}

/// The two parts of the local part of a user's room.
fn owner_and_room(local: &str) -> Option<(&str, &str)> {
    let parts = local.split_once('/');
    parts.filter(|(owner, name)| !owner.is_empty() && !name.is_empty())
}

#[cfg(test)]
#[path = "translator_tests.rs"]
mod tests;
