//! Profiles of our users (wire profile, 11.4): services, privacy, terminals, properties.
//!
//! What nobody has changed is as the domain is: the services it serves, nothing of the network
//! to give away, the clients that are logged in. What an update leaves is kept beside the
//! account. Where the operator has named another domain as provider of profiles, that is told of
//! each change and of who logs in and out. Who may read and change profiles is the SAP's business.
//!
//! A service that is not active, or was taken out, is not there for the user: others are
//! answered 534 (the recipient may not use the service: a matter of the user, not of the
//! agreement between the domains, 506, and not one that passes by itself, 503), their own clients
//! 506, which is what a client is told of a service that was not agreed with it.

use super::presence::Presence;
use crate::element::Time;
use crate::imps::address::Address;
use crate::imps::primitive::profile::{
    GetUserProfileRequest, GetUserProfileResponse, PrivacyCapability, ProfileService, Terminal,
    UpdateUserProfileRequest, UserProfile,
};
use crate::imps::status::{Code, Status};
use crate::sap::profile::update::{empty, update};
use crate::sap::profile::{Parts, readable, response};

use super::client::ClientKey;
use super::core::Core;
use super::records;
use super::user::User;
use super::{Caller, Home};

/// Instant messages.
pub(super) const IM: &str = "IM";
pub(super) const PRESENCE: &str = "Presence";
pub(super) const GROUP: &str = "Group";
pub(super) const CONTENT: &str = "Content";

/// Network capabilities that this domain never asks of anybody.
const CAPABILITIES: [&str; 2] = ["UserLocation", "UserInteraction"];

/// Requests about our users' profiles.
pub(super) struct Profiles<'a> {
    home: &'a mut Home,
    caller: &'a Caller,
    now: Time,
}

impl<'a> Profiles<'a> {
    /// For this caller, at this time.
    pub(super) fn of(home: &'a mut Home, caller: &'a Caller, now: Time) -> Self {
        Self { home, caller, now }
    }

    /// Tells a profile, or parts of it.
    pub(super) fn get_profile(&mut self, request: &GetUserProfileRequest) {
        let address = self.home.core.at_home(&request.user);
        if self.is_of_another(&address) {
            let refusal = refusal(address, Code::FORBIDDEN);
            return self.home.core.respond(self.caller.id, refusal);
        }
        let known = self.home.known_user(&address);
        match known.map(|name| self.home.profile(&name)) {
            Ok(Some(profile)) => {
                let parts = Parts::asked(request.parts.as_ref());
                self.home
                    .core
                    .respond(self.caller.id, response(address, parts.select(profile)));
            }
            Ok(None) => self
                .home
                .core
                .respond(self.caller.id, refusal(address, Code::UNKNOWN_USER)),
            Err(code) => self
                .home
                .core
                .respond(self.caller.id, refusal(address, code)),
        }
    }

    /// Whether a user of ours asks about somebody else. What other domains may is the SAP's business.
    fn is_of_another(&self, address: &Address) -> bool {
        let is_ours = self.caller.domain == self.home.core.domain();
        let user = self.caller.user.as_ref().filter(|_| is_ours);
        user.is_some_and(|user| user != address)
    }

    /// Changes a profile. If presence goes or comes with it, watchers are told.
    pub(super) fn update_profile(&mut self, request: UpdateUserProfileRequest) {
        let address = self.home.core.at_home(&request.user);
        if self.is_of_another(&address) {
            let status = Status::new(Code::FORBIDDEN).because("It is somebody else's profile.");
            return self.home.core.respond(self.caller.id, status);
        }
        let name = match self.home.known_user(&address) {
            Ok(name) => name,
            Err(code) => return self.home.core.respond(self.caller.id, Status::new(code)),
        };
        let Home { users, core, .. } = &mut *self.home;
        let Some(user) = users.get_mut(&name).filter(|user| !user.builtin) else {
            let status = Status::new(Code::FORBIDDEN).because("This user cannot be changed.");
            return core.respond(self.caller.id, status);
        };
        let mode = match readable(&address, &request) {
            Ok(mode) => mode,
            Err(status) => return core.respond(self.caller.id, status),
        };
        let given = request.profile.unwrap_or_else(empty);
        let own = OwnProfile { user, core };
        let (mut profile, parts) = (own.kept_profile(), own.parts_with(&given));
        let services = &core.settings.services;
        let provided = |entry: &ProfileService| provided(services, entry);
        let changes = update(&mut profile, mode, given, provided);
        core.respond(self.caller.id, changes.status());
        if !changes.changed {
            return;
        }
        profile.modified = Some(core.skew.date(self.now));
        let profile = parts.select(profile);
        let before = OwnProfile { user, core }.authorized_watchers();
        core.act(records::put_profile(&user.name, &profile));
        user.profile = Some(Box::new(profile));
        user.tell_profile(core, self.now);
        let mut concerned = OwnProfile { user, core }.authorized_watchers();
        concerned.extend(before);
        concerned.sort();
        concerned.dedup();
        for watcher in concerned {
            Presence::of(user, core, self.now).show(&watcher, false);
        }
    }
}

impl Home {
    /// A user's whole profile; `None` if there is no such user.
    pub fn profile(&self, name: &str) -> Option<UserProfile> {
        let user = self.users.get(&name.to_lowercase())?;
        Some(
            OwnProfile {
                user,
                core: &self.core,
            }
            .whole_profile(),
        )
    }
}

/// A user's profile.
pub(super) struct OwnProfile<'a> {
    pub(super) user: &'a User,
    pub(super) core: &'a Core,
}

impl OwnProfile<'_> {
    /// What is kept, with what holds where nothing was ever changed; without live clients.
    pub(super) fn kept_profile(&self) -> UserProfile {
        let mut profile = self.user.profile.as_deref().cloned().unwrap_or_else(empty);
        let services = || self.core.settings.services.clone();
        let capability = |name: &str| PrivacyCapability {
            name: name.to_owned(),
            status: Some("Denied".to_owned()),
        };
        profile.services.get_or_insert_with(services);
        profile
            .privacy
            .get_or_insert_with(|| CAPABILITIES.map(capability).to_vec());
        profile.terminals.get_or_insert_with(Vec::new);
        profile.properties.get_or_insert_with(Vec::new);
        profile
    }

    /// The parts that are kept once these are given: of the others nobody has said anything, and
    /// they stay as the domain is.
    pub(super) fn parts_with(&self, given: &UserProfile) -> Parts {
        let held = self.user.profile.as_deref().map(Parts::of);
        let given = Parts::of(given);
        held.map_or(given, |held| held.union(given))
    }

    /// Everything there is to tell.
    pub(super) fn whole_profile(&self) -> UserProfile {
        let mut profile = self.kept_profile();
        for entry in profile.services.iter_mut().flatten() {
            entry.pse = pse_of(&self.core.settings.services, &entry.name).cloned();
        }
        let clients = self.user.clients.iter();
        let clients = clients.map(|(client, feed)| terminal(*client, feed.terminal.as_ref()));
        profile.terminals.get_or_insert_default().extend(clients);
        let created = self.core.skew.date(self.user.account.created);
        profile.modified.get_or_insert(created);
        profile.user = Some(self.user.address(self.core));
        profile
    }

    fn authorized_watchers(&self) -> Vec<Address> {
        let relations = self.user.relations.iter();
        relations
            .filter(|(_, relation)| relation.watcher.is_some())
            .map(|(other, _)| other)
            .filter(|other| self.user.shows(self.core, other))
            .cloned()
            .collect()
    }
}

/// A client of this node, as a terminal: as it says, or as one of the program's own.
fn terminal(client: ClientKey, said: Option<&Terminal>) -> Terminal {
    let url = || format!("urn:wvgate:client:{}", client.0);
    if let Some(said) = said {
        return Terminal {
            url: said.url.clone().or_else(|| Some(url())),
            ..said.clone()
        };
    }
    Terminal {
        url: Some(url()),
        client_type: Some("COMPUTER".to_owned()),
        delivery_method: Some("P".to_owned()),
        content_types: vec!["text/plain".to_owned()],
        transfer_encoding: None,
        content_length: None,
        bearers: Vec::new(),
        cir_methods: Vec::new(),
    }
}

/// Whether a service can be as an entry wants it: active only if somebody provides it, and
/// provided by whom the operator says.
pub(super) fn provided(
    services: &[ProfileService],
    entry: &ProfileService,
) -> Result<(), &'static str> {
    let is_known = services.iter().any(|service| service.name == entry.name);
    if !is_known && entry.status.as_deref() == Some("Active") {
        return Err("nobody provides it to users of this domain");
    }
    if entry.pse.is_some() && entry.pse.as_ref() != pse_of(services, &entry.name) {
        return Err("another domain provides it");
    }
    Ok(())
}

pub(super) fn pse_of<'a>(services: &'a [ProfileService], name: &str) -> Option<&'a Address> {
    let service = services.iter().find(|service| service.name == name)?;
    service.pse.as_ref()
}

fn refusal(user: Address, code: Code) -> GetUserProfileResponse {
    GetUserProfileResponse {
        user: Some(user),
        status: Status::new(code),
        profile: None,
    }
}
