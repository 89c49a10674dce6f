//! What XMPP users say in groups, until the group has it (xmpp-mapping, 4.2 and 5.3).
//!
//! A message goes to the group under an id of its own; when the group has taken it, or the node its
//! delivery, its sender sees it as all others do. It is written down until its end is known: should
//! the group not get it after all, its sender hears that too.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio_xmpp::Stanza;
use xmpp_parsers::jid::Jid;
use xmpp_parsers::message::{Message, MessageType};

use super::core::{Core, Due};
use super::records::said_key;
use super::room::{Room, address};
use crate::element::{Act, Outcome, Time};
use crate::gateway::records::{number_of, read};
use crate::gateway::shared::{Shared, verdict};
use crate::gateway::shares::{Most, Shares, domain_of};
use crate::imps::common::Recipient;
use crate::imps::primitive::Primitive;
use crate::imps::{Address, Code};
use crate::store::Write;
use crate::translate::Context;
use crate::translate::message::{ToSsp, refusal, to_ssp};
use crate::translate::room::{ns, occupant};
use crate::translate::stanza::{parse, print};

/// In which a group has to take a message.
const TAKE: Duration = Duration::from_secs(120);
/// After which nothing is heard any more of a message.
const GIVE_UP: Duration = Duration::from_secs(300);

/// A message to a group; one record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Said {
    group: Address,
    /// The full JID of the sender.
    from: String,
    /// The nickname they had.
    nick: String,
    message_id: String,
    component: String,
    /// The stanza as it came.
    stanza: String,
    /// Whether it is for one occupant alone.
    #[serde(default)]
    is_private: bool,
    /// Whether its sender has seen it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_shown: bool,
    until: Time,
}

impl Said {
    fn bytes(&self) -> usize {
        self.stanza.len() + self.from.len() + self.group.as_str().len() + 256
    }
}

/// Messages to groups that are not answered.
#[derive(Debug)]
pub(super) struct Speaking {
    said: BTreeMap<u64, Said>,
    shares: Shares,
}

impl Speaking {
    /// `own` is the own domain as SSP writes it.
    pub(super) fn new(own: String) -> Self {
        Self {
            said: BTreeMap::new(),
            shares: Shares::new(own),
        }
    }

    /// Takes back a record; `rest` is what follows the prefix of its key.
    pub(super) fn restore(
        &mut self,
        rest: &str,
        value: &[u8],
        core: &mut Core,
    ) -> Result<(), String> {
        let number = number_of(rest)?;
        self.keep(number, read(value)?, core);
        Ok(())
    }

    /// Whether the token is of one of these messages.
    pub(super) fn asked(&self, token: u64) -> bool {
        self.said.contains_key(&token)
    }

    fn keep(&mut self, number: u64, said: Said, core: &mut Core) {
        self.shares.add(domain_of(&said.from), said.bytes());
        core.timers.by(said.until, Due::Said(number));
        self.said.insert(number, said);
    }

    fn forget(&mut self, number: u64, shared: &mut Shared) -> Option<Said> {
        let said = self.said.remove(&number)?;
        self.shares.remove(domain_of(&said.from), said.bytes());
        shared.write(Write::delete(said_key(number)));
        Some(said)
    }

    /// An occupant says something, to all or to the one who has the name in `to`. Says the kind of
    /// what was no person's words.
    pub(super) fn say(
        &mut self,
        room: &Room,
        message: Message,
        (core, shared): (&mut Core, &mut Shared),
        now: Time,
    ) -> Option<&'static str> {
        let message_id = shared.id();
        let translated = to_ssp(
            &shared.translator,
            &message,
            &message_id,
            shared.settings.default_validity.as_secs(),
            None,
            shared.skew.wall(now).0,
        );
        let mut kind = None;
        let outcome = match translated {
            Ok(ToSsp::Message(mut request)) => {
                request.delivery_report = false;
                let is_private = message.type_ != MessageType::Groupchat;
                for recipient in &mut request.info.recipients {
                    if let Recipient::ScreenName(to) = recipient
                        && let Some(nick) = message.to.as_ref().and_then(|to| to.resource())
                        && let Some(name) = room.names.get(nick.as_str())
                    {
                        to.name.clone_from(&name.name);
                    }
                }
                let from = message.from.as_ref().map(Jid::to_string);
                let said = Said {
                    group: room.group.clone(),
                    nick: nick_of(room, message.from.as_ref()).unwrap_or_default(),
                    from: from.unwrap_or_default(),
                    message_id: message_id.clone(),
                    component: room.component.clone(),
                    stanza: print(&Stanza::Message(message.clone())),
                    is_private,
                    is_shown: false,
                    until: now.plus(GIVE_UP),
                };
                let bounds = &shared.settings.rooms;
                let most = Most {
                    items: bounds.max_said,
                    bytes: bounds.max_said_bytes,
                };
                let domain = domain_of(&said.from);
                if self.shares.have_room(domain, said.bytes(), most) {
                    let number = shared.number();
                    shared.write(Write::put_json(said_key(number), &said));
                    let expires = now.plus(TAKE);
                    let request = Primitive::SendMessageRequest(request);
                    shared.request(number, request, expires);
                    self.keep(number, said, core);
                    return None;
                }
                shared.refuse(&room.component, message, Code::QUEUE_FULL);
                Outcome::Refused(Code::QUEUE_FULL.0)
            }
            Ok(ToSsp::Nothing(nothing)) => {
                kind = Some(nothing);
                Outcome::Untranslatable
            }
            Ok(ToSsp::Expired(is_told)) => {
                if is_told {
                    shared.refuse(&room.component, message, Code::EXPIRED);
                }
                Outcome::Expired
            }
            Ok(ToSsp::Refuse(error)) => {
                let refusal = refusal(&message, *error);
                shared.hand(&room.component, refusal);
                Outcome::Refused(Code::MEDIA_TYPE.0)
            }
            Err(error) => {
                let code = error.code();
                shared.refuse(&room.component, message, code);
                Outcome::Refused(code.0)
            }
        };
        // The SAP, which counts what is sent, never hears of this one.
        shared.act(Act::Accepted);
        shared.outcome(&message_id, outcome);
        kind
    }

    /// A message was taken over on its way, and this is known of it: its sender need not wait for
    /// the group.
    pub(super) fn taken_over(
        &mut self,
        number: u64,
        known: &Primitive,
        (room, core): (Option<&Room>, &Core),
        now: Time,
        shared: &mut Shared,
    ) {
        let Some(said) = self.said.get_mut(&number) else {
            return;
        };
        let is_first = !said.is_private && !said.is_shown && verdict(known).is_success();
        if let Some(room) = room.filter(|_| is_first) {
            said.is_shown = true;
            shared.write(Write::put_json(said_key(number), said));
            reflect(said, room, core, now, shared);
        }
    }

    /// A group has taken a message, or not. Says who has sent it to which group if that says that
    /// they are not there.
    pub(super) fn answered(
        &mut self,
        number: u64,
        answer: &Primitive,
        (room, core): (Option<&Room>, &Core),
        now: Time,
        shared: &mut Shared,
    ) -> bool {
        let Some(said) = self.forget(number, shared) else {
            return false;
        };
        let mut code = verdict(answer);
        // The deployed server counts members of other domains as failures (E-3).
        let is_partial = answer
            .verdict()
            .is_some_and(|status| status.code == Code::PARTIAL);
        if !said.is_private && is_partial && code == Code::DOMAIN_NOT_SUPPORTED {
            code = Code::OK;
        }
        let outcome = if code.is_success() {
            Outcome::Relayed
        } else {
            Outcome::Refused(code.0)
        };
        shared.outcome(&said.message_id, outcome);
        if code.is_success() {
            if let Some(room) = room.filter(|_| !said.is_private && !said.is_shown) {
                reflect(&said, room, core, now, shared);
            }
            return false;
        }
        bounce(&said, code, now, shared);
        code == Code::NOT_JOINED
    }

    /// The group of the message with this token, and who has sent it.
    pub(super) fn of(&self, number: u64) -> Option<(Address, String)> {
        let said = self.said.get(&number)?;
        let user = said.from.split('/').next().unwrap_or_default();
        Some((said.group.clone(), user.to_owned()))
    }

    /// Nothing was heard of a message for too long.
    pub(super) fn give_up(&mut self, number: u64, now: Time, shared: &mut Shared) {
        if self.said.get(&number).is_none_or(|said| said.until > now) {
            return;
        }
        if let Some(said) = self.forget(number, shared) {
            shared.outcome(&said.message_id, Outcome::Refused(Code::TIMEOUT.0));
            if said.is_shown {
                return;
            }
            bounce(&said, Code::TIMEOUT, now, shared);
        }
    }
}

/// The nickname of a client that is inside.
pub(super) fn nick_of(room: &Room, from: Option<&Jid>) -> Option<String> {
    let from = from?;
    let occupant = room.occupants.get(&from.to_bare().to_string())?;
    let session = occupant.sessions.get(from.resource()?.as_str())?;
    session.inside.then(|| occupant.nick.clone())
}

/// The sender sees what they have said, with all their clients.
fn reflect(said: &Said, room: &Room, core: &Core, now: Time, shared: &mut Shared) {
    let Ok(Stanza::Message(message)) = parse(&said.stanza) else {
        return;
    };
    let user = said.from.split('/').next().unwrap_or_default();
    let Some(occupant) = room.occupants.get(user) else {
        return;
    };
    let stanza_id = stanza_id(core, room, &said.nick, &said.message_id);
    let occupant_id = room.occupant_id(&said.nick, core);
    for resource in occupant.sessions.keys() {
        let (Some(to), Ok(from)) = (
            address(user, resource),
            room.jid.with_resource_str(&said.nick),
        ) else {
            continue;
        };
        let mut copy = message.clone();
        copy.from = Some(from.into());
        copy.to = Some(to);
        copy.payloads.retain(|payload| {
            !payload.is("stanza-id", ns::SID)
                && !payload.is("occupant-id", ns::OCCUPANT_ID)
                && !payload.has_ns(ns::MUC_USER)
                && !payload.has_ns(ns::DELAY)
        });
        let marks = occupant::marks(&room.jid, &stanza_id, &occupant_id);
        copy.payloads.extend(marks);
        shared.send(&room.component, copy, now);
    }
}

/// The id by which all know a message (XEP-0359).
pub(super) fn stanza_id(core: &Core, room: &Room, nick: &str, message_id: &str) -> String {
    core.digest(&[room.group.as_str(), "message", nick, message_id])
}

fn bounce(said: &Said, code: Code, now: Time, shared: &mut Shared) {
    let context = if said.is_private {
        Context::Message
    } else {
        Context::Groupchat
    };
    let table = &shared.translator.mappings.status;
    let error = table.error(code, context, None);
    if let (Some(error), Ok(Stanza::Message(message))) = (error, parse(&said.stanza)) {
        shared.send(&said.component, refusal(&message, error), now);
    }
}
