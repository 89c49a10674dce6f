//! Stanza errors that the link sends or hands back by itself (RFC 6120, section 8.3).

use tokio_xmpp::{Stanza, jid::Jid};
use xmpp_parsers::{
    iq::Iq,
    message::{Id, Message, MessageType},
    presence::{Presence, Type as PresenceType},
    stanza_error::{DefinedCondition, ErrorType, StanzaError},
};

use super::{
    element::{BadStanza, Kind, Wrong},
    text::PrintError,
};

/// The answer to a stanza that came in wrong, or none where the rules forbid one (an error is
/// never answered) or where nobody could receive it.
///
/// The answer comes from the address that was written to, if that lies within `domain`, else
/// from `domain` itself: servers cut off a component that uses a foreign address.
pub(super) fn to_bad_stanza(domain: &str, bad: &BadStanza) -> Option<Stanza> {
    let type_ = bad.type_.as_deref();
    let silent = match bad.kind {
        Kind::Iq => matches!(type_, Some("result" | "error")),
        Kind::Message => type_ == Some("error"),
        Kind::Presence => matches!(type_, Some("error" | "unavailable")),
    };
    let sender = Jid::new(bad.from.as_deref()?).ok()?;
    if silent {
        return None;
    }
    let addressed = bad.to.as_deref().map(Jid::new);
    let condition = match (&bad.wrong, &addressed) {
        (Wrong::TooLarge(_) | Wrong::TooDeep(_), _) => DefinedCondition::PolicyViolation,
        (Wrong::Malformed(_), Some(Err(_))) => DefinedCondition::JidMalformed,
        (Wrong::Malformed(_), _) => DefinedCondition::BadRequest,
    };
    let from = match addressed {
        Some(Ok(jid)) if jid.domain().as_str() == domain => jid,
        _ => Jid::new(domain).ok()?,
    };
    let error = StanzaError::new(ErrorType::Modify, condition, "en", bad.wrong.to_string());
    Some(assemble(bad.kind, from, sender, bad.id.clone(), error))
}

/// The bounce for a stanza of ours that was not sent, as the server would have sent it; or the
/// stanza itself when it must not be answered.
pub(super) fn bounce(stanza: Stanza, why: &Unsendable) -> Result<Stanza, Box<Stanza>> {
    let (kind, from, to, id) = match &stanza {
        Stanza::Iq(iq @ (Iq::Get { .. } | Iq::Set { .. })) => {
            (Kind::Iq, iq.from(), iq.to(), Some(iq.id().to_owned()))
        }
        Stanza::Message(m) if m.type_ != MessageType::Error => (
            Kind::Message,
            m.from.as_ref(),
            m.to.as_ref(),
            m.id.as_ref().map(|id| id.0.clone()),
        ),
        Stanza::Presence(p) if p.type_ != PresenceType::Error => {
            (Kind::Presence, p.from.as_ref(), p.to.as_ref(), p.id.clone())
        }
        _ => return Err(Box::new(stanza)),
    };
    let (Some(from), Some(to)) = (from.cloned(), to.cloned()) else {
        return Err(Box::new(stanza));
    };
    let condition = match why {
        Unsendable::Printing(PrintError::TooLarge { .. }) => DefinedCondition::PolicyViolation,
        Unsendable::Printing(PrintError::Unwritable(_)) => DefinedCondition::BadRequest,
        Unsendable::ForeignSender | Unsendable::NoRecipient => DefinedCondition::NotAllowed,
    };
    let error = StanzaError::new(ErrorType::Modify, condition, "en", why.to_string());
    Ok(assemble(kind, to, from, id, error))
}

/// Why a stanza was not written to the stream.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unsendable {
    #[error(transparent)]
    Printing(#[from] PrintError),
    /// The server would end the connection.
    #[error("the sender's address is not within the component's domain")]
    ForeignSender,
    #[error("the stanza has no recipient")]
    NoRecipient,
}

fn assemble(kind: Kind, from: Jid, to: Jid, id: Option<String>, error: StanzaError) -> Stanza {
    match kind {
        Kind::Iq => Iq::from_error(id.unwrap_or_default(), error)
            .with_from(from)
            .with_to(to)
            .into(),
        Kind::Message => {
            let mut message = Message::new_with_type(MessageType::Error, Some(to));
            message.from = Some(from);
            message.id = id.map(Id);
            message.payloads.push(error.into());
            message.into()
        }
        Kind::Presence => {
            let mut presence = Presence::new(PresenceType::Error);
            presence.from = Some(from);
            presence.to = Some(to);
            presence.id = id;
            presence.payloads.push(error.into());
            presence.into()
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::xmpp::text;

    fn bad(kind: Kind, type_: Option<&str>, to: &str) -> BadStanza {
        BadStanza {
            kind,
            from: Some("romeo@x.example/r".to_owned()),
            to: Some(to.to_owned()),
            type_: type_.map(str::to_owned),
            id: Some("7".to_owned()),
            wrong: Wrong::Malformed("so".to_owned()),
        }
    }

    fn answer(bad: &BadStanza) -> String {
        text::print(&to_bad_stanza("wv.example", bad).unwrap()).unwrap()
    }

    #[test]
    fn a_malformed_request_is_answered_from_the_address_it_went_to() {
        let text = answer(&bad(Kind::Iq, Some("odd"), "julia@wv.example"));
        for part in [
            "from='julia@wv.example'",
            "to='romeo@x.example/r'",
            "id='7'",
            "type='error'",
            "bad-request",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    #[test]
    fn an_unusable_address_is_answered_from_the_domain() {
        for to in ["@@wv.example", "someone@elsewhere.example"] {
            let text = answer(&bad(Kind::Message, None, to));
            assert!(text.contains("from='wv.example'"), "{text}");
        }
        assert!(answer(&bad(Kind::Presence, Some("odd"), "@@")).contains("jid-malformed"));
    }

    #[test]
    fn errors_and_results_are_never_answered() {
        for (kind, type_) in [
            (Kind::Iq, "error"),
            (Kind::Iq, "result"),
            (Kind::Message, "error"),
            (Kind::Presence, "error"),
        ] {
            assert_eq!(
                to_bad_stanza("wv.example", &bad(kind, Some(type_), "@")),
                None
            );
        }
    }

    #[test]
    fn a_message_that_cannot_be_sent_comes_back_as_an_error_to_its_sender() {
        let message =
            text::parse("<message from='j@wv.example' to='r@x' id='1'><body>b</body></message>")
                .unwrap();
        let back = bounce(
            message,
            &Unsendable::Printing(PrintError::TooLarge { size: 9 }),
        )
        .unwrap();
        let text = text::print(&back).unwrap();
        assert!(
            text.contains("from='r@x'") && text.contains("to='j@wv.example'"),
            "{text}"
        );
        assert!(text.contains("policy-violation"), "{text}");
        let error = text::parse("<message from='j@wv.example' to='r@x' type='error'/>").unwrap();
        assert!(bounce(error, &Unsendable::NoRecipient).is_err());
    }
}
