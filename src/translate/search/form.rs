//! The form with which XMPP users look for users of the SSP side, and what they get.

use minidom::Element;

use crate::imps::common::User;
use crate::imps::primitive::common::SearchPair;
use crate::text::shown::cut;
use crate::translate::stanza::{attribute, child_text, element, ns, text_element};
use crate::translate::{Mode, Translator};

use super::NS;

/// Bytes of a text that is looked for; our choice.
const MAX_TEXT: usize = 256;

/// A field of the form.
struct Field {
    /// Its name.
    var: &'static str,
    /// What it is for.
    label: &'static str,
    /// The criterion that it is.
    criterion: &'static str,
    /// Whether it stands in the plain form as well, which has four.
    is_plain: bool,
}

const fn field(
    var: &'static str,
    label: &'static str,
    criterion: &'static str,
    is_plain: bool,
) -> Field {
    Field {
        var,
        label,
        criterion,
        is_plain,
    }
}

const FIELDS: &[Field] = &[
    field("user", "User name", "USER_ID", false),
    field("first", "Given name", "USER_FIRST_NAME", true),
    field("last", "Family name", "USER_LAST_NAME", true),
    field("nick", "Nickname", "USER_ALIAS", true),
    field("email", "E-mail", "USER_EMAIL_ADDRESS", true),
    field("tel", "Mobile number", "USER_MOBILE_NUMBER", false),
    field("city", "City", "USER_CITY", false),
    field("country", "Country", "USER_COUNTRY", false),
];

const INSTRUCTIONS: &str = "Fill in one or more fields. Found are users of whom all of it is true, and who let themselves be found by it.";

/// The field of the domain, where several are behind one component.
const DOMAIN: &str = "domain";

/// The empty form.
pub fn offer(mode: Mode) -> Element {
    let plain = FIELDS.iter().filter(|field| field.is_plain);
    let plain = plain.map(|field| element(field.var, NS).build());
    let rows = FIELDS.iter().map(|field| {
        let row = attribute(element("field", ns::DATA_FORMS), "var", field.var);
        let row = attribute(row, "type", "text-single");
        attribute(row, "label", field.label).build()
    });
    let domain = (mode == Mode::Gateway).then(|| {
        let row = attribute(element("field", ns::DATA_FORMS), "var", DOMAIN);
        let row = attribute(attribute(row, "type", "text-single"), "label", "Domain");
        row.append(element("required", ns::DATA_FORMS)).build()
    });
    let x = attribute(element("x", ns::DATA_FORMS), "type", "form")
        .append(text_element("title", ns::DATA_FORMS, "Search"))
        .append(text_element("instructions", ns::DATA_FORMS, INSTRUCTIONS))
        .append(form_type())
        .append_all(domain)
        .append_all(rows);
    element("query", NS)
        .append(text_element("instructions", NS, INSTRUCTIONS))
        .append_all(plain)
        .append(x)
        .build()
}

/// What somebody looks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The criteria; none if nothing was filled in.
    pub pairs: Vec<SearchPair>,
    /// Whose users they look for, if they say it.
    pub domain: Option<String>,
    /// Whether they asked, and are to be answered, by a data form.
    pub is_form: bool,
}

/// A form that somebody has filled in; `None` if it is none, or is given up.
pub fn asked(query: &Element) -> Option<Asked> {
    let form = query.get_child("x", ns::DATA_FORMS);
    if form.is_some_and(|form| form.attr("type") != Some("submit")) {
        return None;
    }
    let text = |var: &str| match form {
        Some(form) => {
            let mut rows = form.children();
            child_text(rows.find(|row| row.attr("var") == Some(var))?, "value")
        }
        None => child_text(query, var),
    };
    let pairs = FIELDS.iter().filter_map(|field| {
        // What stands for anything in other directories is nothing here: texts are parts.
        let text = text(field.var)?;
        let text = text.trim_matches('*').trim();
        (!text.is_empty()).then(|| SearchPair {
            element: field.criterion.to_owned(),
            string: cut(text, MAX_TEXT).to_owned(),
        })
    });
    Some(Asked {
        pairs: pairs.collect(),
        domain: text(DOMAIN),
        is_form: form.is_some(),
    })
}

/// What was found, as it was asked for.
pub fn result(users: &[User], is_form: bool, translator: &Translator) -> Element {
    let rows = users.iter().filter_map(|user| {
        let jid = translator.jid(&user.user).ok()?;
        Some((
            jid.to_string(),
            user.friendly_name.clone().unwrap_or_default(),
        ))
    });
    if !is_form {
        let items = rows.map(|(jid, name)| {
            let item = attribute(element("item", NS), "jid", &jid);
            item.append(text_element("nick", NS, &name)).build()
        });
        return element("query", NS).append_all(items).build();
    }
    let column = |var: &str, kind: &str, label: &str| {
        let column = attribute(element("field", ns::DATA_FORMS), "var", var);
        attribute(attribute(column, "type", kind), "label", label).build()
    };
    let cell = |var: &str, value: &str| {
        let cell = attribute(element("field", ns::DATA_FORMS), "var", var);
        let value = text_element("value", ns::DATA_FORMS, value);
        cell.append(value).build()
    };
    let reported = element("reported", ns::DATA_FORMS)
        .append(column("jid", "jid-single", "Address"))
        .append(column("nick", "text-single", "Nickname"));
    let items = rows.map(|(jid, name)| {
        let item = element("item", ns::DATA_FORMS).append(cell("jid", &jid));
        item.append(cell("nick", &name)).build()
    });
    let x = attribute(element("x", ns::DATA_FORMS), "type", "result")
        .append(form_type())
        .append(reported)
        .append_all(items);
    element("query", NS).append(x).build()
}

fn form_type() -> Element {
    let field = attribute(element("field", ns::DATA_FORMS), "var", "FORM_TYPE");
    attribute(field, "type", "hidden")
        .append(text_element("value", ns::DATA_FORMS, NS))
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imps::Address;

    #[test]
    fn both_forms_are_read_and_answered_alike() {
        let read = |text: &str| asked(&text.parse().unwrap());
        let plain = read("<query xmlns='jabber:iq:search'><last>Smith*</last><nick/></query>");
        let plain = plain.unwrap();
        assert!(!plain.is_form);
        let pair = |element: &str, string: &str| SearchPair {
            element: element.to_owned(),
            string: string.to_owned(),
        };
        assert_eq!(plain.pairs, [pair("USER_LAST_NAME", "Smith")]);
        let form = "<query xmlns='jabber:iq:search'><x xmlns='jabber:x:data' type='submit'><field var='user'>\
                    <value>bo</value></field><field var='last'><value> </value></field></x></query>";
        let filled = read(form).unwrap();
        assert!(filled.is_form);
        assert_eq!(filled.pairs, [pair("USER_ID", "bo")]);
        assert_eq!(read(&form.replace("submit", "cancel")), None);

        let translator = Translator::new("home.example", &["village.example"]);
        let mut bob = User::new(Address::new("wv:bob@village.example"));
        bob.friendly_name = Some("Bob".to_owned());
        let text = |is_form| String::from(&result(&[bob.clone()], is_form, &translator));
        assert!(
            text(false).contains("jid='bob@village.example'><nick>Bob</nick>"),
            "{}",
            text(false)
        );
        assert!(text(true).contains("<value>bob@village.example</value>"));
        for (mode, has_domain) in [(Mode::Names, false), (Mode::Gateway, true)] {
            let offer = offer(mode);
            assert!(offer.has_child("first", NS) && offer.has_child("x", ns::DATA_FORMS));
            assert_eq!(String::from(&offer).contains("var='domain'"), has_domain);
        }
    }
}
