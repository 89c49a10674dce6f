//! What is kept of a message to contact lists, until all on them have it.

use serde::{Deserialize, Serialize};

use super::relays::Relayed;
use crate::element::{RequestId, Time};
use crate::gateway::records::message_of;
use crate::imps::Address;
use crate::imps::primitive::Primitive;

/// One record.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Record {
    /// Who is on the lists is not known yet.
    Held(Held),
    /// It has gone on, and is not answered yet.
    Relayed(Relayed),
}

/// A message whose lists are to be read.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Held {
    pub(super) user: Address,
    pub(super) to: Option<RequestId>,
    pub(super) expires: Time,
    /// As SSP writes it.
    primitive: String,
}

impl Held {
    pub(super) fn new(
        user: &Address,
        to: Option<RequestId>,
        expires: Time,
        message: &Primitive,
    ) -> Self {
        Self {
            user: user.clone(),
            to,
            expires,
            primitive: message.to_xml(None),
        }
    }

    /// The message.
    pub(super) fn request(&self) -> Result<Primitive, String> {
        message_of(&self.primitive).map(Primitive::SendMessageRequest)
    }
}
