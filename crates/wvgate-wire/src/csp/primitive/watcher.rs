//! Who is told of a user's presence.

use crate::csp::element::Element;
use crate::csp::typed::{Content, Part};
use crate::csp::version::Version;
use crate::imps::common::User;
use crate::imps::xml::DecodeError;

/// Watchers: users alone in 1.1, with what they are later.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Watchers(pub Vec<Watcher>);

/// A user who is or was told, or may ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watcher {
    /// Who watches, or has watched.
    pub user: User,
    /// The name beside the user (1.3).
    pub friendly_name: Option<String>,
    /// `CURRENT_SUBSCRIBER`, `FORMER_SUBSCRIBER` or `PRESENCE_ACCESS`.
    pub status: Option<String>,
}

impl Part for Watchers {
    fn read_in(parent: &Element<'_>) -> Result<Self, DecodeError> {
        let mut watchers = Vec::new();
        for child in &parent.children {
            match child.name {
                "User" => watchers.push(Watcher {
                    user: User::read(child)?,
                    friendly_name: None,
                    status: None,
                }),
                "Watcher" => {
                    let user = child.child("User").ok_or(DecodeError::Missing {
                        element: "Watcher",
                        what: "User",
                    })?;
                    let text = |name| child.child(name).map(String::read).transpose();
                    watchers.push(Watcher {
                        user: User::read(user)?,
                        friendly_name: text("FriendlyName")?,
                        status: text("WatcherStatus")?,
                    });
                }
                _ => {}
            }
        }
        Ok(Self(watchers))
    }

    fn add<'v>(&'v self, _: &'static str, version: Version, out: &mut Vec<Element<'v>>) {
        for watcher in &self.0 {
            let user = watcher.user.element("User", version);
            if version == Version::V1_1 {
                out.push(user);
                continue;
            }
            let mut children = vec![user];
            let name = watcher.friendly_name.iter();
            children.extend(name.map(|text| text.element("FriendlyName", version)));
            let status = watcher.status.iter();
            children.extend(status.map(|text| text.element("WatcherStatus", version)));
            out.push(Element::of("Watcher", children));
        }
    }
}
