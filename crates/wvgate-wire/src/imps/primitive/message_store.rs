//! Message retrieval and delivery control between a home domain and the user's
//! IM PSE (wire profile, 11.9).

use crate::imps::Address;
use crate::imps::Status;
use crate::imps::common::{ContentData, MessageId, MessageInfo, MetaInfo, Recipient, Sender};
use crate::imps::xml::element::element;

element! {
    /// Push or notify. Answered by `Status`.
    SetDeliveryMethodRequest {
        /// `P` push, `N` notify and get.
        attr one "deliveryMethod" method: String,
        /// Bytes pushed at most.
        attr opt "acceptedContentLength" content_length: u64,
        /// Only for this group.
        attr opt "groupID" group: Address,
        /// The user asks.
        child opt "MetaInfo" meta: MetaInfo,
    }

    /// PSE to home domain: a message. Answered by `MessageDelivered` or `Status`.
    NewMessage {
        /// The asking server.
        child opt "MetaInfo" meta: MetaInfo,
        /// About the message.
        child one "MessageInfo" info: MessageInfo,
        /// The content.
        child opt "ContentData" content: ContentData,
    }

    /// The message reached its client.
    MessageDelivered {
        /// Which.
        attr one "messageID" message_id: String,
        /// Only if sent as a request.
        child opt "MetaInfo" meta: MetaInfo,
    }

    /// PSE to home domain: a message is waiting. Answered by `Status`.
    MessageNotification {
        /// The asking server.
        child opt "MetaInfo" meta: MetaInfo,
        /// About the message.
        child one "MessageInfo" info: MessageInfo,
    }

    /// Which messages are waiting?
    GetMessageListRequest {
        /// At most so many.
        attr opt "messageCount" count: u32,
        /// History of this group.
        attr opt "groupID" group: Address,
        /// The user asks.
        child opt "MetaInfo" meta: MetaInfo,
    }

    /// Messages waiting.
    GetMessageListResponse {
        /// How many there are.
        attr opt "messageTotalCount" total: u32,
        /// The verdict.
        child one "Status" status: Status,
        /// About each.
        child many "MessageInfo" messages: MessageInfo,
    }

    /// Fetches a message; it stays stored until delivered.
    GetMessageRequest {
        /// Which.
        attr one "messageID" message_id: String,
        /// The user asks.
        child opt "MetaInfo" meta: MetaInfo,
    }

    /// The message.
    GetMessageResponse {
        /// The verdict.
        child one "Status" status: Status,
        /// About it.
        child opt "MessageInfo" info: MessageInfo,
        /// Its content.
        child opt "ContentData" content: ContentData,
    }

    /// Refuses messages unread. Answered by `Status`.
    RejectMessageRequest {
        /// The user asks.
        child opt "MetaInfo" meta: MetaInfo,
        /// Which.
        child many "MessageID" messages: MessageId,
    }

    /// Sends a waiting message on to others.
    ForwardMessageRequest {
        /// Which.
        attr one "messageID" message_id: String,
        /// The user asks.
        child opt "MetaInfo" meta: MetaInfo,
        /// To whom.
        child many "Recipient" recipients: Recipient,
        /// From whom.
        child opt "Sender" sender: Sender,
    }

    /// Whether it was forwarded.
    ForwardMessageResponse {
        /// The new message's id.
        attr opt "messageID" message_id: String,
        /// As in `SendMessageResponse`.
        child one "Status" status: Status,
    }
}
