//! Properties of a group as what a room tells of itself and as the form with which it is set up
//! (xmpp-mapping, 5.4; XEP-0045, XEP-0004).

use minidom::Element;

use super::ns;
use crate::imps::Code;
use crate::imps::common::{ContentData, Property};
use crate::imps::primitive::group::{GroupProperties, WelcomeNote};
use crate::translate::Translator;
use crate::translate::stanza::{attribute, element, text_element};
use crate::translate::tables::{Rendering, text_of_html};

/// Fields of a form that are read; our choice.
const MAX_FIELDS: usize = 64;

/// How a property is written in a form.
#[derive(Clone, Copy)]
enum Form {
    Text,
    /// `T` is 1.
    Flag,
    /// `T` is 0.
    Not,
    /// A number of occupants.
    Count,
    /// `T` is `anyone`, `F` is `none`.
    Whom,
}

/// Property, field, its label.
const FIELDS: &[(&str, &str, &str, Form)] = &[
    (
        "Name",
        "muc#roomconfig_roomname",
        "Name of the room",
        Form::Text,
    ),
    (
        "AccessType",
        "muc#roomconfig_membersonly",
        "Only members may enter",
        Form::Flag,
    ),
    (
        "Searchable",
        "muc#roomconfig_publicroom",
        "The room is listed",
        Form::Flag,
    ),
    (
        "PrivateMessaging",
        "muc#roomconfig_allowpm",
        "Who may send private messages",
        Form::Whom,
    ),
    (
        "MaxActiveUsers",
        "muc#roomconfig_maxusers",
        "The most occupants",
        Form::Count,
    ),
    (
        "AutoDelete",
        "muc#roomconfig_persistentroom",
        "The room stays when the last occupant leaves",
        Form::Not,
    ),
];

/// The value of a property, trimmed.
pub fn value<'p>(properties: &'p [Property], name: &str) -> Option<&'p str> {
    let mut all = properties.iter();
    let found = all.find(|property| property.name.trim().eq_ignore_ascii_case(name))?;
    Some(found.value.as_deref().unwrap_or_default().trim())
}

/// Whether a property is set.
pub fn is_on(properties: &[Property], name: &str) -> Option<bool> {
    let value = value(properties, name)?;
    Some(value.eq_ignore_ascii_case("T") || value.eq_ignore_ascii_case("Restricted"))
}

/// What a room answers to who asks what it is; `properties` as far as they may know them.
pub fn info(name: &str, properties: &[Property]) -> Element {
    let shown = value(properties, "Name").filter(|name| !name.is_empty());
    let identity = attribute(
        element("identity", ns::DISCO_INFO),
        "category",
        "conference",
    );
    let identity = attribute(identity, "type", "text");
    let identity = attribute(identity, "name", shown.unwrap_or(name)).build();
    let is = |name: &str| is_on(properties, name);
    let closed = is("AccessType") == Some(true) || is("RequireInvitation") == Some(true);
    let mut features = vec![
        ns::DISCO_INFO,
        ns::DISCO_ITEMS,
        ns::MUC,
        ns::PING,
        ns::SID,
        ns::OCCUPANT_ID,
        ns::HATS,
        "http://jabber.org/protocol/muc#stable_id",
        "http://jabber.org/protocol/muc#self-ping-optimization",
        "muc_semianonymous",
        "muc_unmoderated",
        "muc_unsecured",
    ];
    if !properties.is_empty() {
        features.push(if closed {
            "muc_membersonly"
        } else {
            "muc_open"
        });
    }
    match is("Searchable") {
        Some(true) => features.push("muc_public"),
        Some(false) => features.push("muc_hidden"),
        None => {}
    }
    match is("AutoDelete") {
        Some(true) => features.push("muc_temporary"),
        Some(false) | None => features.push("muc_persistent"),
    }
    let features = features
        .into_iter()
        .map(|name| attribute(element("feature", ns::DISCO_INFO), "var", name).build());
    let mut query = element("query", ns::DISCO_INFO)
        .append(identity)
        .append_all(features);
    if !properties.is_empty() {
        query = query.append(about(properties));
    }
    query.build()
}

fn about(properties: &[Property]) -> Element {
    let mut form = form("result", ns::MUC_INFO);
    if let Some(topic) = value(properties, "Topic") {
        form = form.append(field("muc#roominfo_subject", "text-single", "Topic", topic));
    }
    if let Some(active) = value(properties, "ActiveUsers") {
        let label = "Number of occupants";
        form = form.append(field(
            "muc#roominfo_occupants",
            "text-single",
            label,
            active,
        ));
    }
    form.build()
}

/// The form with which an owner sets up a room.
pub fn config(properties: &[Property]) -> Element {
    let mut form = form("form", ns::MUC_CONFIG);
    for (name, var, label, kind) in FIELDS {
        let is = is_on(properties, name);
        let text = value(properties, name).unwrap_or_default();
        let switch = |on: bool| if on { "1" } else { "0" };
        form = form.append(match kind {
            Form::Text | Form::Count => field(var, "text-single", label, text),
            Form::Flag => field(var, "boolean", label, switch(is == Some(true))),
            Form::Not => field(var, "boolean", label, switch(is != Some(true))),
            Form::Whom => {
                let whom = if is == Some(false) { "none" } else { "anyone" };
                let options = ["anyone", "none"].into_iter().map(|option| {
                    let value = text_element("value", ns::DATA_FORMS, option);
                    element("option", ns::DATA_FORMS).append(value).build()
                });
                let mut list = field(var, "list-single", label, whom);
                for option in options {
                    list.append_child(option);
                }
                list
            }
        });
    }
    let history = is_on(properties, "History") == Some(true);
    let history = if history { "1" } else { "0" };
    let label = "Those who enter get the last messages";
    form = form.append(field("x-imps#history", "boolean", label, history));
    element("query", ns::MUC_OWNER).append(form.build()).build()
}

/// The properties that a filled-in form sets; fields that say nothing of them are passed over.
///
/// # Errors
/// A value that the property cannot have.
pub fn of_form(form: &Element) -> Result<GroupProperties, Code> {
    let bad = Code(806);
    let mut properties = Vec::new();
    let fields = form.children().filter(|child| child.name() == "field");
    for field in fields.take(MAX_FIELDS) {
        let Some(var) = field.attr("var") else {
            continue;
        };
        let given = field.get_child("value", ns::DATA_FORMS).map(Element::text);
        let given = given.as_deref().unwrap_or_default().trim().to_owned();
        let flag = || match given.as_str() {
            "1" | "true" => Ok(true),
            "0" | "false" => Ok(false),
            _ => Err(bad),
        };
        let switch = |on: bool| (if on { "T" } else { "F" }).to_owned();
        let known = FIELDS.iter().find(|(_, of, _, _)| *of == var);
        let (name, value) = match known {
            Some((name, _, _, Form::Text)) => (*name, given),
            Some((name, _, _, Form::Count)) => match given.as_str() {
                "" | "none" => continue,
                count => match count.parse::<u32>() {
                    Ok(count) if count > 0 => (*name, count.to_string()),
                    _ => return Err(bad),
                },
            },
            Some((name @ "AccessType", _, _, Form::Flag)) => {
                let access = if flag()? { "Restricted" } else { "Open" };
                (*name, access.to_owned())
            }
            Some((name, _, _, Form::Flag)) => (*name, switch(flag()?)),
            Some((name, _, _, Form::Not)) => (*name, switch(!flag()?)),
            Some((name, _, _, Form::Whom)) => (*name, switch(given != "none")),
            None if var == "x-imps#history" => ("History", switch(flag()?)),
            None => continue,
        };
        if properties.iter().any(|p: &Property| p.name == name) {
            return Err(bad);
        }
        properties.push(Property {
            name: name.to_owned(),
            value: Some(value),
        });
    }
    Ok(GroupProperties {
        properties,
        welcome: None,
    })
}

/// One property alone.
pub fn only(name: &str, value: &str) -> GroupProperties {
    GroupProperties {
        properties: vec![Property {
            name: name.to_owned(),
            value: Some(value.to_owned()),
        }],
        welcome: None,
    }
}

/// The words of a welcome note, if there are any.
pub fn welcome(translator: &Translator, note: &WelcomeNote) -> Option<String> {
    let content = note.content.as_ref()?;
    let text = text_of(translator, content)?;
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

fn text_of(translator: &Translator, content: &ContentData) -> Option<String> {
    let table = &translator.mappings.content;
    let charset = crate::text::media::parameter(&content.content_type, "charset");
    let text = table.decode(charset, &content.bytes);
    match table.rendering(&content.content_type) {
        Rendering::Body | Rendering::Plain | Rendering::FileOrPlain => Some(text),
        Rendering::Html => Some(text_of_html(&text)),
        Rendering::File | Rendering::Refuse => None,
    }
}

fn form(kind: &str, about: &str) -> minidom::ElementBuilder {
    let form = attribute(element("x", ns::DATA_FORMS), "type", kind);
    form.append(field("FORM_TYPE", "hidden", "", about))
}

fn field(var: &str, kind: &str, label: &str, value: &str) -> Element {
    let mut field = attribute(element("field", ns::DATA_FORMS), "var", var);
    field = attribute(field, "type", kind);
    if !label.is_empty() {
        field = attribute(field, "label", label);
    }
    field
        .append(text_element("value", ns::DATA_FORMS, value))
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Vec<Property> {
        [
            ("Name", "Club"),
            ("Topic", "Books"),
            ("AccessType", "Restricted"),
            ("Searchable", "F"),
            ("PrivateMessaging", "F"),
            ("MaxActiveUsers", "30"),
            ("ActiveUsers", "2"),
            ("AutoDelete", "T"),
            ("History", "T"),
        ]
        .map(|(name, value)| Property {
            name: name.to_owned(),
            value: Some(value.to_owned()),
        })
        .to_vec()
    }

    #[test]
    fn a_form_that_comes_back_as_it_was_sets_the_same() {
        let query = config(&all());
        let form = query.get_child("x", ns::DATA_FORMS).unwrap();
        let set = of_form(form).unwrap().properties;
        for name in [
            "Name",
            "AccessType",
            "Searchable",
            "PrivateMessaging",
            "MaxActiveUsers",
            "AutoDelete",
            "History",
        ] {
            assert_eq!(value(&set, name), value(&all(), name), "{name}");
        }
        assert_eq!(set.len(), 7);
    }

    #[test]
    fn a_value_that_cannot_be_and_a_field_twice_are_refused() {
        for fields in [
            "<field var='muc#roomconfig_membersonly'><value>perhaps</value></field>",
            "<field var='muc#roomconfig_maxusers'><value>0</value></field>",
            "<field var='muc#roomconfig_roomname'/><field var='muc#roomconfig_roomname'/>",
        ] {
            let form: Element = format!("<x xmlns='jabber:x:data' type='submit'>{fields}</x>")
                .parse()
                .unwrap();
            assert_eq!(of_form(&form), Err(Code(806)), "{fields}");
        }
        let unknown = "<x xmlns='jabber:x:data'><field var='muc#roomconfig_lang'/></x>";
        assert!(
            of_form(&unknown.parse().unwrap())
                .unwrap()
                .properties
                .is_empty()
        );
    }

    #[test]
    fn a_room_says_what_it_is_as_far_as_that_may_be_known() {
        let features = |query: &Element| -> Vec<String> {
            let features = query.children().filter(|child| child.name() == "feature");
            features
                .filter_map(|feature| feature.attr("var").map(str::to_owned))
                .collect()
        };
        let known = info("party", &all());
        for feature in [ns::MUC, "muc_membersonly", "muc_hidden", "muc_temporary"] {
            assert!(features(&known).iter().any(|f| f == feature), "{feature}");
        }
        let text = String::from(&known).replace('"', "'");
        assert!(text.contains("name='Club'") && text.contains("<value>Books</value>"));
        let unknown = info("party", &[]);
        assert!(!String::from(&unknown).contains("jabber:x:data"));
        assert!(features(&unknown).iter().all(|f| f != "muc_open"));
    }
}
