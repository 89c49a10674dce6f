//! What XMPP answers to a question of the gateway.

use minidom::Element;
use xmpp_parsers::iq::Iq;
use xmpp_parsers::jid::Jid;

use super::shared::Shared;
use crate::imps::Code;
use crate::translate::Context;

/// An answer that is waited for.
#[derive(Debug)]
pub(super) struct Reply {
    /// The id of the question.
    pub(super) id: String,
    pub(super) from: Jid,
    /// What was asked for, or why there is none.
    pub(super) answer: Result<Option<Element>, Code>,
    /// The error that it is, if it is one.
    pub(super) error: Option<Element>,
}

impl Reply {
    /// The answer in a stanza, if it is one that somebody waits for, from whom it was asked; an error as
    /// it is meant in `context`.
    ///
    /// # Errors
    /// It is none: the stanza, to be looked at by others.
    pub(super) fn of(
        iq: Iq,
        context: Context,
        awaits: impl FnOnce(&str, &Jid) -> bool,
        shared: &Shared,
    ) -> Result<Self, Box<Iq>> {
        let (Iq::Result { from, id, .. } | Iq::Error { from, id, .. }) = &iq else {
            return Err(Box::new(iq));
        };
        if !from.as_ref().is_some_and(|from| awaits(id, from)) {
            return Err(Box::new(iq));
        }
        match iq {
            Iq::Result {
                from: Some(from),
                id,
                payload,
                ..
            } => Ok(Self {
                id,
                from,
                answer: Ok(payload),
                error: None,
            }),
            Iq::Error {
                from: Some(from),
                id,
                error,
                ..
            } => {
                let error: Element = error.into();
                let table = &shared.translator.mappings.status;
                Ok(Self {
                    id,
                    from,
                    answer: Err(table.code(&error, context)),
                    error: Some(error),
                })
            }
            other => Err(Box::new(other)),
        }
    }
}
