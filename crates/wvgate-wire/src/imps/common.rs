//! Elements that many primitives share (wire profile, 4.2, 7.2, 8).

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

use super::address::Address;
use super::datetime::DateTime;
use super::presence::PresenceSubList;
use super::xml::element::{choice, element};
use super::xml::{Content, DecodeError, Node, Writer};
use crate::text::media;

element! {
    /// A user, possibly at one client.
    User {
        /// The user's address.
        attr one "userID" user: Address,
        /// A name for people; read, never relied upon.
        attr opt "friendlyName" friendly_name: String,
        /// The client, where one is meant.
        child opt "ClientID" client: ClientId,
    }

    /// A bare user reference in lists.
    UserId {
        /// The user's address.
        attr one "userID" | "userid" user: Address,
    }

    /// A user reference with the presence version the requestor holds.
    VerUserId {
        /// The user's address.
        attr one "userID" user: Address,
        /// Presence version, opaque.
        attr opt "version" version: String,
    }

    /// A whole group, as who sends or gets a message.
    GroupId {
        /// The group's address.
        attr one "groupID" group: Address,
    }

    /// One participant of a group.
    ScreenName {
        /// The group's address.
        attr one "groupID" group: Address,
        /// The name shown in the group.
        text own name: String,
    }

    /// A contact list; as a recipient it stands for its members.
    ContactList {
        /// `wv:owner/name@domain`.
        attr one "contactListID" list: Address,
    }

    /// A message, named by its id.
    MessageId {
        /// As in `MessageInfo`.
        attr one "messageID" id: String,
    }

    /// An application that users are invited to.
    ApplicationId {
        /// What the application is called; nothing is known of its form.
        attr one "applicationID" application: String,
    }

    /// Content by reference.
    ContentId {
        /// Where a client gets the content.
        attr one "url" url: String,
    }

    /// Who asks, and on whose behalf (7.2). First child of every request.
    MetaInfo {
        /// Whether a user asked; else the server acts by itself. Absent counts as yes.
        attr opt "clientOriginated" client_originated: bool,
        /// Who asks: a user, or a domain for itself.
        child one "Requestor" requestor: Requestor,
    }

    /// The requesting home domain and user.
    Requestor {
        /// `wv:@domain` of the requesting home domain.
        attr one "serviceID" service: Address,
        /// The user; required if a user asked.
        child opt "User" user: User,
    }

    /// About one instant message (8.2).
    MessageInfo {
        /// Assigned by the sender's IM service element.
        attr opt "messageID" message_id: String,
        /// Where the content is, if it is not here.
        attr opt "messageURI" | "MessageURI" uri: String,
        /// MIME type with parameters.
        attr opt "contentType" content_type: String,
        /// A name for the content.
        attr opt "contentName" | "ContentName" content_name: String,
        /// Bytes of the decoded content.
        attr opt "contentSize" content_size: u64,
        /// Seconds the message may wait.
        attr opt "validity" | "validlity" validity: u64,
        /// To whom it goes; each is reached, and answered for, alone.
        child many "Recipient" recipients: Recipient,
        /// How to show the recipient.
        child opt "RecipientDisplay" recipient_display: Display,
        /// From whom; of a message of a user the server fills it in.
        child opt "Sender" sender: Sender,
        /// When it was sent. The deployed server's is wrong: never decide by it.
        child opt "DateTime" date_time: DateTime,
    }

    /// From whom: a user, or a group with the screen name to show.
    Sender {
        /// The user who sends.
        child opt "User" user: User,
        /// The group that sends.
        child opt "GroupID" group: GroupId,
        /// The participant of a group who sends.
        child opt "ScreenName" screen_name: ScreenName,
        /// How to show the sender.
        child opt "SenderDisplay" display: Display,
    }

    /// How to show an address.
    Display {
        /// As this user.
        child opt "UserID" user: UserId,
        /// As this group.
        child opt "GroupID" group: GroupId,
        /// As a participant of a group.
        child opt "ScreenName" screen_name: ScreenName,
        /// By a name for people.
        child opt "Name" name: String,
    }

    /// A wrapper of the attributes asked for, or granted.
    AttributeList {
        /// The attributes; none, or an empty list, means all.
        child opt "PresenceSubList" presence: PresenceSubList,
    }

    /// The presence of one user (SSP's element, not the one of the same name inside an attribute).
    PresenceValue {
        /// The user it is about.
        attr one "userID" user: Address,
        /// The values; absent if nothing is authorized.
        child opt "PresenceSubList" presence: PresenceSubList,
    }

    /// A property of a group, contact list or profile.
    Property {
        /// What it is, as `Name` or `PP_AGE`.
        child one "Name" name: String,
        /// What it is set to; absent or empty: nothing.
        child opt "Value" value: String,
    }
}

choice! {
    /// Where a message goes.
    Recipient {
        /// One user, by address.
        "User" => User(User),
        /// Everybody joined to a group.
        "GroupID" => Group(GroupId),
        /// One participant of a group.
        "ScreenName" => ScreenName(ScreenName),
        /// Members of a contact list.
        "ContactList" => ContactList(ContactList),
    }

    /// A party to an invitation.
    Party {
        /// One user, by address.
        "User" => User(User),
        /// A group: to join it.
        "GroupID" => Group(GroupId),
        /// A participant of a group.
        "ScreenName" => ScreenName(ScreenName),
    }
}

impl Recipient {
    /// The address that decides where the message is routed.
    pub fn address(&self) -> &Address {
        match self {
            Self::User(user) => &user.user,
            Self::Group(group) => &group.group,
            Self::ScreenName(name) => &name.group,
            Self::ContactList(list) => &list.list,
        }
    }
}

impl Party {
    /// The address that decides where it is.
    pub fn address(&self) -> &Address {
        match self {
            Self::User(user) => &user.user,
            Self::Group(group) => &group.group,
            Self::ScreenName(name) => &name.group,
        }
    }
}

impl User {
    /// A user at no client in particular.
    pub fn new(user: Address) -> Self {
        Self {
            user,
            friendly_name: None,
            client: None,
        }
    }
}

impl MessageInfo {
    /// The charset of a content: what it says itself, else what is said about it.
    pub fn charset<'s>(&'s self, content: &'s ContentData) -> Option<&'s str> {
        let about = self.content_type.as_deref();
        media::parameter(&content.content_type, "charset")
            .or_else(|| media::parameter(about?, "charset"))
    }
}

impl Sender {
    /// A user.
    pub fn user(user: User) -> Self {
        Self {
            user: Some(user),
            group: None,
            screen_name: None,
            display: None,
        }
    }
}

impl MetaInfo {
    /// A user of `domain` asks.
    pub fn of_user(domain: &str, user: Address) -> Self {
        Self {
            client_originated: Some(true),
            requestor: Requestor {
                service: Address::service(domain),
                user: Some(User::new(user)),
            },
        }
    }

    /// The server of `domain` asks by itself.
    pub fn of_server(domain: &str) -> Self {
        Self {
            client_originated: Some(false),
            requestor: Requestor {
                service: Address::service(domain),
                user: None,
            },
        }
    }

    /// The user who asks, if a user does: with `clientOriginated="No"` a user
    /// that is given all the same is ignored.
    pub fn user(&self) -> Option<&User> {
        match self.client_originated {
            Some(false) => None,
            _ => self.requestor.user.as_ref(),
        }
    }
}

impl AttributeList {
    /// Asks for all attributes.
    pub fn all() -> Self {
        Self { presence: None }
    }
}

/// One client of a user: a text, usually a URL; in XMPP a resource. An
/// application is written `app:id` here (quirk A-7).
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ClientId {
    /// The client's URL.
    pub url: String,
    /// The application, where the client is one.
    pub application: Option<String>,
}

impl Content for ClientId {
    fn read(node: &Node<'_>) -> Result<Self, DecodeError> {
        let application = node
            .child("ApplicationID")
            .and_then(|app| app.attribute(&["applicationID"]))
            .map(|id| id.clone().into_owned());
        let url = node.attribute(&["url"]).map_or("", |url| url.as_ref());
        let url = if url.is_empty() {
            node.text.as_ref()
        } else {
            url
        };
        // The client structure of CSP has the URL as a child.
        let url = if url.is_empty() {
            node.child("URL").map_or("", |url| url.text.as_ref())
        } else {
            url
        };
        Ok(Self {
            url: url.to_owned(),
            application,
        })
    }

    fn write(&self, name: &str, out: &mut Writer<'_>) {
        if out.has_flat_clients() {
            let application = self.application.as_deref().unwrap_or_default();
            let url = Some(self.url.as_str()).filter(|url| !url.is_empty());
            return out.element(name, |out| {
                out.attribute(name, "url", url.unwrap_or(application));
            });
        }
        out.element(name, |out| {
            out.attribute(name, "url", &self.url);
            if let Some(application) = &self.application {
                out.element("ApplicationID", |out| {
                    out.attribute("ApplicationID", "applicationID", application);
                });
            }
        });
    }
}

/// Content of a message (8.3): bytes with a MIME type, base64 on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentData {
    /// MIME type with parameters.
    pub content_type: String,
    /// The decoded content.
    pub bytes: Vec<u8>,
}

impl ContentData {
    /// Content that is text: base64 of UTF-8.
    pub fn text(text: &str) -> Self {
        Self {
            content_type: "text/plain; charset=utf-8".to_owned(),
            bytes: text.as_bytes().to_vec(),
        }
    }
}

impl Content for ContentData {
    fn read(node: &Node<'_>) -> Result<Self, DecodeError> {
        let encoded = node.attribute(&["encoding"]).is_some();
        let bytes = if encoded {
            decode_base64(&node.text).ok_or(DecodeError::Invalid {
                element: "ContentData",
                what: "base64",
            })?
        } else {
            node.text.as_bytes().to_vec()
        };
        let content_type = node
            .attribute(&["contentType"])
            .map_or("text/plain", |t| t.as_ref());
        // Text that stood in the document has been read with it, whatever it says of itself.
        let content_type = match media::parameter(content_type, "charset") {
            Some(charset) if !encoded && !charset.eq_ignore_ascii_case("utf-8") => {
                media::with_charset(content_type, "utf-8")
            }
            _ => content_type.to_owned(),
        };
        Ok(Self {
            content_type,
            bytes,
        })
    }

    fn write(&self, name: &str, out: &mut Writer<'_>) {
        out.element(name, |out| {
            out.attribute(name, "contentType", &self.content_type);
            out.attribute(name, "encoding", "base64");
            out.text(&encode_base64(&self.bytes));
        });
    }
}

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Decodes base64, skipping white space and line breaks, with or without padding.
pub fn decode_base64(text: &str) -> Option<Vec<u8>> {
    if let Ok(bytes) = BASE64.decode(text) {
        return Some(bytes);
    }
    let dense: Vec<u8> = text.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    (dense.len() < text.len()).then(|| BASE64.decode(dense).ok())?
}

/// Encodes base64 on one line.
pub fn encode_base64(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}
