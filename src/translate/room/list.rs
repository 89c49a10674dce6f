//! Lists of who is what in a room, read and changed (XEP-0045, 9 and 10).

use minidom::Element;

use super::ns;
use super::standing::Affiliation;
use crate::translate::stanza::{attribute, element};

/// Changes that one request may have; our choice.
const MAX_ITEMS: usize = 100;

/// What is asked for by a question about lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum List {
    /// All who are that.
    Affiliation(Affiliation),
    /// All occupants who moderate, or who take part.
    Role {
        /// Those who moderate.
        moderators: bool,
    },
}

/// What one is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// An affiliation for a user, who need not be in the room.
    Affiliation(String, Affiliation),
    /// An occupant has to go; by nickname, and why.
    Kick(String),
    /// An occupant is to be what groups do not have.
    Impossible,
}

/// The list that is asked for; `None` if it is none.
pub fn asked(query: &Element) -> Option<List> {
    let item = query.get_child("item", ns::MUC_ADMIN)?;
    if let Some(affiliation) = item.attr("affiliation") {
        return Affiliation::named(affiliation).map(List::Affiliation);
    }
    match item.attr("role")? {
        "moderator" => Some(List::Role { moderators: true }),
        "participant" => Some(List::Role { moderators: false }),
        _ => None,
    }
}

/// What is to be changed; `None` if that cannot be read, or is too much.
pub fn changes(query: &Element) -> Option<Vec<Change>> {
    let items: Vec<&Element> = query
        .children()
        .filter(|child| child.is("item", ns::MUC_ADMIN))
        .take(MAX_ITEMS + 1)
        .collect();
    if items.is_empty() || items.len() > MAX_ITEMS {
        return None;
    }
    let change = |item: &&Element| match (item.attr("affiliation"), item.attr("role")) {
        (Some(affiliation), _) => {
            let affiliation = Affiliation::named(affiliation)?;
            Some(match (item.attr("jid"), item.attr("nick")) {
                (Some(jid), _) => Change::Affiliation(jid.to_owned(), affiliation),
                // Who is behind a nickname only the room knows.
                (None, Some(_)) => Change::Impossible,
                (None, None) => return None,
            })
        }
        (None, Some("none")) => Some(Change::Kick(item.attr("nick")?.to_owned())),
        (None, Some(_)) => Some(Change::Impossible),
        (None, None) => None,
    };
    items.iter().map(change).collect()
}

/// A list as answer: JID, nickname, what they are.
pub fn listed<'i>(
    items: impl Iterator<Item = (Option<&'i str>, Option<&'i str>, Affiliation)>,
    with_role: bool,
) -> Element {
    let items = items.map(|(jid, nick, affiliation)| {
        let mut item = element("item", ns::MUC_ADMIN);
        item = attribute(item, "affiliation", affiliation.name());
        if let Some(jid) = jid {
            item = attribute(item, "jid", jid);
        }
        if let Some(nick) = nick {
            item = attribute(item, "nick", nick);
        }
        if with_role {
            item = attribute(item, "role", affiliation.role());
        }
        item.build()
    });
    element("query", ns::MUC_ADMIN).append_all(items).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(inner: &str) -> Element {
        let text = format!("<query xmlns='{}'>{inner}</query>", ns::MUC_ADMIN);
        text.parse().unwrap()
    }

    #[test]
    fn lists_are_asked_for_by_affiliation_or_role() {
        for (item, list) in [
            (
                "<item affiliation='member'/>",
                Some(List::Affiliation(Affiliation::Member)),
            ),
            (
                "<item role='moderator'/>",
                Some(List::Role { moderators: true }),
            ),
            ("<item role='visitor'/>", None),
            ("<item affiliation='king'/>", None),
            ("", None),
        ] {
            assert_eq!(asked(&query(item)), list, "{item}");
        }
    }

    #[test]
    fn changes_are_read_as_a_whole_or_not_at_all() {
        let ban = "<item affiliation='outcast' jid='a@b.example'/>";
        let kick = "<item nick='Ali' role='none'/>";
        let voice = "<item nick='Ali' role='visitor'/>";
        assert_eq!(
            changes(&query(&format!("{ban}{kick}{voice}"))),
            Some(vec![
                Change::Affiliation("a@b.example".to_owned(), Affiliation::Outcast),
                Change::Kick("Ali".to_owned()),
                Change::Impossible,
            ])
        );
        assert_eq!(changes(&query(&format!("{ban}<item/>"))), None);
        assert_eq!(changes(&query("")), None);
        assert_eq!(changes(&query(&ban.repeat(MAX_ITEMS + 1))), None);
    }
}
