//! Questions of XMPP that the gateway answers itself: who are you, are you
//! there, what time is it (xmpp-mapping, 8 and 11; presence-attributes, 2.3, 2.4).

use minidom::Element;
use xmpp_parsers::jid::Jid;
use xmpp_parsers::stanza_error::{DefinedCondition, ErrorType, StanzaError};

use super::manners::prompt;
use crate::gateway::capabilities::Capabilities;
use crate::imps::datetime::DateTime;
use crate::imps::presence::{AttributeName, PresenceSubList};
use crate::translate::card::provider::Provider;
use crate::translate::presence::location::tzo;
use crate::translate::presence::{avatar, client, picture};
use crate::translate::search;
use crate::translate::stanza::{attribute, element, ns, text_element};
use crate::translate::{Mode, Translator};

/// The payload of a result.
pub(super) enum Answer {
    Empty,
    With(Element),
}

/// A question, and what may be told to who asks it.
pub(super) struct Question<'q> {
    pub(super) payload: &'q Element,
    pub(super) to: &'q Jid,
    /// What the asker may know of the user it is for.
    pub(super) known: Option<&'q PresenceSubList>,
    /// Who runs the domain, if it has told that.
    pub(super) provider: Option<&'q Provider>,
    pub(super) date: DateTime,
    /// Seconds since the node began.
    pub(super) uptime: u64,
    pub(super) translator: &'q Translator,
    pub(super) capabilities: &'q Capabilities,
}

impl Question<'_> {
    /// The answer; an error if it is not understood, or about what does not exist.
    pub(super) fn answer(&self) -> Result<Answer, Box<StanzaError>> {
        let payload = self.payload;
        let is_user = self.to.node().is_some();
        match (payload.name(), payload.ns().as_str()) {
            ("ping", ns::PING) => Ok(Answer::Empty),
            ("query", ns::DISCO_INFO) => match payload.attr("node") {
                Some(node) => self.node(node),
                None => Ok(Answer::With(self.disco_info())),
            },
            ("query", ns::DISCO_ITEMS) if payload.attr("node").is_some() => Err(no_such()),
            ("query", ns::DISCO_ITEMS) => {
                Ok(Answer::With(element("query", ns::DISCO_ITEMS).build()))
            }
            ("query", ns::VERSION) => Ok(Answer::With(self.version())),
            ("time", ns::TIME) => self.time(),
            ("query", ns::LAST) if !is_user => {
                let last = element("query", ns::LAST);
                let seconds = self.uptime.to_string();
                Ok(Answer::With(attribute(last, "seconds", &seconds).build()))
            }
            ("query", ns::GATEWAY) if !is_user => Ok(Answer::With(prompt())),
            ("vCard", ns::VCARD) if !is_user => Ok(Answer::With(self.card())),
            ("pubsub", ns::PUBSUB) if is_user => self.picture(),
            _ => Err(not_understood()),
        }
    }

    /// The picture that a watcher was told of (XEP-0084).
    fn picture(&self) -> Result<Answer, Box<StanzaError>> {
        let id = avatar::asked(self.payload).ok_or_else(not_understood)?;
        let known = self.known.and_then(picture);
        let known = known.filter(|known| avatar::hash(&known.bytes) == id);
        Ok(Answer::With(avatar::data(&known.ok_or_else(no_such)?)))
    }

    /// The answer about a node: there are those that stand for what clients can do.
    fn node(&self, node: &str) -> Result<Answer, Box<StanzaError>> {
        let known = self
            .capabilities
            .of_node(node)
            .filter(|_| self.to.is_full());
        let mut answer = known.ok_or_else(no_such)?.clone();
        if let Ok(name) = xso::exports::rxml::NcName::try_from("node") {
            answer.set_attr(xso::exports::rxml::Namespace::NONE, name, node);
        }
        Ok(Answer::With(answer))
    }

    fn disco_info(&self) -> Element {
        if let Some(resource) = self.to.resource() {
            return client::disco(self.translator, self.known, resource.as_str()).into();
        }
        let is_user = self.to.node().is_some();
        let identity = if is_user {
            identity("account", "registered", None)
        } else {
            let (category, kind) = match self.translator.mode {
                Mode::Names => ("server", "im"),
                Mode::Gateway => ("gateway", "imps"),
            };
            let name = self.provider.and_then(|provider| provider.name.as_deref());
            identity(category, kind, Some(name.unwrap_or("Wireless Village")))
        };
        // The groups of the domain are rooms.
        let rooms = (!is_user).then(|| self::identity("conference", "text", Some("Groups")));
        let provider = self.provider.filter(|_| !is_user);
        let form = provider.and_then(Provider::form);
        let mut features = vec![ns::DISCO_INFO, ns::DISCO_ITEMS, ns::PING, ns::VERSION];
        features.extend(if is_user {
            &[ns::RECEIPTS, ns::VCARD][..]
        } else {
            &[
                ns::TIME,
                ns::LAST,
                ns::VCARD,
                ns::GATEWAY,
                ns::MUC,
                search::NS,
                ns::COMMANDS,
            ]
        });
        let features = features
            .into_iter()
            .map(|name| attribute(element("feature", ns::DISCO_INFO), "var", name).build());
        element("query", ns::DISCO_INFO)
            .append(identity)
            .append_all(rooms)
            .append_all(features)
            .append_all(form)
            .build()
    }

    fn time(&self) -> Result<Answer, Box<StanzaError>> {
        let zone = self.known.and_then(|known| {
            let zone = known.get(&AttributeName::TimeZone)?;
            tzo(zone.field("Zone")?)
        });
        // Only the gateway's own clock is known without the attribute.
        if zone.is_none() && self.to.node().is_some() {
            return Err(not_understood());
        }
        let zone = zone.unwrap_or_else(|| "+00:00".to_owned());
        let utc = self.date.to_string();
        let time = element("time", ns::TIME)
            .append(text_element("tzo", ns::TIME, &zone))
            .append(text_element("utc", ns::TIME, &utc));
        Ok(Answer::With(time.build()))
    }

    /// The client's if it is known, else the gateway's.
    fn version(&self) -> Element {
        let resource = self.to.resource().map_or("", |name| name.as_str());
        let info = self
            .known
            .and_then(|known| client::info_of(self.translator, known, resource));
        let field = |name: &str| {
            let text = info.and_then(|info| info.field(name));
            text.filter(|text| !text.is_empty())
        };
        let query = element("query", ns::VERSION);
        let Some(name) = field("ClientProducer") else {
            let version = text_element("version", ns::VERSION, env!("CARGO_PKG_VERSION"));
            let name = text_element("name", ns::VERSION, "wvgate");
            return query.append(name).append(version).build();
        };
        let version = field("ClientVersion").unwrap_or("");
        let device: Vec<&str> = ["DevManufacturer", "Model"]
            .into_iter()
            .filter_map(field)
            .collect();
        let query = query
            .append(text_element("name", ns::VERSION, name))
            .append(text_element("version", ns::VERSION, version));
        if device.is_empty() {
            return query.build();
        }
        query
            .append(text_element("os", ns::VERSION, &device.join(" ")))
            .build()
    }

    /// The card of the domain (XEP-0054).
    fn card(&self) -> Element {
        let domain = self.to.domain();
        let text = format!("The Wireless Village domain {domain}, by wvgate.");
        let unknown = Provider::default();
        let provider = self.provider.unwrap_or(&unknown);
        provider.card(domain.as_str(), &text)
    }
}

/// RFC 6120, 8.4: the answer to a question of a kind that is not known here.
pub(in crate::gateway) fn not_understood() -> Box<StanzaError> {
    let (kind, condition) = (ErrorType::Cancel, DefinedCondition::ServiceUnavailable);
    let mut error = StanzaError::new(kind, condition, "en", "");
    error.texts.clear();
    Box::new(error)
}

/// XEP-0030, 3.1: there is no such node.
fn no_such() -> Box<StanzaError> {
    let (kind, condition) = (ErrorType::Cancel, DefinedCondition::ItemNotFound);
    let mut error = StanzaError::new(kind, condition, "en", "");
    error.texts.clear();
    Box::new(error)
}

fn identity(category: &str, kind: &str, name: Option<&str>) -> Element {
    let mut identity = attribute(element("identity", ns::DISCO_INFO), "category", category);
    identity = attribute(identity, "type", kind);
    if let Some(name) = name {
        identity = attribute(identity, "name", name);
    }
    identity.build()
}
