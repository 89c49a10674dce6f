//! Status and its details (wire profile, 8.1). What a code means and
//! how it translates stands in `mappings/status.toml`.

use std::borrow::Cow;
use std::fmt;

use super::address::Address;
use super::common::ScreenName;
use super::xml::Field;
use super::xml::element::element;

/// A status code: a number of three digits whose hundreds give the class.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub struct Code(pub u16);

macro_rules! codes {
    ($($(#[$meta:meta])* $name:ident = $number:literal;)*) => {
        impl Code {
            $( $(#[$meta])* pub const $name: Self = Self($number); )*

            /// All that have a name here.
            pub const ALL: &[Self] = &[$( Self::$name ),*];
        }
    };
}
codes! {
    /// Complete success.
    OK = 200;
    /// Part done; each failure has a detail.
    PARTIAL = 201;
    /// Syntax or structure wrong.
    BAD_REQUEST = 400;
    /// Login digest wrong.
    UNAUTHORIZED = 401;
    /// Missing or illegal parameter.
    BAD_PARAMETER = 402;
    /// A policy forbids it: of the domain asked, or of one on the way.
    FORBIDDEN = 403;
    /// Not found.
    NOT_FOUND = 404;
    /// Primitive unknown.
    NOT_SUPPORTED = 405;
    /// Message cannot be delivered.
    UNDELIVERABLE = 410;
    /// Content type not accepted.
    MEDIA_TYPE = 415;
    /// Invitation unknown.
    INVALID_INVITATION = 423;
    /// Message unknown, fetched or expired.
    INVALID_MESSAGE = 426;
    /// Recipient unknown (the deployed server's word for 531 in messages).
    INVALID_USER = 427;
    /// The server failed; the same request may be tried once more.
    INTERNAL = 500;
    /// Primitive known, no handler.
    NOT_IMPLEMENTED = 501;
    /// Overload, maintenance, no session to the next hop.
    UNAVAILABLE = 503;
    /// The next hop did not answer in time.
    TIMEOUT = 504;
    /// Version not supported.
    VERSION = 505;
    /// Function not covered by the service agreement.
    NOT_AGREED = 506;
    /// Message queue is full.
    QUEUE_FULL = 507;
    /// Domain neither served nor relayed to.
    DOMAIN_NOT_SUPPORTED = 516;
    /// The publisher never answered the authorization request.
    UNRESPONDED = 521;
    /// The domain has no user of this address.
    UNKNOWN_USER = 531;
    /// Recipient blocked the sender.
    BLOCKED = 532;
    /// Recipient not logged in, and nothing stores the message.
    OFFLINE = 533;
    /// Recipient may not use the service.
    UNAUTHORIZED_RECIPIENT = 534;
    /// Rejected by the recipient.
    REJECTED = 538;
    /// Forwarded by the recipient.
    FORWARDED = 541;
    /// Validity over before delivery.
    EXPIRED = 542;
    /// The session has ended because nothing was heard for too long.
    SESSION_EXPIRED = 600;
    /// The server ended the session.
    FORCED_LOGOUT = 601;
    /// No session has this id, or has it any more.
    INVALID_SESSION = 604;
    /// A new value that is not accepted; the old one stays.
    NOT_ACCEPTED = 605;
    /// Contact list does not exist.
    NO_CONTACT_LIST = 700;
    /// Contact list exists already.
    CONTACT_LIST_EXISTS = 701;
    /// The user has as many contact lists as they may.
    TOO_MANY_CONTACT_LISTS = 753;
    /// The user has as many contacts as they may.
    TOO_MANY_CONTACTS = 754;
    /// Group does not exist.
    NO_GROUP = 800;
    /// Group is not joined.
    NOT_JOINED = 808;
    /// Several different failures, nothing done.
    MULTIPLE = 900;
    /// Address malformed, or not of the domain that sent it.
    ADDRESS = 901;
}

impl Code {
    /// Whether it is one of 200 to 299.
    pub fn is_success(self) -> bool {
        self.0 / 100 == 2
    }

    /// What a description adds to the code: nothing, if it is empty or says of a failure
    /// that all is well, as the deployed server does in reports of failures.
    pub fn said(self, description: Option<&str>) -> Option<&str> {
        let text = description?.trim();
        let plain = text.trim_end_matches(['.', '!']).to_ascii_lowercase();
        let is_good = matches!(
            plain.as_str(),
            "complete" | "completed" | "success" | "successful" | "ok" | "done" | "delivered"
        );
        let lies = is_good && self.0 >= 300;
        (!text.is_empty() && !lies).then_some(text)
    }

    /// Whether the failure may pass by itself: the requestor may try again.
    pub fn is_transient(self) -> bool {
        matches!(self.0, 408 | 500 | 503 | 504 | 507)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Code({})", self.0)
    }
}

/// An absent or unreadable code counts as 404, as in the deployed server.
impl Default for Code {
    fn default() -> Self {
        Self::NOT_FOUND
    }
}

impl Field for Code {
    fn parse(text: &str) -> Option<Self> {
        text.trim().parse().ok().map(Self)
    }
    fn print(&self) -> Cow<'_, str> {
        Cow::Owned(self.0.to_string())
    }
}

element! {
    /// The outcome of a request.
    Status {
        /// Decides alone; absent, it is read as 404.
        attr def "code" code: Code,
        /// A text for people.
        child opt "StatusDescription" description: String,
        /// One per kind of failure, with whom it concerns.
        child many "DetailedResult" details: DetailedResult,
        /// Seconds after which a new try makes sense.
        child opt "TryAgainTimeout" try_again: u32,
    }

    /// One kind of failure within a partial success.
    DetailedResult {
        /// The verdict for those listed.
        attr def "code" code: Code,
        /// For people; the deployed server names the user only here.
        child opt "StatusDescription" description: String,
        /// Whom this code is about; empty if it is about other things, or all.
        child many "UserID" users: super::common::UserId,
        /// Groups concerned.
        child many "GroupID" groups: super::common::GroupId,
        /// Screen names concerned.
        child many "ScreenName" | "ScreenNames" screen_names: ScreenName,
        /// Domains concerned.
        child many "Domain" domains: String,
        /// Messages concerned.
        child many "MessageID" messages: super::common::MessageId,
        /// Contact lists concerned.
        child many "ContactList" contact_lists: super::common::ContactList,
    }
}

impl Status {
    /// The verdict on a request with a single target: the first detail says more than a partial
    /// success or several errors.
    pub fn effective(&self) -> Code {
        match self.details.first() {
            Some(detail) if matches!(self.code, Code::PARTIAL | Code::MULTIPLE) => detail.code,
            _ => self.code,
        }
    }

    /// A status without description and details.
    pub fn new(code: Code) -> Self {
        Self {
            code,
            description: None,
            details: Vec::new(),
            try_again: None,
        }
    }

    /// A status 200.
    pub fn ok() -> Self {
        Self::new(Code::OK)
    }

    /// Adds a description.
    #[must_use]
    pub fn because(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// What is said besides the code, see [`Code::said`].
    pub fn words(&self) -> Option<&str> {
        self.code.said(self.description.as_deref())
    }

    /// The status of a request with several user targets, some of which failed:
    /// 200 without failures, the failure's own code if the only target failed,
    /// 201 if some succeeded, 900 if all failed (status-codes, rules).
    pub fn of_users(targets: usize, failures: Vec<(Code, Address)>) -> Self {
        let failed = failures.len();
        if failed == 0 {
            return Self::ok();
        }
        if targets == 1 {
            return Self::new(failures[0].0);
        }
        let mut details: Vec<DetailedResult> = Vec::new();
        for (code, user) in failures {
            let user = super::common::UserId { user };
            match details.iter_mut().find(|detail| detail.code == code) {
                Some(detail) => detail.users.push(user),
                None => details.push(DetailedResult {
                    users: vec![user],
                    ..DetailedResult::new(code)
                }),
            }
        }
        let code = if failed < targets {
            Code::PARTIAL
        } else {
            Code::MULTIPLE
        };
        Self {
            details,
            ..Self::new(code)
        }
    }
}

impl DetailedResult {
    /// What is said besides the code, see [`Code::said`].
    pub fn words(&self) -> Option<&str> {
        self.code.said(self.description.as_deref())
    }

    /// A detail that names nobody yet.
    pub fn new(code: Code) -> Self {
        Self {
            code,
            description: None,
            users: Vec::new(),
            groups: Vec::new(),
            screen_names: Vec::new(),
            domains: Vec::new(),
            messages: Vec::new(),
            contact_lists: Vec::new(),
        }
    }
}
