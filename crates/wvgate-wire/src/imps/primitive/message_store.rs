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
        /// The requestor: the user who asks.
        child opt "MetaInfo" meta: MetaInfo,
    }

    /// PSE to home domain: a message. Answered by `MessageDelivered` or `Status`.
    NewMessage {
        /// The asking server.
        child opt "MetaInfo" meta: MetaInfo,
        /// About the message.
        child one "MessageInfo" info: MessageInfo,
        /// The content; absent if the message has none, or refers to it.
        child opt "ContentData" content: ContentData,
    }

    /// The message reached its client.
    MessageDelivered {
        /// The id of the message.
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
        /// How many messages are wanted at most.
        attr opt "messageCount" count: u32,
        /// History of this group.
        attr opt "groupID" group: Address,
        /// The requestor: the user who asks.
        child opt "MetaInfo" meta: MetaInfo,
    }

    /// Messages waiting.
    GetMessageListResponse {
        /// How many there are.
        attr opt "messageTotalCount" total: u32,
        /// Whether it was done, and what of it was not.
        child one "Status" status: Status,
        /// Each message, without its content.
        child many "MessageInfo" messages: MessageInfo,
    }

    /// Fetches a message; it stays stored until delivered.
    GetMessageRequest {
        /// The id of the message.
        attr one "messageID" message_id: String,
        /// One that this group has kept; of our own making.
        attr opt "groupID" group: Address,
        /// The requestor: the user who asks.
        child opt "MetaInfo" meta: MetaInfo,
    }

    /// A message that waits, or why it is not to be had.
    GetMessageResponse {
        /// Whether it was done, and what of it was not.
        child one "Status" status: Status,
        /// The message, without its content.
        child opt "MessageInfo" info: MessageInfo,
        /// Its content; absent if it has none, or refers to it.
        child opt "ContentData" content: ContentData,
    }

    /// Refuses messages unread. Answered by `Status`.
    RejectMessageRequest {
        /// The requestor: the user who asks.
        child opt "MetaInfo" meta: MetaInfo,
        /// The messages, by id.
        child many "MessageID" messages: MessageId,
    }

    /// Sends a waiting message on to others.
    ForwardMessageRequest {
        /// The id of the message.
        attr one "messageID" message_id: String,
        /// The requestor: the user who asks.
        child opt "MetaInfo" meta: MetaInfo,
        /// Who gets the message, besides those who had it.
        child many "Recipient" recipients: Recipient,
        /// The user whose waiting message it is.
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
