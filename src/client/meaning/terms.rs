//! What a session of a client has agreed.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

use super::capacity::Capacity;
use super::client_kind::ClientKind;
use super::identity::Identity;
use super::services::Services;
use super::switches::Switches;
use crate::csp::Version;
use crate::element::{Delivery, Method};
use crate::imps::Address;
use crate::imps::common::{ClientId, MetaInfo};
use crate::imps::primitive::profile::Terminal;

/// What a session has agreed, as far as it decides what its messages mean. It is known after the
/// login; the rest comes with negotiations. A record of the session may keep it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// Whose session it is: the whole address.
    pub user: Address,
    /// The version of the message that is being answered, or of the last one.
    #[serde(serialize_with = "write_version", deserialize_with = "read_version")]
    pub version: Version,
    /// Whether its messages are WBXML, which has a form for content that is no text.
    #[serde(default)]
    pub wbxml: bool,
    /// As the client has named itself at the login.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientId>,
    /// What it says of itself.
    #[serde(default)]
    pub identity: Identity,
    /// What it can take.
    #[serde(default)]
    pub capacity: Capacity,
    /// The services that were agreed; absent as long as nothing was negotiated: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub services: Option<Services>,
    /// What is done otherwise for this client.
    #[serde(default)]
    pub switches: Switches,
}

impl Terms {
    /// Of a session that has negotiated nothing yet.
    pub fn new(user: Address, version: Version) -> Self {
        Self {
            user,
            version,
            wbxml: false,
            client: None,
            identity: Identity::default(),
            capacity: Capacity::default(),
            services: None,
            switches: Switches::default(),
        }
    }

    /// How messages come to the session: what a client of the home domain says when it comes. What
    /// is too long to be pushed comes as a notification; what it could not show even if it fetched it
    /// does not come at all.
    pub fn delivery(&self) -> Delivery {
        Delivery {
            method: self.capacity.method,
            max_bytes: self.capacity.push_bytes,
            types: self.capacity.types_for(self.wbxml),
            no_other_types: true,
            max_fetched: self.capacity.pull_bytes,
        }
    }

    /// The client as a terminal in the profile of its user; `wake`: how it is woken.
    pub fn terminal(&self, wake: &[&str]) -> Terminal {
        let Capacity {
            client_type,
            method,
            types,
            push_bytes,
            base64,
            ..
        } = &self.capacity;
        let method = match method {
            Method::Push => "P",
            Method::Notify => "N",
        };
        let url = self.client.as_ref().map(|client| client.url.clone());
        Terminal {
            url: url.filter(|url| !url.is_empty()),
            client_type: client_type.clone(),
            delivery_method: Some(method.to_owned()),
            content_types: types.clone().unwrap_or_default(),
            transfer_encoding: base64.then(|| "BASE64".to_owned()),
            content_length: push_bytes.map(|bytes| bytes.to_string()),
            bearers: vec!["HTTP".to_owned()],
            cir_methods: wake.iter().map(|&method| method.to_owned()).collect(),
        }
    }

    /// Takes the switches of the kind that the client is of. `configured`: the kind that the
    /// configuration names for it, whatever it says of itself.
    pub fn recognize(&mut self, kinds: &[ClientKind], configured: Option<&str>) {
        let named = configured.and_then(|name| kinds.iter().find(|kind| kind.name == name));
        if self.identity.client_id.is_none() {
            self.identity.client_id = Identity::of(self.client.as_ref()).client_id;
        }
        self.switches = match named {
            Some(kind) => kind.switches.clone(),
            None => ClientKind::switches_for(kinds, &self.identity),
        };
    }

    /// The user of the session asks.
    #[expect(clippy::unnecessary_wraps, reason = "as primitives have it")]
    pub(super) fn meta(&self) -> Option<MetaInfo> {
        Some(MetaInfo::of_user(self.user.domain(), self.user.clone()))
    }

    /// An address as the client writes it, with the user's domain where it names none.
    pub(super) fn address(&self, written: &Address) -> Address {
        written.clone().or_domain(self.user.domain())
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "so serde calls it")]
fn write_version<S: Serializer>(version: &Version, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(version.as_str())
}

fn read_version<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Version, D::Error> {
    let text = String::deserialize(deserializer)?;
    Version::parse(&text).ok_or_else(|| D::Error::custom("no version of the protocol"))
}
