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
        // A broadcast is nobody's question.
        Kind::Presence => matches!(type_, None | Some("" | "error" | "unavailable")),
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
            (Kind::Presence, "unavailable"),
            (Kind::Presence, ""),
        ] {
            assert_eq!(
                to_bad_stanza("wv.example", &bad(kind, Some(type_), "@")),
                None
            );
        }
        assert_eq!(
            to_bad_stanza("wv.example", &bad(Kind::Presence, None, "@")),
            None
        );
    }
}
