//! Messages: sent, delivered, fetched, reported.

use super::content::{Data, Info};
use super::system::Verdict;
use crate::csp::typed::element;
use crate::imps::Address;
use crate::imps::common::{Recipient, Sender};
use crate::imps::datetime::DateTime;

element! {
    /// The client sends.
    SendMessageRequest {
        def "DeliveryReport" wants_report: bool,
        one "MessageInfo" info: Info,
        opt "ContentData" content: Data,
    }

    /// Whether the message was taken.
    SendMessageResponse {
        one "Result" result: Verdict,
        opt "MessageID" message: String,
    }

    /// The client gets a message.
    NewMessage {
        one "MessageInfo" info: Info,
        opt "ContentData" content: Data,
    }

    /// The client has it.
    MessageDelivered {
        one "MessageID" message: String,
    }

    /// The client is told of a message.
    MessageNotification {
        one "MessageInfo" info: Info,
    }

    /// Asks which messages wait.
    GetMessageListRequest {
        opt "GroupID" group: Address,
        opt "MessageCount" count: u32,
    }

    /// Which messages wait.
    GetMessageListResponse {
        many "MessageInfo" | "MessageInfoList" / "MessageInfo" messages: Info,
        opt "MessageTotalCount" total: u32,
    }

    /// Asks for a message.
    GetMessageRequest {
        one "MessageID" message: String,
    }

    /// A message that was waiting, with its content.
    GetMessageResponse {
        one "MessageInfo" info: Info,
        opt "ContentData" content: Data,
    }

    /// The client does not want messages that it was told of.
    RejectMessageRequest {
        many "MessageID" messages: String,
    }

    /// The client sends on a message that it was told of.
    ForwardMessageRequest {
        one "MessageID" message: String,
        opt "Sender" sender: Sender,
        opt "Recipient" recipients: Vec<Recipient>,
    }

    /// Its new id (1.3).
    ForwardMessageResponse {
        opt "MessageID" message: String,
    }

    /// How messages are to come: pushed, or after a notification.
    SetDeliveryMethodRequest {
        one "DeliveryMethod" method: String,
        opt "AcceptedContentLength" content_length: u32,
        opt "GroupID" group: Address,
        opt "GroupContentLimit" group_limit: u32,
    }

    /// What became of a message.
    DeliveryReportRequest {
        one "Result" result: Verdict,
        opt "DeliveryTime" time: DateTime,
        one "MessageInfo" info: Info,
    }
}
