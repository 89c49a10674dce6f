//! `wvgate translate`: the node's own translation, offline.

mod questions;

use std::io::Read as _;

use bytes::Bytes;
use clap::{Args, ValueEnum};
use tokio_xmpp::Stanza;
use xmpp_parsers::jid::{BareJid, Jid};
use xmpp_parsers::presence::{Presence, Type};

use super::output;
use super::{Failure, Global};
use crate::imps::common::{AttributeList, MetaInfo, Party, PresenceValue, User, UserId, VerUserId};
use crate::imps::primitive::message::DeliveryStatusReport;
use crate::imps::primitive::presence::{
    GetPresenceRequest, PresenceNotification, SubscribeRequest, UnsubscribeRequest,
};
use crate::imps::xml::Limits;
use crate::imps::{Address, Code, Primitive};
use crate::node::Plan;
use crate::node::clock::Clock;
use crate::ssp::envelope::{self, NAMESPACE, Transaction};
use crate::ssp::{Message, Mode};
use crate::translate::card;
use crate::translate::message::{ToSsp, refusal};
use crate::translate::presence::Seen;
use crate::translate::receipt::{About, error_of};
use crate::translate::search::criteria::Criteria;
use crate::translate::stanza::{ns, payload};
use crate::translate::{
    Context, Mode as Naming, Translator, invitation, message, presence, receipt, search,
};
use crate::xmpp::text;
use questions::{ask, question};

/// Most that is read, in bytes.
const MAX_INPUT: u64 = 4 << 20;
/// How long a translated message may wait, in seconds, if it does not say itself.
const VALIDITY: u64 = 86_400;

#[derive(Args)]
#[command(after_help = "\
Reads one XMPP stanza or one SSP message from standard input and writes what becomes of it
on the other side. Without --domain it translates as the [xmpp] section of the configuration
says. What depends on earlier stanzas (subscriptions, rooms, answers) is left out.

Examples:
  echo '<message from=\"romeo@xmpp.test/a\" to=\"alice@village.test\" type=\"chat\" id=\"1\">
    <body>hello</body></message>' |
  wvgate translate --domain xmpp.test --component village.test

  wvgate translate --config config/gateway.toml < send-message.xml")]
pub(super) struct Translate {
    /// The XMPP domain, whose users appear in SSP under their own names
    #[arg(long, requires = "component")]
    domain: Option<String>,
    /// An SSP domain that appears in XMPP; in mode `gateway` the gateway's own domain
    #[arg(long, requires = "domain")]
    component: Vec<String>,
    /// How users of the other side are named
    #[arg(long, value_enum, default_value_t = NamingArg::Names)]
    mode: NamingArg,
}

#[derive(Clone, Copy, ValueEnum)]
enum NamingArg {
    /// The same names on both sides
    Names,
    /// SSP users appear below one component
    Gateway,
}

pub(super) fn translate(global: &Global, args: &Translate) -> Result<(), Failure> {
    let translator = translator(global, args)?;
    let mut input = Vec::new();
    std::io::stdin()
        .lock()
        .take(MAX_INPUT)
        .read_to_end(&mut input)
        .map_err(|error| Failure::Failed(format!("cannot read: {error}")))?;
    let now = Clock::start().now().0;
    let translated = if is_ssp(&input) {
        to_xmpp(&translator, &input.into(), now)
    } else {
        to_ssp(&translator, &input, now)
    };
    for line in translated.map_err(Failure::Failed)? {
        output::line(line)?;
    }
    Ok(())
}

fn translator(global: &Global, args: &Translate) -> Result<Translator, Failure> {
    if let Some(domain) = &args.domain {
        let components: Vec<&str> = args.component.iter().map(String::as_str).collect();
        let naming = match args.mode {
            NamingArg::Names => Naming::Names,
            NamingArg::Gateway => Naming::Gateway,
        };
        return Ok(Translator::new(domain, &components).in_mode(naming));
    }
    let loaded = global.load()?;
    let plan = Plan::new(&loaded.config, &loaded.located)?;
    let gateway = plan.gateway.ok_or_else(|| {
        let fix = "add it, or give --domain and --component";
        let problem = loaded
            .located
            .problem("xmpp", "there is no such section", fix);
        Failure::Usage(problem.to_string())
    })?;
    Ok(gateway.translator.as_ref().clone())
}

fn is_ssp(input: &[u8]) -> bool {
    let text = String::from_utf8_lossy(&input[..input.len().min(4096)]).to_lowercase();
    let mut tags = text.split('<').skip(1);
    let root = tags.find(|tag| !tag.starts_with(['?', '!']));
    root.is_some_and(|tag| tag.starts_with("wv-ssp-message"))
}

/// The stanzas for the transactions of a message.
fn to_xmpp(translator: &Translator, body: &Bytes, now: u64) -> Result<Vec<String>, String> {
    let message = envelope::scan(body, &Limits::default()).map_err(|error| error.to_string())?;
    let transactions = match message {
        Message::Session(session) => session.transactions,
        Message::Setup(_) => return Err("a login has no counterpart in XMPP".to_owned()),
    };
    let mut lines = Vec::new();
    for transaction in transactions {
        for stanza in stanzas(translator, &transaction, now)? {
            lines.push(text::print(&stanza).map_err(|error| error.to_string())?);
        }
    }
    Ok(lines)
}

fn stanzas(
    translator: &Translator,
    transaction: &Transaction,
    now: u64,
) -> Result<Vec<Stanza>, String> {
    let primitive = transaction.primitive().map_err(|error| error.to_string())?;
    let kind = |type_: Type, meta: Option<&MetaInfo>, users: Vec<&Address>| {
        let watcher = meta.and_then(MetaInfo::user).ok_or("no user is asking")?;
        let from = translator.jid(&watcher.user).map_err(|e| e.to_string())?;
        let one = |user: &&Address| {
            let to = translator.jid(user).map_err(|e| e.to_string())?;
            let presence = Presence::new(type_.clone())
                .with_from(from.clone())
                .with_to(to);
            Ok(Stanza::Presence(presence))
        };
        users.iter().map(one).collect()
    };
    match &primitive {
        Primitive::SendMessageRequest(request) => {
            let id = request.info.message_id.as_deref().unwrap_or("1");
            let translated = message::to_xmpp(translator, request, id, now);
            let translated = translated.map_err(|code| refused(translator, code))?;
            let stanza = |(_, stanza): (_, Result<xmpp_parsers::message::Message, Code>)| {
                stanza
                    .map(Stanza::Message)
                    .map_err(|code| refused(translator, code))
            };
            translated.stanzas.into_iter().map(stanza).collect()
        }
        Primitive::DeliveryStatusReport(report) => {
            let id = report.info.message_id.as_deref().unwrap_or_default();
            let to = report
                .info
                .recipients
                .first()
                .ok_or("the report is for nobody")?;
            let to: Jid = translator
                .jid(to.address())
                .map_err(|e| e.to_string())?
                .into();
            let stanza = receipt::to_xmpp(translator, report, id, &to);
            let stanza = stanza.map_err(|error| error.to_string())?;
            Ok(stanza.map(Stanza::Message).into_iter().collect())
        }
        Primitive::InviteRequest(request) => {
            let inviter = request.meta.as_ref().and_then(MetaInfo::user);
            let inviter = inviter.ok_or("no user invites")?;
            let sent = invitation::to_xmpp(translator, request, &inviter.user, None);
            let sent = sent.map_err(|code| refused(translator, code))?;
            Ok(vec![sent.stanza])
        }
        Primitive::PresenceNotification(notification) => shown(translator, notification),
        Primitive::GetUserProfileRequest(request) => {
            let to = translator.jid(&request.user).map_err(|e| e.to_string())?;
            let asker = request.meta.as_ref();
            ask(
                translator,
                asker,
                &[to],
                &[card::ask::info(), card::ask::temp(), card::ask::vcard4()],
            )
        }
        Primitive::GetSPInfoRequest(request) => {
            let to = BareJid::new(&translator.domain).map_err(|e| e.to_string())?;
            let asker = request.meta.as_ref();
            ask(
                translator,
                asker,
                &[to],
                &[card::ask::info(), card::ask::temp()],
            )
        }
        Primitive::SearchRequest(request) => {
            let pairs = request.pairs.as_deref().unwrap_or_default();
            let criteria = Criteria::of(pairs).map_err(|code| refused(translator, code))?;
            let services = match criteria {
                Criteria::Users(_) => vec![translator.domain.as_str()],
                Criteria::Rooms(_) => translator.muc.iter().map(String::as_str).collect(),
            };
            let services = services.into_iter().map(BareJid::new);
            let services: Result<Vec<BareJid>, _> = services.collect();
            let services = services.map_err(|e| e.to_string())?;
            let asker = request.meta.as_ref();
            ask(translator, asker, &services, &[search::directory::items()])
        }
        Primitive::SubscribeRequest(request) => {
            let users = request.users.iter().map(|id| &id.user).collect();
            kind(Type::Subscribe, request.meta.as_ref(), users)
        }
        Primitive::UnsubscribeRequest(request) => {
            let users = request.users.iter().map(|id| &id.user).collect();
            kind(Type::Unsubscribe, request.meta.as_ref(), users)
        }
        Primitive::GetPresenceRequest(request) => {
            let users = request.users.iter().map(|id| &id.user).collect();
            kind(Type::Probe, request.meta.as_ref(), users)
        }
        other => Err(format!(
            "{} has no counterpart that stands alone",
            other.name()
        )),
    }
}

fn shown(
    translator: &Translator,
    notification: &PresenceNotification,
) -> Result<Vec<Stanza>, String> {
    let mut stanzas = Vec::new();
    for watcher in &notification.watchers {
        let to = translator
            .jid(&watcher.user)
            .map_err(|error| error.to_string())?;
        let to: Jid = to.into();
        for value in &notification.values {
            let list = value.presence.clone().unwrap_or_default();
            let shown = presence::to_xmpp(translator, &value.user, &list, &to);
            let shown = shown.map_err(|error| error.to_string())?;
            stanzas.extend(shown.presences.into_iter().map(Stanza::Presence));
            stanzas.extend(shown.events.into_iter().map(Stanza::Message));
        }
    }
    Ok(stanzas)
}

fn refused(translator: &Translator, code: Code) -> String {
    let means = translator.mappings.status.means(code);
    format!("refused with status {}: {means}", code.0)
}

fn is_to_room(translator: &Translator, message: &xmpp_parsers::message::Message) -> bool {
    message.to.as_ref().is_some_and(|to| translator.is_room(to))
}

/// The SSP messages for a stanza, or the stanza that refuses it.
fn to_ssp(translator: &Translator, input: &[u8], now: u64) -> Result<Vec<String>, String> {
    let stanza = text::parse(input).map_err(|error| error.to_string())?;
    let primitive = match stanza {
        Stanza::Message(message) => {
            if let Some(report) = report(translator, &message, now)? {
                report.into()
            } else if let Some(notification) = event(translator, &message)? {
                notification.into()
            } else if is_to_room(translator, &message) && invitation::invitees(&message).is_some() {
                return Err("what becomes of it the group says, which is asked first".to_owned());
            } else if let Some(into) = invitation::of_message(translator, &message) {
                let id = message.id.as_ref().map_or("1", |id| id.0.as_str());
                let invited = Party::User(User::new(into.invitee));
                let to = invitation::To::Group(into.group);
                let note = into.reason.as_deref();
                let kind = (id, 86_400);
                invitation::request(kind, &into.inviter, invited, &to, note).into()
            } else {
                let id = message.id.as_ref().map_or("1", |id| id.0.as_str());
                let translated = message::to_ssp(translator, &message, id, VALIDITY, None, now);
                match translated.map_err(|error| error.to_string())? {
                    ToSsp::Message(request) => Primitive::from(*request),
                    ToSsp::Nothing(kind) => {
                        return Err(format!(
                            "nothing in this message has a counterpart in SSP ({kind})"
                        ));
                    }
                    ToSsp::Expired(_) => {
                        return Err("it may not be delivered any more".to_owned());
                    }
                    ToSsp::Refuse(error) => {
                        let refusal = Stanza::Message(refusal(&message, *error));
                        let refusal = text::print(&refusal).map_err(|error| error.to_string())?;
                        return Err(format!("it is refused by: {refusal}"));
                    }
                }
            }
        }
        Stanza::Presence(presence) => about_presence(translator, &presence, now)?,
        Stanza::Iq(iq) => question(translator, &iq)?,
    };
    let raw = primitive.to_xml(None);
    let transaction = [(Mode::Request, "1", raw.as_str())];
    Ok(vec![envelope::print_session(
        NAMESPACE,
        "offline",
        transaction,
    )])
}

/// A receipt or an error says what became of an earlier message.
fn report(
    translator: &Translator,
    message: &xmpp_parsers::message::Message,
    now: u64,
) -> Result<Option<DeliveryStatusReport>, String> {
    let (id, code) = if let Some(receipt) = receipt::receipt(message) {
        (receipt.id, Code::OK)
    } else if let Some(error) = error_of(message) {
        let code = translator.mappings.status.code(error, Context::Message);
        let id = message.id.as_ref().map(|id| id.0.clone());
        (id.unwrap_or_default(), code)
    } else {
        return Ok(None);
    };
    let (from, to) = (ends(message.from.as_ref())?, ends(message.to.as_ref())?);
    let about = About {
        message_id: id,
        sender: translator.address(to).map_err(|error| error.to_string())?,
        recipient: translator.user(from).map_err(|error| error.to_string())?,
        date_time: None,
        content_type: None,
        content_size: None,
    };
    Ok(Some(receipt::report(
        &translator.mappings.status,
        &about,
        code,
        now,
    )))
}

/// What somebody publishes by PEP.
fn event(
    translator: &Translator,
    message: &xmpp_parsers::message::Message,
) -> Result<Option<PresenceNotification>, String> {
    let mut seen = Seen::default();
    if !seen.event(message) {
        return Ok(None);
    }
    // Of availability an event says nothing.
    let mut list = seen.published(&translator.mappings.presence);
    list.sort();
    let (from, to) = (ends(message.from.as_ref())?, ends(message.to.as_ref())?);
    let address = |jid| translator.address(jid).map_err(|error| error.to_string());
    let value = PresenceValue {
        user: address(from)?,
        presence: Some(list),
    };
    Ok(Some(PresenceNotification {
        meta: None,
        watchers: vec![User::new(address(to)?)],
        values: vec![value],
    }))
}

fn about_presence(
    translator: &Translator,
    presence: &Presence,
    now: u64,
) -> Result<Primitive, String> {
    let (from, to) = (ends(presence.from.as_ref())?, ends(presence.to.as_ref())?);
    if payload(&presence.payloads, "x", ns::MUC).is_some() || translator.is_room(to) {
        return Err("what is sent to a room is translated only by a gateway that runs".to_owned());
    }
    let from = translator
        .address(from)
        .map_err(|error| error.to_string())?;
    let to = translator.address(to).map_err(|error| error.to_string())?;
    let meta = Some(MetaInfo::of_user(from.domain(), from.clone()));
    Ok(match presence.type_ {
        Type::None | Type::Unavailable => {
            let mut seen = Seen::default();
            seen.presence(presence, now);
            let list = seen.to_ssp(&translator.mappings.presence, &from, &[], None);
            PresenceNotification {
                meta: None,
                watchers: vec![User::new(to)],
                values: vec![PresenceValue {
                    user: from,
                    presence: Some(list),
                }],
            }
            .into()
        }
        Type::Subscribe => SubscribeRequest {
            meta,
            users: vec![UserId { user: to }],
            attributes: Some(AttributeList::all()),
        }
        .into(),
        Type::Unsubscribe => UnsubscribeRequest {
            meta,
            users: vec![UserId { user: to }],
        }
        .into(),
        Type::Probe => GetPresenceRequest {
            meta,
            users: vec![VerUserId {
                user: to,
                version: None,
            }],
            attributes: Some(AttributeList::all()),
        }
        .into(),
        _ => return Err("decisions about subscriptions depend on earlier stanzas".to_owned()),
    })
}

fn ends(jid: Option<&Jid>) -> Result<&Jid, String> {
    jid.ok_or_else(|| "the stanza lacks from or to".to_owned())
}

#[cfg(test)]
#[path = "translate_tests.rs"]
mod tests;
