//! Messages of the system to a user (1.3), and results that carry them.

use crate::csp::element::Element;
use crate::csp::typed::{Content, element};
use crate::csp::version::Version;
use crate::imps::Status;
use crate::imps::xml::DecodeError;

element! {
    /// The system has something to say or to ask.
    SystemMessageRequest {
        list "SystemMessageList" / "SystemMessage" messages: SystemMessage,
    }

    /// What the user answers.
    SystemMessageUser {
        list "SystemMessageResponseList" / "SystemMessageResponse" responses: SystemMessageResponse,
    }

    /// One message of the system.
    SystemMessage {
        opt "SystemMessageID" id: String,
        opt "RequiresResponse" requires_response: bool,
        opt "SystemMessageText" text: String,
        list "AnswerOptions" / "AnswerOption" options: AnswerOption,
        opt "VerificationMechanism" verification: Verification,
    }

    /// An answer that may be chosen.
    AnswerOption {
        opt "AnswerOptionID" id: u32,
        opt "AnswerOptionText" text: String,
    }

    /// How the user proves to be a person: a text, or where it is shown.
    Verification {
        opt "InText" text: String,
        opt "URL" url: String,
    }

    /// The answer to one message.
    SystemMessageResponse {
        opt "SystemMessageID" id: String,
        opt "ChosenOptionID" option: u32,
        opt "VerificationKey" key: String,
    }
}

/// `Result`: the outcome, and what the system has to say with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// What became of a request that has no response of its own.
    pub status: Status,
    /// Messages of the system (1.3); `None` if there is no list.
    pub messages: Option<Vec<SystemMessage>>,
}

impl From<Status> for Verdict {
    fn from(status: Status) -> Self {
        Self {
            status,
            messages: None,
        }
    }
}

impl Content for Verdict {
    fn read(element: &Element<'_>) -> Result<Self, DecodeError> {
        let list = element.child("SystemMessageList");
        let read = |list: &Element<'_>| list.named("SystemMessage").map(Content::read).collect();
        Ok(Self {
            status: Status::read(element)?,
            messages: list.map(read).transpose()?,
        })
    }

    fn element<'v>(&'v self, name: &'static str, version: Version) -> Element<'v> {
        let mut element = self.status.element(name, version);
        if let Some(messages) = &self.messages {
            let each = messages.iter().map(|m| m.element("SystemMessage", version));
            let list = Element::of("SystemMessageList", each.collect());
            element.children.push(list);
        }
        element
    }
}

/// A text between a client and a server that know each other: its meaning is theirs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Extended(pub String);

impl Content for Extended {
    fn read(element: &Element<'_>) -> Result<Self, DecodeError> {
        String::read(element).map(Self)
    }

    fn element<'v>(&'v self, name: &'static str, version: Version) -> Element<'v> {
        self.0.element(name, version)
    }
}
