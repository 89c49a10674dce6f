//! A message that waits for its file.

use minidom::Element;
use serde::{Deserialize, Serialize};

use super::super::records::{file_key, message_of, read};
use super::super::shared::Shared;
use super::Ordered;
use crate::element::{Fault, RequestId, Time};
use crate::imps::primitive::Primitive;
use crate::imps::primitive::message::SendMessageRequest;
use crate::imps::{Address, Code};
use crate::store::Write;
use crate::text::media::essence;
use crate::translate::file::name_of;
use crate::translate::stanza::ns;
use crate::translate::tables::Rendering;

/// What is kept of a message.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    request: Option<RequestId>,
    user: Option<Address>,
    expires: Time,
    until: Time,
    /// The request, as SSP writes it.
    primitive: String,
}

/// A message that waits for its file.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) ordered: Ordered,
    pub(super) until: Time,
    pub(super) component: String,
    pub(super) name: String,
    pub(super) step: Step,
    pub(super) tries: u32,
    /// What went wrong last.
    pub(super) fault: Option<Code>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// For a service, or the link to the server that has it.
    Looking,
    /// For the answer of a service about a place: its id, and who alone may answer.
    Asking {
        id: String,
        jid: String,
        until: Time,
    },
    /// Until the file is where it belongs; there it has this URL, if that is known.
    Moving { number: u64, get: Option<String> },
    /// Until it is tried again.
    Pausing(Time),
}

impl Held {
    pub(super) fn new(ordered: Ordered, until: Time, component: String) -> Self {
        let kind = content_type(&ordered.request);
        let name = name_of(ordered.request.info.content_name.as_deref(), kind);
        Self {
            ordered,
            until,
            component,
            name,
            step: Step::Looking,
            tries: 0,
            fault: None,
        }
    }

    /// Takes back a record.
    pub(super) fn restored(value: &[u8]) -> Result<Self, String> {
        let record: Record = read(value)?;
        let ordered = Ordered {
            request: message_of(&record.primitive)?,
            id: record.request,
            user: record.user,
            expires: record.expires,
        };
        // Its component is found when it goes on.
        Ok(Self::new(ordered, record.until, String::new()))
    }

    pub(super) fn size(&self) -> usize {
        self.content().len()
    }

    pub(super) fn content(&self) -> &[u8] {
        let content = self.ordered.request.content.as_ref();
        content.map_or(&[], |content| &content.bytes)
    }

    pub(super) fn content_type(&self) -> String {
        essence(content_type(&self.ordered.request))
    }

    pub(super) fn write(&self, number: u64) -> Write {
        Write::put_json(file_key(number), &self.record())
    }

    fn record(&self) -> Record {
        let ordered = &self.ordered;
        let primitive = Primitive::SendMessageRequest(ordered.request.clone());
        Record {
            request: ordered.id,
            user: ordered.user.clone(),
            expires: ordered.expires,
            until: self.until,
            primitive: primitive.to_xml(None),
        }
    }

    /// The message with a link instead of its content.
    pub(super) fn linked(mut self, url: &str) -> Ordered {
        let kind = self.content_type();
        let size = self.size() as u64;
        let request = &mut self.ordered.request;
        request.content = None;
        request.info.uri = Some(url.to_owned());
        request.info.content_type = Some(kind);
        request.info.content_name = Some(self.name);
        request.info.content_size = Some(size);
        self.ordered
    }
}

/// The type of a message's content, with its parameters.
fn content_type(request: &SendMessageRequest) -> &str {
    let said = request.info.content_type.as_deref();
    let said = said.filter(|kind| !kind.trim().is_empty());
    let content = request.content.as_ref();
    said.or_else(|| content.map(|content| content.content_type.as_str()))
        .unwrap_or_default()
}

pub(super) fn rendering(request: &SendMessageRequest, shared: &Shared) -> Rendering {
    let table = &shared.translator.mappings.content;
    table.rendering(content_type(request))
}

/// What the sender is told, and whether it may go well later.
pub(super) fn code_of(fault: Fault) -> (Code, bool) {
    match fault {
        Fault::TooLarge | Fault::Type => (Code::MEDIA_TYPE, false),
        Fault::Full => (Code::QUEUE_FULL, false),
        Fault::Refused => (Code::UNDELIVERABLE, false),
        Fault::Passing => (Code::TIMEOUT, true),
    }
}

/// The same of the error of a service (XEP-0363, 5).
pub(super) fn fault_of(error: &Element) -> (Code, bool) {
    let is = |name: &str| error.has_child(name, ns::XMPP_STANZAS);
    if is("not-acceptable") {
        (Code::MEDIA_TYPE, false)
    } else if is("resource-constraint") {
        // Until there is room again may be days.
        (Code::QUEUE_FULL, false)
    } else if error.attr("type") == Some("wait") || is("remote-server-timeout") {
        (Code::TIMEOUT, true)
    } else {
        (Code::UNDELIVERABLE, false)
    }
}
