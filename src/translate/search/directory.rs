//! The user directory of an XMPP server: which service it is, its form, and what it finds.

use minidom::Element;
use xmpp_parsers::jid::{BareJid, Jid};

use crate::imps::common::User;
use crate::text::shown::cut;
use crate::translate::Translator;
use crate::translate::stanza::{attribute, child_text, element, ns, text_element};

use super::{NS, names_of};

/// Services of a domain that are looked at, and fields of a form; our choice.
const MAX_SERVICES: usize = 32;
const MAX_FIELDS: usize = 64;
/// Users who are taken of what a directory has found (xmpp-mapping, 7).
pub const MAX_FOUND: usize = 100;
/// Bytes of the name beside a user; our choice.
const MAX_NAME: usize = 128;
/// What stands for any characters, where a directory says that it does.
const WILDCARD: char = '*';

/// Asks which services a domain has, or a room service which rooms.
pub fn items() -> Element {
    element("query", ns::DISCO_ITEMS).build()
}

/// Asks a service what it is.
pub fn info() -> Element {
    element("query", ns::DISCO_INFO).build()
}

/// Asks a directory for its form.
pub fn ask() -> Element {
    element("query", NS).build()
}

/// The services of a domain, itself among them: that may be its own directory.
pub fn services(items: &Element, domain: &BareJid) -> Vec<BareJid> {
    let mut all = vec![domain.clone()];
    let items = items.children().filter(|c| c.is("item", ns::DISCO_ITEMS));
    for item in items.take(MAX_SERVICES) {
        let jid = item.attr("jid").and_then(|jid| Jid::new(jid).ok());
        // A user, a node or a room is no service.
        let jid = jid.filter(|jid| jid.node().is_none() && jid.resource().is_none());
        let jid = jid.filter(|_| item.attr("node").is_none());
        if let Some(jid) = jid.map(|jid| jid.to_bare())
            && !all.contains(&jid)
        {
            all.push(jid);
        }
    }
    all
}

/// How sure it is that a service is the directory: 0 if it is none, more if it says so itself.
pub fn rank(info: &Element) -> u8 {
    let feature = |c: &Element| c.name() == "feature" && c.attr("var") == Some(NS);
    if !info.children().any(feature) {
        return 0;
    }
    let directory = |c: &Element| c.name() == "identity" && c.attr("category") == Some("directory");
    1 + u8::from(info.children().any(directory))
}

/// A form that is filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filled {
    /// What the directory is asked.
    pub query: Element,
    /// Whether all criteria stand in it.
    pub is_complete: bool,
}

/// The form of a directory, filled in with what is wanted; `None` if it has a field for nothing of
/// it.
pub fn filled_in(offer: &Element, wanted: &[(String, String)]) -> Option<Filled> {
    let form = offer.get_child("x", ns::DATA_FORMS);
    let mut words: Vec<String> = Vec::new();
    let fields: Vec<&str> = match form {
        Some(form) => {
            words.extend(instructions(form));
            let fields = form.children().filter(|c| c.is("field", ns::DATA_FORMS));
            fields
                .take(MAX_FIELDS)
                .filter_map(|f| f.attr("var"))
                .collect()
        }
        None => {
            words.extend(instructions(offer));
            let fields = offer.children().filter(|c| c.ns() == NS);
            fields.take(MAX_FIELDS).map(Element::name).collect()
        }
    };
    let has_wildcard = words.iter().any(|words| words.contains(WILDCARD));
    let mut filled: Vec<(&str, String)> = Vec::new();
    for (criterion, text) in wanted {
        let mut names = names_of(criterion).unwrap_or_default().iter();
        let Some(name) = names.find(|name| fields.contains(name)) else {
            continue;
        };
        if filled.iter().any(|(known, _)| known == name) {
            continue;
        }
        let end = if has_wildcard && !text.ends_with(WILDCARD) {
            "*"
        } else {
            ""
        };
        filled.push((name, format!("{text}{end}")));
    }
    if filled.is_empty() {
        return None;
    }
    let is_complete = filled.len() == wanted.len();
    let query = element("query", NS);
    let query = if form.is_some() {
        let field = |var: &str, value: &str| {
            let field = attribute(element("field", ns::DATA_FORMS), "var", var);
            field
                .append(text_element("value", ns::DATA_FORMS, value))
                .build()
        };
        let x = attribute(element("x", ns::DATA_FORMS), "type", "submit");
        let x = x.append(field("FORM_TYPE", NS));
        query.append(x.append_all(filled.iter().map(|(var, text)| field(var, text))))
    } else {
        let fields = filled
            .iter()
            .map(|(name, text)| text_element(name, NS, text));
        query.append_all(fields)
    };
    Some(Filled {
        query: query.build(),
        is_complete,
    })
}

/// What a form says about itself, in several pieces.
fn instructions(form: &Element) -> impl Iterator<Item = String> {
    let words = form.children().filter(|c| c.name() == "instructions");
    words.take(8).map(Element::text)
}

/// The users whom a directory has found, each once, in the order of their addresses; those only who
/// have one, and the first [`MAX_FOUND`].
pub fn found(result: &Element, translator: &Translator) -> Vec<User> {
    let form = result.get_child("x", ns::DATA_FORMS);
    let rows: Vec<(Option<String>, Option<String>)> = match form {
        Some(form) => {
            let reported = form.get_child("reported", ns::DATA_FORMS);
            let mut fields = reported.into_iter().flat_map(Element::children);
            let jid = fields.find(|field| field.attr("type") == Some("jid-single"));
            let jid = jid.and_then(|field| field.attr("var")).unwrap_or("jid");
            let items = form.children().filter(|c| c.is("item", ns::DATA_FORMS));
            let value = |item: &Element, var: &str| {
                let mut fields = item.children();
                let field = fields.find(|field| field.attr("var") == Some(var))?;
                child_text(field, "value")
            };
            let row = |item: &Element| {
                let name = value(item, "nick").or_else(|| value(item, "fn"));
                (value(item, jid), name)
            };
            items.take(MAX_FOUND * 10).map(row).collect()
        }
        None => {
            let items = result.children().filter(|c| c.is("item", NS));
            let row = |item: &Element| {
                let jid = item.attr("jid").map(str::to_owned);
                (jid, child_text(item, "nick"))
            };
            items.take(MAX_FOUND * 10).map(row).collect()
        }
    };
    let mut users: Vec<User> = Vec::new();
    for (jid, name) in rows {
        let jid = jid.and_then(|jid| Jid::new(&jid).ok());
        let jid = jid.filter(|jid| jid.node().is_some());
        let address = jid.and_then(|jid| translator.address(&jid).ok());
        let Some(address) = address.filter(|address| translator.is_xmpp(address)) else {
            continue;
        };
        if users.iter().all(|known| known.user != address) {
            let mut user = User::new(address);
            user.friendly_name = name.map(|name| cut(&name, MAX_NAME).to_owned());
            users.push(user);
        }
    }
    users.truncate(MAX_FOUND);
    users.sort_by(|a, b| a.user.cmp(&b.user));
    users
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Element {
        text.parse().unwrap()
    }

    fn wanted(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        let pairs = pairs.iter();
        pairs
            .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
            .collect()
    }

    #[test]
    fn a_plain_form_and_a_data_form_are_filled_in() {
        let plain = parse(&format!(
            "<query xmlns='{NS}'><instructions>Fill in</instructions><first/><last/><nick/></query>"
        ));
        let all = wanted(&[("USER_LAST_NAME", "Smith"), ("USER_EMAIL_ADDRESS", "a@b")]);
        let filled = filled_in(&plain, &all).unwrap();
        assert!(!filled.is_complete);
        assert_eq!(
            String::from(&filled.query),
            format!("<query xmlns='{NS}'><last>Smith</last></query>")
        );
        assert_eq!(filled_in(&plain, &all[1..]), None);
        let form = parse(&format!(
            "<query xmlns='{NS}'><x xmlns='jabber:x:data' type='form'><instructions>Fill in</instructions><instructions>Add * to match more</instructions>\
             <field var='user'/><field var='nick'/></x></query>"
        ));
        let all = wanted(&[("USER_ID", "al"), ("USER_ALIAS", "Al*")]);
        let filled = filled_in(&form, &all).unwrap();
        assert!(filled.is_complete);
        let text = String::from(&filled.query);
        assert!(text.contains("<value>al*</value>") && text.contains("<value>Al*</value>"));
        assert!(text.contains("type=\"submit\"") || text.contains("type='submit'"));
    }

    #[test]
    fn users_are_found_in_both_forms_and_only_those_who_have_an_address() {
        let translator = Translator::new("home.example", &["village.example"]);
        let plain = format!(
            "<query xmlns='{NS}'><item jid='b@home.example'><nick>Bea</nick></item><item jid='a@home.example/x'/>\
             <item jid='a@home.example'/><item jid='home.example'/><item jid='x@other.example'/><item/></query>"
        );
        let users = found(&parse(&plain), &translator);
        let all: Vec<&str> = users.iter().map(|user| user.user.as_str()).collect();
        assert_eq!(all, ["wv:a@home.example", "wv:b@home.example"]);
        assert_eq!(users[1].friendly_name.as_deref(), Some("Bea"));
        let form = format!(
            "<query xmlns='{NS}'><x xmlns='jabber:x:data' type='result'><reported><field var='who' type='jid-single'/>\
             </reported><item><field var='who'><value>c@home.example</value></field></item></x></query>"
        );
        let users = found(&parse(&form), &translator);
        assert_eq!(users[0].user.as_str(), "wv:c@home.example");
        let items: String = (0..300).fold(String::new(), |all, n| {
            all + &format!("<item jid='u{n}@home.example'/>")
        });
        let many = format!("<query xmlns='{NS}'>{items}</query>");
        assert_eq!(found(&parse(&many), &translator).len(), MAX_FOUND);
    }

    #[test]
    fn a_directory_is_a_service_that_can_be_searched() {
        let domain = BareJid::new("home.example").unwrap();
        let items = parse(
            "<query xmlns='http://jabber.org/protocol/disco#items'><item jid='vjud.home.example'/>\
             <item jid='a@home.example'/><item jid='x.home.example' node='n'/><item jid='home.example'/></query>",
        );
        let all: Vec<String> = services(&items, &domain)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(all, ["home.example", "vjud.home.example"]);
        let info = |inner: &str| {
            let ns = "http://jabber.org/protocol/disco#info";
            rank(&parse(&format!("<query xmlns='{ns}'>{inner}</query>")))
        };
        let feature = "<feature var='jabber:iq:search'/>";
        let identity = "<identity category='directory' type='user'/>";
        assert_eq!(info(identity), 0);
        assert_eq!(info(feature), 1);
        assert_eq!(info(&format!("{identity}{feature}")), 2);
    }
}
