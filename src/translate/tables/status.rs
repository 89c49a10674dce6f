//! Status codes and stanza errors (xmpp-mapping, 12).

use std::collections::BTreeMap;

use minidom::Element;
use xmpp_parsers::stanza_error::{DefinedCondition, ErrorType, StanzaError};

use super::rows::{MappingError, Rows};
use crate::imps::Code;
use crate::translate::stanza::{attribute, element, ns};

/// What was asked: the same error has another code for another question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Context {
    /// A message to a user.
    Message,
    /// A message to a room.
    Groupchat,
    /// Presence or a subscription.
    Presence,
    /// An operation on a room.
    Group,
    /// A presence that asks to come into a room.
    Join,
    /// A presence that made a room, or its first configuration.
    Create,
    /// Something about one participant of a room.
    Nick,
    /// Whatever is not about a room, or about more than one who is in it.
    Other,
}

/// The table `status.toml`: status codes and stanza errors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusTable {
    codes: BTreeMap<u16, CodeRow>,
    classes: BTreeMap<u16, ErrorForm>,
    conditions: BTreeMap<String, ConditionRow>,
    legacy: BTreeMap<u16, String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct CodeRow {
    means: String,
    error: Option<ErrorForm>,
    message: Option<ErrorForm>,
    join: Option<ErrorForm>,
    /// The code that XMPP is shown instead, because this one must not be told.
    shown_as: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct ErrorForm {
    kind: String,
    condition: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct ConditionRow {
    message: u16,
    presence: u16,
    group: u16,
    other: u16,
    groupchat: Option<u16>,
    join: Option<u16>,
    create: Option<u16>,
    nick: Option<u16>,
    blocked: Option<u16>,
}

/// All conditions of RFC 6120, section 8.3.3.
pub(super) const CONDITIONS: [&str; 22] = [
    "bad-request",
    "conflict",
    "feature-not-implemented",
    "forbidden",
    "gone",
    "internal-server-error",
    "item-not-found",
    "jid-malformed",
    "not-acceptable",
    "not-allowed",
    "not-authorized",
    "policy-violation",
    "recipient-unavailable",
    "redirect",
    "registration-required",
    "remote-server-not-found",
    "remote-server-timeout",
    "resource-constraint",
    "service-unavailable",
    "subscription-required",
    "undefined-condition",
    "unexpected-request",
];

const TYPES: [&str; 5] = ["auth", "cancel", "continue", "modify", "wait"];

/// All codes of the list of status codes.
pub(super) const CODES: [u16; 96] = [
    100, 101, 102, 200, 201, 202, 400, 401, 402, 403, 404, 405, 406, 408, 409, 410, 411, 415, 420,
    422, 423, 424, 425, 426, 427, 428, 429, 431, 432, 450, 500, 501, 502, 503, 504, 505, 506, 507,
    516, 521, 522, 531, 532, 533, 534, 535, 536, 537, 538, 540, 541, 542, 543, 562, 600, 601, 603,
    604, 605, 700, 701, 702, 750, 751, 752, 753, 754, 755, 760, 800, 801, 802, 803, 804, 805, 806,
    807, 808, 809, 810, 811, 812, 813, 814, 815, 816, 817, 821, 822, 823, 824, 900, 901, 902, 903,
    920,
];

impl StatusTable {
    pub(super) fn read(root: &Rows<'_>) -> Result<Self, MappingError> {
        root.only(&["codes", "classes", "conditions", "legacy"])?;
        let mut codes = BTreeMap::new();
        let rows = root.table("codes")?;
        for key in rows.keys() {
            codes.insert(three_digits(&rows, &key)?, CodeRow::read(&rows, &key)?);
        }
        let needed: Vec<String> = CODES.iter().map(u16::to_string).collect();
        rows.needs(
            needed.iter().map(String::as_str),
            "the status codes of IMPS",
        )?;

        let mut classes = BTreeMap::new();
        let rows = root.table("classes")?;
        rows.only(&["4", "5", "6", "7", "8", "9"])?;
        rows.needs(["4", "5", "6", "7", "8", "9"], "the classes of failures")?;
        for (key, class) in ["4", "5", "6", "7", "8", "9"].into_iter().zip(4..) {
            classes.insert(class, ErrorForm::read(&rows.table(key)?)?);
        }

        let mut conditions = BTreeMap::new();
        let rows = root.table("conditions")?;
        rows.only(&CONDITIONS)?;
        rows.needs(CONDITIONS, "the stanza errors of RFC 6120")?;
        for key in rows.keys() {
            conditions.insert(key.clone(), ConditionRow::read(&rows.table(&key)?)?);
        }

        let mut legacy = BTreeMap::new();
        let rows = root.table("legacy")?;
        rows.needs(LEGACY, "the error codes before RFC 6120")?;
        for key in rows.keys() {
            legacy.insert(three_digits(&rows, &key)?, rows.one_of(&key, &CONDITIONS)?);
        }
        Ok(Self {
            codes,
            classes,
            conditions,
            legacy,
        })
    }

    /// What a code means, in words.
    pub fn means(&self, code: Code) -> &str {
        let row = self
            .codes
            .get(&code.0)
            .or_else(|| self.codes.get(&(code.0 / 100 * 100)));
        row.map_or("Unknown status", |row| row.means.as_str())
    }

    /// The stanza error for a code; `None` for a code that is no failure.
    /// `description` replaces the meaning of the code in its text, unless it says nothing
    /// or contradicts the code. A code that must not be told (a block) is shown as another one, in
    /// every part.
    pub fn error(
        &self,
        code: Code,
        context: Context,
        description: Option<&str>,
    ) -> Option<StanzaError> {
        let shown_as = self.codes.get(&code.0).and_then(|row| row.shown_as);
        let (code, description) = match shown_as {
            Some(other) => (Code(other), None),
            None => (code, description),
        };
        let form = self.form(code, context)?;
        let words = code.said(description).unwrap_or(self.means(code));
        let text = format!("IMPS {code}: {words}");
        let condition = condition_named(&form.condition);
        let mut error = StanzaError::new(type_named(&form.kind), condition, "en", text);
        error.other = Some(
            attribute(
                element("imps-status", ns::IMPS_STATUS),
                "code",
                &code.to_string(),
            )
            .build(),
        );
        Some(error)
    }

    fn form(&self, code: Code, context: Context) -> Option<&ErrorForm> {
        let Some(row) = self.codes.get(&code.0) else {
            return self.classes.get(&(code.0 / 100));
        };
        let special = match context {
            Context::Message | Context::Groupchat => row.message.as_ref(),
            Context::Join => row.join.as_ref(),
            _ => None,
        };
        special.or(row.error.as_ref())
    }

    /// The code of a stanza error, given as the `<error/>` element so that its
    /// `code` attribute of old is seen.
    pub fn code(&self, error: &Element, context: Context) -> Code {
        let restored = error
            .get_child("imps-status", ns::IMPS_STATUS)
            .and_then(|status| status.attr("code")?.parse().ok())
            .filter(|code| (400..1000).contains(code));
        if let Some(code) = restored {
            return Code(code);
        }
        let defined = error
            .children()
            .find(|child| child.has_ns(ns::XMPP_STANZAS) && child.name() != "text")
            .map(|child| child.name().to_owned())
            .filter(|name| self.conditions.contains_key(name));
        let legacy = || {
            let code: u16 = error.attr("code")?.parse().ok()?;
            self.legacy.get(&code).cloned()
        };
        let Some(row) = defined
            .or_else(legacy)
            .and_then(|name| self.conditions.get(&name))
        else {
            return Code::INTERNAL;
        };
        let blocked = error.has_child("blocked", ns::BLOCKING_ERRORS);
        if let (true, Some(code)) = (blocked, row.blocked) {
            return Code(code);
        }
        Code(match context {
            Context::Message => row.message,
            Context::Groupchat => row.groupchat.unwrap_or(row.message),
            Context::Presence => row.presence,
            Context::Group => row.group,
            Context::Join => row.join.unwrap_or(row.group),
            Context::Create => row.create.unwrap_or(row.group),
            Context::Nick => row.nick.unwrap_or(row.group),
            Context::Other => row.other,
        })
    }
}

const LEGACY: [&str; 17] = [
    "302", "400", "401", "402", "403", "404", "405", "406", "407", "408", "409", "500", "501",
    "502", "503", "504", "510",
];

fn three_digits(rows: &Rows<'_>, key: &str) -> Result<u16, MappingError> {
    key.parse()
        .ok()
        .filter(|code| (100..1000).contains(code))
        .ok_or_else(|| rows.wrong(key, format!("\"{key}\" is not a code of three digits")))
}

impl CodeRow {
    fn read(rows: &Rows<'_>, key: &str) -> Result<Self, MappingError> {
        let row = rows.table(key)?;
        row.only(&["means", "type", "condition", "message", "join", "as"])?;
        let part = |name: &str| {
            if row.has(name) {
                ErrorForm::read(&row.table(name)?).map(Some)
            } else {
                Ok(None)
            }
        };
        let shown_as = row.has("as").then(|| row.number("as")).transpose()?;
        if let Some(code) = shown_as.filter(|code| !(400..1000).contains(code)) {
            return Err(row.wrong("as", format!("{code} is not the code of a failure")));
        }
        let error = match row.has("type") || row.has("condition") {
            true => Some(ErrorForm::of(&row)?),
            false if key < "400" || key == "541" || shown_as.is_some() => None,
            false => return Err(row.wrong("", format!("{key} needs a type and a condition"))),
        };
        Ok(Self {
            means: row.text("means")?,
            error,
            message: part("message")?,
            join: part("join")?,
            shown_as,
        })
    }
}

impl ErrorForm {
    fn read(row: &Rows<'_>) -> Result<Self, MappingError> {
        row.only(&["type", "condition"])?;
        Self::of(row)
    }

    fn of(row: &Rows<'_>) -> Result<Self, MappingError> {
        Ok(Self {
            kind: row.one_of("type", &TYPES)?,
            condition: row.one_of("condition", &CONDITIONS)?,
        })
    }
}

impl ConditionRow {
    fn read(row: &Rows<'_>) -> Result<Self, MappingError> {
        row.only(&[
            "message",
            "presence",
            "group",
            "other",
            "groupchat",
            "join",
            "create",
            "nick",
            "blocked",
        ])?;
        let code = |name: &str| {
            let code = row.number(name)?;
            if (400..1000).contains(&code) {
                Ok(code)
            } else {
                Err(row.wrong(name, format!("{code} is not the code of a failure")))
            }
        };
        let maybe = |name: &str| row.has(name).then(|| code(name)).transpose();
        Ok(Self {
            message: code("message")?,
            presence: code("presence")?,
            group: code("group")?,
            other: code("other")?,
            groupchat: maybe("groupchat")?,
            join: maybe("join")?,
            create: maybe("create")?,
            nick: maybe("nick")?,
            blocked: maybe("blocked")?,
        })
    }
}

fn type_named(name: &str) -> ErrorType {
    match name {
        "auth" => ErrorType::Auth,
        "continue" => ErrorType::Continue,
        "modify" => ErrorType::Modify,
        "wait" => ErrorType::Wait,
        _ => ErrorType::Cancel,
    }
}

/// The condition of that name, `undefined-condition` for others.
pub(super) fn condition_named(name: &str) -> DefinedCondition {
    use DefinedCondition as D;
    match name {
        "bad-request" => D::BadRequest,
        "conflict" => D::Conflict,
        "feature-not-implemented" => D::FeatureNotImplemented,
        "forbidden" => D::Forbidden,
        "gone" => D::Gone { new_address: None },
        "internal-server-error" => D::InternalServerError,
        "item-not-found" => D::ItemNotFound,
        "jid-malformed" => D::JidMalformed,
        "not-acceptable" => D::NotAcceptable,
        "not-allowed" => D::NotAllowed,
        "not-authorized" => D::NotAuthorized,
        "policy-violation" => D::PolicyViolation,
        "recipient-unavailable" => D::RecipientUnavailable,
        "redirect" => D::Redirect { new_address: None },
        "registration-required" => D::RegistrationRequired,
        "remote-server-not-found" => D::RemoteServerNotFound,
        "remote-server-timeout" => D::RemoteServerTimeout,
        "resource-constraint" => D::ResourceConstraint,
        "service-unavailable" => D::ServiceUnavailable,
        "subscription-required" => D::SubscriptionRequired,
        "unexpected-request" => D::UnexpectedRequest,
        _ => D::UndefinedCondition,
    }
}

#[cfg(test)]
#[path = "status_tests.rs"]
mod tests;
