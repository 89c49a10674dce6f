//! What of a user is searched, and who finds them by it.
//!
//! A user says what they may be found by in the privacy part of their profile, with the name of the
//! criterion as capability: `USER_EMAIL_ADDRESS` is `Allowed`. Where they say nothing the operator's
//! setting counts, which is nothing at all unless it was changed. Whoever may not reach the user (block and grant
//! lists) does not find them, and an account that is disabled is not found.

use std::borrow::Cow;

use crate::home::core::Core;
use crate::home::user::User;
use crate::imps::address::Address;
use crate::imps::common::User as UserElement;

/// One thing that users are found by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Source {
    /// The name of the criterion and of the privacy entry.
    name: &'static str,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Address,
    Alias,
    Online,
    /// A property of the profile.
    Property(&'static str),
}

const fn property(name: &'static str, property: &'static str) -> Source {
    Source {
        name,
        kind: Kind::Property(property),
    }
}

impl Source {
    pub(super) const ID: Self = Self {
        name: "USER_ID",
        kind: Kind::Address,
    };
    pub(super) const ALIAS: Self = Self {
        name: "USER_ALIAS",
        kind: Kind::Alias,
    };
    pub(super) const ONLINE_STATUS: Self = Self {
        name: "USER_ONLINE_STATUS",
        kind: Kind::Online,
    };
    pub(super) const AGE: Self = property("USER_AGE", "PP_AGE");
    const FRIENDLY_NAME: Self = property("USER_FRIENDLY_NAME", "PP_FRIENDLY_NAME");

    /// Those of versions 1.2 and 1.3. The properties are those of the public profile of CSP 1.3,
    /// with four names of our own: it has none for what version 1.2 searches.
    const ALL: [Self; 15] = [
        Self::ID,
        Self::ALIAS,
        Self::ONLINE_STATUS,
        Self::AGE,
        Self::FRIENDLY_NAME,
        property("USER_FIRST_NAME", "PP_FIRST_NAME"),
        property("USER_LAST_NAME", "PP_LAST_NAME"),
        property("USER_EMAIL_ADDRESS", "PP_EMAIL_ADDRESS"),
        property("USER_MOBILE_NUMBER", "PP_MOBILE_NUMBER"),
        property("USER_CITY", "PP_CITY"),
        property("USER_COUNTRY", "PP_COUNTRY"),
        property("USER_GENDER", "PP_GENDER"),
        property("USER_INTENTION", "PP_INTENTION"),
        property("USER_INTERESTS_HOBBIES", "PP_INTERESTS"),
        property("USER_MARITAL_STATUS", "PP_MARITAL_STATUS"),
    ];

    /// By the name of a criterion, in capitals.
    pub(super) fn named(name: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|source| source.name == name)
    }
}

/// A user who is looked at.
pub(super) struct Findable<'a> {
    user: &'a User,
    core: &'a Core,
}

impl<'a> Findable<'a> {
    /// A user; `None` if nobody finds them.
    pub(super) fn of(user: &'a User, core: &'a Core) -> Option<Self> {
        let hides = !user.has_account() || user.account.disabled;
        (!hides).then_some(Self { user, core })
    }

    /// A value that is a text.
    pub(super) fn text(&self, source: Source) -> Option<Cow<'a, str>> {
        match source.kind {
            Kind::Address => {
                let address = self.user.address(self.core);
                Some(Cow::Owned(address.bare().to_owned()))
            }
            Kind::Alias => self.user.account.alias.as_deref().map(Cow::Borrowed),
            Kind::Property(name) => self.property(name).map(Cow::Borrowed),
            Kind::Online => None,
        }
    }

    pub(super) fn age(&self) -> Option<u32> {
        self.property("PP_AGE")?.trim().parse().ok()
    }

    pub(super) fn is_online(&self) -> bool {
        self.user.is_online()
    }

    /// Whether `asker` may find the user by this.
    pub(super) fn is_found_by(&self, source: Source, asker: &Address) -> bool {
        if *asker == self.user.address(self.core) {
            return true;
        }
        self.user.admits(self.core, asker, None) && self.allows(source)
    }

    /// The user as they are found, with a name if they may be found by that.
    pub(super) fn element(&self) -> UserElement {
        let names = [Source::FRIENDLY_NAME, Source::ALIAS];
        let mut names = names.into_iter().filter(|source| self.allows(*source));
        let name = names.find_map(|source| self.text(source));
        UserElement {
            friendly_name: name.map(Cow::into_owned),
            ..UserElement::new(self.user.address(self.core))
        }
    }

    fn allows(&self, source: Source) -> bool {
        let profile = self.user.profile.as_deref();
        let privacy = profile.and_then(|profile| profile.privacy.as_ref());
        let mut entries = privacy.into_iter().flatten();
        match entries.find(|entry| entry.name.eq_ignore_ascii_case(source.name)) {
            Some(entry) => entry.status.as_deref() == Some("Allowed"),
            None => self.core.settings.found_by.contains(source.name),
        }
    }

    fn property(&self, name: &str) -> Option<&'a str> {
        let profile = self.user.profile.as_deref()?;
        let mut properties = profile.properties.iter().flatten();
        let found = properties.find(|property| property.name.eq_ignore_ascii_case(name))?;
        found.value.as_deref()
    }
}
