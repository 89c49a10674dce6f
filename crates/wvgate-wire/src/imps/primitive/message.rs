//! Instant messages and delivery reports (wire profile, 9.3).

use crate::imps::Status;
use crate::imps::common::{ContentData, MessageInfo, MetaInfo};
use crate::imps::datetime::DateTime;
use crate::imps::xml::element::element;

element! {
    /// An instant message (9.3.1).
    SendMessageRequest {
        /// Whether the sender wants a delivery report.
        attr def "deliveryReport" delivery_report: bool,
        /// Who asks: a user, or a domain for itself.
        child opt "MetaInfo" meta: MetaInfo,
        /// From whom, to whom, what kind.
        child one "MessageInfo" info: MessageInfo,
        /// The content; may be absent when the info says where it is.
        child opt "ContentData" content: ContentData,
    }

    /// Whether the message was taken (9.3.2).
    SendMessageResponse {
        /// As in the request; empty in some refusals.
        attr def "messageID" message_id: String,
        /// The verdict: 201 if some recipients failed, 900 if all did.
        child one "Status" status: Status,
    }

    /// What became of a message (9.3.3). Not answered. Sender and recipient of
    /// the info are exchanged: the sender is the one who reports.
    DeliveryStatusReport {
        /// The requestor: who reports.
        child opt "MetaInfo" meta: MetaInfo,
        /// What became of the message.
        child one "DeliveryResult" result: DeliveryResult,
        /// When it was delivered, if it was.
        child opt "DeliveryTime" time: DateTime,
        /// The message, by its id.
        child one "MessageInfo" info: MessageInfo,
    }

    /// The outcome of a delivery.
    DeliveryResult {
        /// 200 delivered, 538 rejected, 541 forwarded, 542 expired, ...
        child one "Status" status: Status,
    }
}
