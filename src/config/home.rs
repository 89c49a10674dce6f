//! `[home]`: the embedded home domain; its presence switches it on.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::report::Report;
use super::secret::Secret;
use super::units::{Duration, Size};

/// The embedded home domain: this node hosts the users of `node.domain`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HomeSection {
    /// Who may become a user: `closed` (whom the operator adds) or `open` (anyone who can
    /// reach the node's client interface). Default `closed`.
    pub registration: Registration,
    /// Most users. Default 10000.
    pub max_users: usize,
    /// Most messages kept for one user until a client has taken them. Default 5000.
    pub max_offline: usize,
    /// Most bytes of them. Default `16MiB`.
    pub max_offline_bytes: Size,
    /// Most bytes of them for all users together. Default `256MiB`.
    pub max_waiting_bytes: Size,
    /// Bytes of content in one message of a user: a text, a picture. Default `256KiB`.
    pub max_content: Size,
    /// Time for which a message is kept for a user who does not take it, unless its sender named a
    /// shorter one. Default `7d`.
    pub offline_validity: Duration,
    /// A user who has had no client for so long, and for whom nothing waits, is at rest: on disk
    /// alone, until something concerns them. Default `1m`.
    pub rest_after: Duration,
    /// Who may see a new user's presence: `ask` (whom the user granted it) or `contacts`
    /// (everyone on the user's contact lists). Default `ask`.
    pub default_authorization: DefaultAuthorization,
    /// What users who have not decided themselves are found by when others search: `id`, `alias`,
    /// `online-status`, `friendly-name`, `first-name`, `last-name`, `email-address`,
    /// `mobile-number`, `age`, `city`, `country`, `gender`, `intention`, `interests-hobbies`,
    /// `marital-status`. Default: nothing.
    pub found_by: Vec<FoundBy>,
    /// Users that are created at start if they do not exist. Default: none.
    pub user: Vec<HomeUser>,
    /// Whether users may make groups. Default yes.
    pub private_groups: bool,
    /// Most groups. Default 10000.
    pub max_groups: usize,
    /// Most groups that one user owns. Default 100.
    pub max_own_groups: usize,
    /// Most members of one group, and most users joined to it. Default 10000.
    pub max_group_members: usize,
    /// Most users of one other domain joined to a group that is open to all, besides its members.
    /// Default 5000.
    pub max_group_users_per_domain: usize,
    /// Most messages that one group keeps for those who join later. Default 50.
    pub max_group_history: usize,
    /// Groups of the provider that are created at start if they do not exist. Default: none.
    pub group: Vec<HomeGroup>,
}

/// A group of the provider that is created at start if absent; one that exists stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HomeGroup {
    /// The name between `/` and `@`, in lower case. Required.
    pub name: String,
    /// What is talked about; search finds it by that. Default: none.
    pub topic: Option<String>,
    /// Whether only members may join. Default no.
    pub restricted: bool,
    /// Whether those who join get the last messages. Default no.
    pub history: bool,
    /// Addresses of those who administer it. Default: nobody.
    pub admins: Vec<String>,
}

/// A user that is created at start if absent; a user who exists keeps their password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HomeUser {
    /// The name before the `@`, in lower case. Required.
    pub name: String,
    /// The first password. Required.
    pub password: Secret,
}

/// Who may become a user of the home domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Registration {
    /// Those the operator adds.
    #[default]
    Closed,
    /// Whoever can reach the port.
    Open,
}

/// Something that users are found by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FoundBy {
    /// By the address of the user.
    Id,
    /// The alias among the presence attributes.
    Alias,
    /// Whether the user is logged in.
    OnlineStatus,
    /// The property `PP_FRIENDLY_NAME`.
    FriendlyName,
    /// The property `PP_FIRST_NAME`.
    FirstName,
    /// The property `PP_LAST_NAME`.
    LastName,
    /// The property `PP_EMAIL_ADDRESS`.
    EmailAddress,
    /// The property `PP_MOBILE_NUMBER`.
    MobileNumber,
    /// The property `PP_AGE`.
    Age,
    /// The property `PP_CITY`.
    City,
    /// The property `PP_COUNTRY`.
    Country,
    /// The property `PP_GENDER`.
    Gender,
    /// The property `PP_INTENTION`.
    Intention,
    /// The property `PP_INTERESTS`.
    InterestsHobbies,
    /// The property `PP_MARITAL_STATUS`.
    MaritalStatus,
}

impl FoundBy {
    /// The name on the wire, of the criterion and of the privacy entry of a profile.
    pub fn as_wire(self) -> &'static str {
        match self {
            Self::Id => "USER_ID",
            Self::Alias => "USER_ALIAS",
            Self::OnlineStatus => "USER_ONLINE_STATUS",
            Self::FriendlyName => "USER_FRIENDLY_NAME",
            Self::FirstName => "USER_FIRST_NAME",
            Self::LastName => "USER_LAST_NAME",
            Self::EmailAddress => "USER_EMAIL_ADDRESS",
            Self::MobileNumber => "USER_MOBILE_NUMBER",
            Self::Age => "USER_AGE",
            Self::City => "USER_CITY",
            Self::Country => "USER_COUNTRY",
            Self::Gender => "USER_GENDER",
            Self::Intention => "USER_INTENTION",
            Self::InterestsHobbies => "USER_INTERESTS_HOBBIES",
            Self::MaritalStatus => "USER_MARITAL_STATUS",
        }
    }
}

/// Who may see a new user's presence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DefaultAuthorization {
    /// Those the user granted it to; the user is asked.
    #[default]
    Ask,
    /// All on the user's contact lists.
    Contacts,
}

impl Default for HomeSection {
    fn default() -> Self {
        Self {
            registration: Registration::Closed,
            max_users: 10_000,
            max_offline: 5000,
            max_offline_bytes: Size::kib(16 * 1024),
            max_waiting_bytes: Size::kib(256 * 1024),
            max_content: Size::kib(256),
            offline_validity: Duration::from_secs(7 * 86_400),
            rest_after: Duration::from_secs(60),
            default_authorization: DefaultAuthorization::Ask,
            found_by: Vec::new(),
            user: Vec::new(),
            private_groups: true,
            max_groups: 10_000,
            max_own_groups: 100,
            max_group_members: 10_000,
            max_group_users_per_domain: 5000,
            max_group_history: 50,
            group: Vec::new(),
        }
    }
}

impl Default for HomeUser {
    fn default() -> Self {
        Self {
            name: String::new(),
            password: Secret::new(""),
        }
    }
}

impl HomeSection {
    /// `echo`: whether the name is taken by the node (`node.echo`).
    pub(super) fn check(&self, echo: bool, report: &mut Report<'_>) {
        let counts = [
            ("max_users", self.max_users, 1),
            ("max_offline", self.max_offline, 1),
            ("max_groups", self.max_groups, 1),
            ("max_own_groups", self.max_own_groups, 1),
            ("max_group_members", self.max_group_members, 1),
            (
                "max_group_users_per_domain",
                self.max_group_users_per_domain,
                1,
            ),
        ];
        report.at_least("home", &counts);
        let least = Size::kib(4);
        let sizes = [
            ("max_offline_bytes", self.max_offline_bytes, least),
            ("max_waiting_bytes", self.max_waiting_bytes, least),
            ("max_content", self.max_content, Size::kib(1)),
        ];
        report.size_at_least("home", &sizes);
        report.not_zero("home", &[("offline_validity", self.offline_validity)]);
        if self.user.len() > self.max_users {
            let message = format!(
                "{} is less than the {} users listed",
                self.max_users,
                self.user.len()
            );
            report.error(
                "home.max_users",
                message,
                format!("write {} or more", self.user.len()),
            );
        }
        let mut seen = BTreeMap::new();
        for (index, user) in self.user.iter().enumerate() {
            let path = format!("home.user.{index}");
            user.check(&path, echo, report);
            if let Some(first) = seen.insert(user.name.clone(), path.clone()) {
                let line = report.line(&format!("{first}.name"));
                let message = format!("\"{}\" is listed twice{line}", user.name);
                report.error(&format!("{path}.name"), message, "remove one of them");
            }
        }
        let mut seen = BTreeMap::new();
        for (index, group) in self.group.iter().enumerate() {
            let path = format!("home.group.{index}");
            group.check(&path, report);
            if let Some(first) = seen.insert(group.name.clone(), path.clone()) {
                let line = report.line(&format!("{first}.name"));
                let message = format!("\"{}\" is listed twice{line}", group.name);
                report.error(&format!("{path}.name"), message, "remove one of them");
            }
        }
    }
}

impl HomeGroup {
    fn check(&self, path: &str, report: &mut Report<'_>) {
        let (key, name) = (format!("{path}.name"), &self.name);
        let is_foreign = |c: char| c.is_whitespace() || c.is_control() || "@/:\"&<>+".contains(c);
        if name.is_empty() {
            report.error(&key, "missing", "add name = \"...\"");
        } else if name.contains(is_foreign) || name.len() > 63 {
            let message = format!("\"{name}\" is not the part between / and @ alone");
            report.error(&key, message, "write letters and digits only");
        } else if *name != name.to_lowercase() {
            let fix = format!("write \"{}\"", name.to_lowercase());
            report.error(&key, format!("\"{name}\" has capital letters"), fix);
        }
    }
}

impl HomeUser {
    fn check(&self, path: &str, echo: bool, report: &mut Report<'_>) {
        let key = format!("{path}.name");
        let name = &self.name;
        let is_foreign = |c: char| c.is_whitespace() || c.is_control() || "@/:\"&<>".contains(c);
        if name.is_empty() {
            report.error(&key, "missing", "add name = \"...\"");
        } else if name.contains(is_foreign) {
            let user = name
                .trim_start_matches("wv:")
                .split('@')
                .next()
                .unwrap_or_default();
            let fix = if user.is_empty() || user.contains(is_foreign) {
                "write letters and digits only".to_string()
            } else {
                format!("write \"{user}\"")
            };
            report.error(
                &key,
                format!("\"{name}\" is not the part before the @ alone"),
                fix,
            );
        } else if *name != name.to_lowercase() {
            let fix = format!("write \"{}\"", name.to_lowercase());
            report.error(&key, format!("\"{name}\" has capital letters"), fix);
        } else if echo && name == "echo" {
            report.error(
                &key,
                "\"echo\" is the built-in user",
                "choose another name, or set node.echo = false",
            );
        }
        if self.password.file().is_none() && self.password.expose().is_empty() {
            report.error(
                &format!("{path}.password"),
                "missing",
                "add password = \"...\"",
            );
        }
    }
}
