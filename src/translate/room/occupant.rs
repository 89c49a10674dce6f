//! What a room shows of an occupant, and what somebody asks who comes in (xmpp-mapping, 5.2, 5.3).

use minidom::Element;
use xmpp_parsers::jid::{BareJid, Jid};
use xmpp_parsers::message::{Id, Message, MessageType};
use xmpp_parsers::presence::{Presence, Type};

use super::ns;
use super::standing::Affiliation;
use crate::imps::datetime::DateTime;
use crate::translate::stanza::{attribute, element, payload, text_element};

/// What is shown of an occupant.
#[derive(Debug, Clone, Default)]
pub struct Shown<'s> {
    /// Under which name.
    pub nick: &'s str,
    /// Whether they have gone.
    pub gone: bool,
    /// Owner, moderator or member in the group, as MUC says it.
    pub affiliation: Affiliation,
    /// Who they are, if that is shown.
    pub jid: Option<&'s str>,
    /// Codes of XEP-0045.
    pub codes: Vec<u16>,
    /// The name they have from now on.
    pub new_nick: Option<&'s str>,
    /// Why they had to go.
    pub reason: Option<&'s str>,
    /// The room has ended.
    pub destroyed: bool,
    /// The id that stays the same while they come and go (XEP-0421).
    pub occupant_id: &'s str,
    /// What their own presence says besides: `show`, `status`.
    pub said: Option<&'s Presence>,
}

impl Shown<'_> {
    /// The presence of it for one occupant; `None` if there is no such address.
    pub fn presence(&self, room: &BareJid, to: &Jid) -> Option<Presence> {
        let from = room.with_resource_str(self.nick).ok()?;
        let kind = if self.gone {
            Type::Unavailable
        } else {
            Type::None
        };
        let mut presence = Presence::new(kind).with_from(from).with_to(to.clone());
        if let Some(said) = self.said {
            presence.show.clone_from(&said.show);
            presence.statuses.clone_from(&said.statuses);
        }
        presence.payloads.push(self.user());
        if !self.occupant_id.is_empty() {
            let id = element("occupant-id", ns::OCCUPANT_ID);
            let id = attribute(id, "id", self.occupant_id).build();
            presence.payloads.push(id);
        }
        if let Some(title) = self.affiliation.hat().filter(|_| !self.gone) {
            let hat = attribute(element("hat", ns::HATS), "title", title);
            let uri = format!("urn:x-imps:privilege:{}", title.to_lowercase());
            let hat = attribute(hat, "uri", &uri).build();
            let hats = element("hats", ns::HATS).append(hat).build();
            presence.payloads.push(hats);
        }
        Some(presence)
    }

    fn user(&self) -> Element {
        let role = if self.gone && self.new_nick.is_none() {
            "none"
        } else {
            self.affiliation.role()
        };
        let mut item = element("item", ns::MUC_USER);
        item = attribute(item, "affiliation", self.affiliation.name());
        item = attribute(item, "role", role);
        if let Some(jid) = self.jid {
            item = attribute(item, "jid", jid);
        }
        if let Some(nick) = self.new_nick {
            item = attribute(item, "nick", nick);
        }
        let reason = self.reason.filter(|reason| !reason.trim().is_empty());
        let reason = reason.map(|reason| text_element("reason", ns::MUC_USER, reason));
        let mut x = element("x", ns::MUC_USER);
        if self.destroyed {
            x = x.append(item.build());
            x = x.append(element("destroy", ns::MUC_USER).append_all(reason).build());
        } else {
            x = x.append(item.append_all(reason).build());
        }
        let codes = self.codes.iter();
        x.append_all(codes.map(|code| {
            let status = element("status", ns::MUC_USER);
            attribute(status, "code", &code.to_string()).build()
        }))
        .build()
    }
}

/// The wish to enter a room, in a presence that has one.
pub fn join_of(presence: &Presence) -> Option<&Element> {
    payload(&presence.payloads, "x", ns::MUC)
}

/// Since when, in milliseconds, somebody who enters a room at `now` wants what was said before:
/// `None` for all of it.
pub fn history_since(join: &Element, now: u64) -> Option<u64> {
    let history = join.get_child("history", ns::MUC)?;
    let number = |name: &str| history.attr(name)?.trim().parse::<u64>().ok();
    if number("maxstanzas") == Some(0) || number("maxchars") == Some(0) {
        return Some(now);
    }
    let since = history.attr("since").and_then(DateTime::read);
    let since = since.and_then(|since| u64::try_from(since.0).ok());
    let since = since.map(|seconds| seconds.saturating_mul(1000));
    let seconds = number("seconds").map(|s| now.saturating_sub(s.saturating_mul(1000)));
    since.max(seconds)
}

/// A message of an occupant, or of the room itself, to one occupant.
pub fn message_from(room: &BareJid, nick: Option<&str>, to: &Jid, id: &str) -> Option<Message> {
    let mut message = Message::new_with_type(MessageType::Groupchat, to.clone());
    message.from = Some(match nick {
        Some(nick) => room.with_resource_str(nick).ok()?.into(),
        None => room.clone().into(),
    });
    message.id = Some(Id(id.to_owned()));
    Some(message)
}

/// What marks a message that a room has handed out (XEP-0359, XEP-0421).
pub fn marks(room: &BareJid, stanza_id: &str, occupant_id: &str) -> Vec<Element> {
    let id = attribute(element("stanza-id", ns::SID), "id", stanza_id);
    let id = attribute(id, "by", room.as_str()).build();
    let occupant = element("occupant-id", ns::OCCUPANT_ID);
    let occupant = attribute(occupant, "id", occupant_id).build();
    if occupant_id.is_empty() {
        return vec![id];
    }
    vec![id, occupant]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room() -> BareJid {
        BareJid::new(r"bob\2fparty@village.example").unwrap()
    }

    fn printed(presence: Presence) -> String {
        String::from(&Element::from(presence)).replace('"', "'")
    }

    #[test]
    fn an_occupant_is_shown_with_role_affiliation_and_codes() {
        let shown = Shown {
            nick: "Ali",
            codes: vec![110, 210],
            occupant_id: "abc",
            ..Shown::default()
        };
        let to = Jid::new("alice@home.example/laptop").unwrap();
        let text = printed(shown.presence(&room(), &to).unwrap());
        for part in [
            r"from='bob\2fparty@village.example/Ali'",
            "to='alice@home.example/laptop'",
            "affiliation='none'",
            "role='participant'",
            "<status code='110'/><status code='210'/>",
            "id='abc'",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(!text.contains("type="), "{text}");
    }

    #[test]
    fn one_who_has_gone_has_no_role_and_a_room_that_ended_says_why() {
        let shown = Shown {
            nick: "Ali",
            gone: true,
            destroyed: true,
            reason: Some("over"),
            ..Shown::default()
        };
        let to = Jid::new("alice@home.example/laptop").unwrap();
        let text = printed(shown.presence(&room(), &to).unwrap());
        assert!(text.contains("role='none'") && text.contains("type='unavailable'"));
        assert!(
            text.contains("<destroy><reason>over</reason></destroy>"),
            "{text}"
        );
    }

    #[test]
    fn how_much_history_is_wanted_is_read() {
        let join = |history: &str| -> Element {
            format!("<x xmlns='{}'>{history}</x>", ns::MUC)
                .parse()
                .unwrap()
        };
        for (history, since) in [
            ("", None),
            ("<history/>", None),
            ("<history maxstanzas='20'/>", None),
            ("<history maxstanzas='0'/>", Some(100_000)),
            ("<history maxchars='0'/>", Some(100_000)),
            ("<history seconds='60'/>", Some(40_000)),
            ("<history since='1970-01-01T00:00:50Z'/>", Some(50_000)),
            ("<history since='x' seconds='y'/>", None),
        ] {
            assert_eq!(history_since(&join(history), 100_000), since, "{history}");
        }
    }
}
