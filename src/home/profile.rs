//! Profiles of our users (wire profile, 11.4): services, privacy, terminals, properties.
//!
//! What nobody has changed is as the domain is: the services it serves, nothing of the network
//! to give away, the clients that are logged in. What an update leaves is kept beside the
//! account. Where the operator has named another domain as provider of profiles, that is told of
//! each change and of who logs in and out. Who may read and change profiles is the SAP's business.
//!
//! A service that is not active, or was taken out, is not there for the user: others are
//! answered 534 (the recipient may not use the service: a matter of the user, not of the
//! agreement between the domains, 506, and not one that passes by itself, 503), his own clients
//! 506, which is what a client is told of a service that was not agreed with it.

use crate::element::Time;
use crate::sap::profile::update::{empty, update};
use crate::sap::profile::{Parts, readable, response};
use crate::ssp::address::Address;
use crate::ssp::common::MetaInfo;
use crate::ssp::primitive::profile::{
    GetUserProfileRequest, GetUserProfileResponse, PrivacyCapability, ProfileService, Terminal,
    UpdateUserProfileRequest, UserProfile,
};
use crate::ssp::status::{Code, Status};

use super::client::{ClientKey, Standing};
use super::core::Core;
use super::records;
use super::user::User;
use super::{Caller, Home};

/// Instant messages.
pub(super) const IM: &str = "IM";
/// Presence.
pub(super) const PRESENCE: &str = "Presence";

/// Network capabilities that this domain never asks of anybody.
const CAPABILITIES: [&str; 2] = ["UserLocation", "UserInteraction"];

impl Home {
    /// A user's whole profile; `None` if there is no such user.
    pub fn profile(&self, name: &str) -> Option<UserProfile> {
        let user = self.users.get(&name.to_lowercase())?;
        Some(user.whole_profile(&self.core))
    }

    /// Tells a profile, or parts of it.
    pub(super) fn serve_get_profile(&mut self, caller: &Caller, request: &GetUserProfileRequest) {
        let address = self.core.at_home(&request.user);
        let known = self.known_user(&address);
        match known.map(|name| self.profile(&name)) {
            Ok(Some(profile)) => {
                let parts = Parts::asked(request.parts.as_ref());
                self.core
                    .respond(caller.id, response(address, parts.select(profile)));
            }
            Ok(None) => self
                .core
                .respond(caller.id, refusal(address, Code::UNKNOWN_USER)),
            Err(code) => self.core.respond(caller.id, refusal(address, code)),
        }
    }

    /// Changes a profile. If presence goes or comes with it, watchers are told.
    pub(super) fn serve_update_profile(
        &mut self,
        caller: &Caller,
        request: UpdateUserProfileRequest,
        now: Time,
    ) {
        let address = self.core.at_home(&request.user);
        let name = match self.known_user(&address) {
            Ok(name) => name,
            Err(code) => return self.core.respond(caller.id, Status::new(code)),
        };
        let Self { users, core, .. } = self;
        let Some(user) = users.get_mut(&name).filter(|user| !user.builtin) else {
            let status = Status::new(Code::FORBIDDEN).because("This user cannot be changed.");
            return core.respond(caller.id, status);
        };
        let mode = match readable(&address, &request) {
            Ok(mode) => mode,
            Err(status) => return core.respond(caller.id, status),
        };
        let given = request.profile.unwrap_or_else(empty);
        let mut profile = user.kept_profile(core);
        let services = &core.settings.services;
        let provided = |entry: &ProfileService| provided(services, entry);
        let changes = update(&mut profile, mode, given, provided);
        core.respond(caller.id, changes.status());
        if !changes.changed {
            return;
        }
        profile.modified = Some(core.skew.date(now));
        let before = user.authorized_watchers(core);
        core.act(records::put_profile(&user.name, &profile));
        user.profile = Some(Box::new(profile));
        user.tell_profile(core, now);
        let mut concerned = user.authorized_watchers(core);
        concerned.extend(before);
        concerned.sort();
        concerned.dedup();
        for watcher in concerned {
            user.show(core, &watcher, false, now);
        }
    }
}

impl User {
    /// Whether the user has a service, and it is active.
    pub(super) fn may_use(&self, core: &Core, service: &str) -> bool {
        let own = self.profile.as_ref().and_then(|p| p.services.as_ref());
        let services = own.unwrap_or(&core.settings.services);
        let is_active = |entry: &ProfileService| entry.status.as_deref() != Some("Inactive");
        self.builtin
            || services
                .iter()
                .any(|entry| entry.name == service && is_active(entry))
    }

    /// Tells the provider of the domain's profiles, if there is one, how the user's is now.
    pub(super) fn tell_profile(&self, core: &mut Core, now: Time) {
        if core.settings.tells_profiles && !self.builtin {
            let request = UpdateUserProfileRequest {
                user: self.address(core),
                mode: Some("Replace".to_owned()),
                meta: Some(MetaInfo::of_server(core.domain())),
                profile: Some(self.whole_profile(core)),
            };
            core.send(request, now);
        }
    }

    /// What is kept, with what holds where nothing was ever changed; without live clients.
    fn kept_profile(&self, core: &Core) -> UserProfile {
        let mut profile = self.profile.as_deref().cloned().unwrap_or_else(empty);
        let services = || core.settings.services.clone();
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

    /// Everything there is to tell.
    fn whole_profile(&self, core: &Core) -> UserProfile {
        let mut profile = self.kept_profile(core);
        for entry in profile.services.iter_mut().flatten() {
            entry.pse = pse_of(&core.settings.services, &entry.name).cloned();
        }
        let clients = self.clients.keys().map(|client| terminal(*client));
        profile.terminals.get_or_insert_default().extend(clients);
        let created = core.skew.date(self.account.created);
        profile.modified.get_or_insert(created);
        profile.user = Some(self.address(core));
        profile
    }

    fn authorized_watchers(&self, core: &Core) -> Vec<Address> {
        let relations = self.relations.iter();
        relations
            .filter(|(_, relation)| relation.watcher.is_some())
            .map(|(other, _)| other)
            .filter(|other| self.standing(core, other) == Standing::Authorized)
            .cloned()
            .collect()
    }
}

/// A client of this node, as a terminal.
fn terminal(client: ClientKey) -> Terminal {
    Terminal {
        url: Some(format!("urn:wvgate:client:{}", client.0)),
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
fn provided(services: &[ProfileService], entry: &ProfileService) -> Result<(), &'static str> {
    let is_known = services.iter().any(|service| service.name == entry.name);
    if !is_known && entry.status.as_deref() == Some("Active") {
        return Err("nobody provides it to users of this domain");
    }
    if entry.pse.is_some() && entry.pse.as_ref() != pse_of(services, &entry.name) {
        return Err("another domain provides it");
    }
    Ok(())
}

fn pse_of<'a>(services: &'a [ProfileService], name: &str) -> Option<&'a Address> {
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
