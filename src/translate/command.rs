//! Ad-hoc commands (XEP-0050) and the forms in them (XEP-0004).

use std::collections::BTreeMap;

use minidom::Element;

use super::stanza::{attribute, element, ns, text_element};

/// Fields of a form that are read, and bytes of each value; our choice.
const MAX_FIELDS: (usize, usize) = (16, 4096);

/// What somebody wants of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// To begin it, or to go on.
    Go,
    /// To leave it.
    Cancel,
}

/// A command that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// Which one.
    pub node: String,
    /// What is wanted of it.
    pub action: Action,
    /// The session that it goes on with.
    pub session: Option<String>,
    /// What was filled in; `None` if nothing was.
    pub fields: Option<BTreeMap<String, String>>,
}

/// A field of a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its name to programs.
    pub name: &'static str,
    /// Its name to people.
    pub label: &'static str,
    /// What is in it.
    pub value: Value,
}

/// What is in a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Yes or no.
    Switch(bool),
    /// A line.
    Line(String),
    /// A text.
    Text(String),
}

/// What a command says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// There is something to fill in.
    Form {
        /// What it is about.
        title: &'static str,
        /// What to do.
        instructions: &'static str,
        /// What to fill in.
        fields: Vec<Field>,
    },
    /// It is done, and this is to be told.
    Done(Vec<String>),
    /// It was left.
    Left,
}

/// The command in a question; `None` if there is none.
pub fn given(payload: &Element) -> Option<Given> {
    if !payload.is("command", ns::COMMANDS) {
        return None;
    }
    let action = match payload.attr("action") {
        Some("cancel") => Action::Cancel,
        _ => Action::Go,
    };
    let form = payload.get_child("x", ns::DATA_FORMS);
    let form = form.filter(|form| form.attr("type") == Some("submit"));
    let fields = form.map(|form| {
        let fields = form.children().filter(|child| child.name() == "field");
        let fields = fields.take(MAX_FIELDS.0).filter_map(|field| {
            let lines = field.children().filter(|child| child.name() == "value");
            let lines: Vec<String> = lines.map(Element::text).collect();
            let value = lines.join("\n");
            (value.len() <= MAX_FIELDS.1).then_some((field.attr("var")?.to_owned(), value))
        });
        fields.collect()
    });
    Some(Given {
        node: payload.attr("node")?.to_owned(),
        action,
        session: payload.attr("sessionid").map(str::to_owned),
        fields,
    })
}

/// Whether a field says yes.
pub fn is_on(value: &str) -> bool {
    matches!(value.trim(), "1" | "true")
}

/// The answer of a command.
pub fn answer(node: &str, session: &str, said: &Said) -> Element {
    let status = match said {
        Said::Form { .. } => "executing",
        Said::Done(_) => "completed",
        Said::Left => "canceled",
    };
    let mut command = element("command", ns::COMMANDS);
    for (name, value) in [("node", node), ("sessionid", session), ("status", status)] {
        command = attribute(command, name, value);
    }
    match said {
        Said::Form {
            title,
            instructions,
            fields,
        } => {
            let actions = attribute(element("actions", ns::COMMANDS), "execute", "complete");
            let actions = actions.append(element("complete", ns::COMMANDS).build());
            let form = attribute(element("x", ns::DATA_FORMS), "type", "form");
            let form = form
                .append(text_element("title", ns::DATA_FORMS, title))
                .append(text_element("instructions", ns::DATA_FORMS, instructions))
                .append_all(fields.iter().map(field));
            command.append(actions.build()).append(form.build()).build()
        }
        Said::Done(lines) => {
            let note = attribute(element("note", ns::COMMANDS), "type", "info");
            command
                .append(note.append(lines.join("\n")).build())
                .build()
        }
        Said::Left => command.build(),
    }
}

fn field(field: &Field) -> Element {
    let (kind, values) = match &field.value {
        Value::Switch(is_on) => ("boolean", vec![if *is_on { "1" } else { "0" }]),
        Value::Line(text) => ("text-single", vec![text.as_str()]),
        Value::Text(text) => ("text-multi", text.lines().collect()),
    };
    let mut out = element("field", ns::DATA_FORMS);
    for (name, value) in [("var", field.name), ("type", kind), ("label", field.label)] {
        out = attribute(out, name, value);
    }
    let values = values
        .into_iter()
        .map(|value| text_element("value", ns::DATA_FORMS, value));
    out.append_all(values).build()
}

/// The commands of an address, each with its node and name.
pub fn list(jid: &str, commands: &[(&str, &str)]) -> Element {
    let items = commands.iter().map(|(node, name)| {
        let mut item = element("item", ns::DISCO_ITEMS);
        for (key, value) in [("jid", jid), ("node", node), ("name", name)] {
            item = attribute(item, key, value);
        }
        item.build()
    });
    let query = attribute(element("query", ns::DISCO_ITEMS), "node", ns::COMMANDS);
    query.append_all(items).build()
}

/// What a command is.
pub fn info(node: &str, name: &str) -> Element {
    let mut identity = element("identity", ns::DISCO_INFO);
    for (key, value) in [
        ("category", "automation"),
        ("type", "command-node"),
        ("name", name),
    ] {
        identity = attribute(identity, key, value);
    }
    let features = [ns::COMMANDS, ns::DATA_FORMS];
    let features = features
        .map(|feature| attribute(element("feature", ns::DISCO_INFO), "var", feature).build());
    attribute(element("query", ns::DISCO_INFO), "node", node)
        .append(identity.build())
        .append_all(features)
        .build()
}

/// Which node a question of XEP-0030 is about, and whether it is for what that has.
pub fn asked(payload: &Element) -> Option<(&str, bool)> {
    let is_items = payload.is("query", ns::DISCO_ITEMS);
    let is_info = payload.is("query", ns::DISCO_INFO);
    let node = payload.attr("node").filter(|_| is_items || is_info)?;
    Some((node, is_items))
}

/// The words of a message to the gateway itself: the first, in lower case, and the rest.
pub fn words(text: &str) -> (String, &str) {
    let text = text.trim();
    let (first, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    (first.to_lowercase(), rest.trim())
}

#[cfg(test)]
mod tests {
    use super::super::stanza::child_text;
    use super::*;

    #[test]
    fn a_command_is_read_with_what_was_filled_in() {
        let read = |text: &str| given(&text.parse().unwrap());
        let begun = read(
            "<command xmlns='http://jabber.org/protocol/commands' node='whoami' action='execute'/>",
        );
        let begun = begun.unwrap();
        assert_eq!((begun.node.as_str(), begun.action), ("whoami", Action::Go));
        assert_eq!(begun.fields, None);
        let filled = read(
            "<command xmlns='http://jabber.org/protocol/commands' node='n' sessionid='s' action='complete'>\
             <x xmlns='jabber:x:data' type='submit'><field var='a'><value>1</value></field>\
             <field var='b'><value>x</value><value>y</value></field></x></command>",
        );
        let filled = filled.unwrap();
        let fields = filled.fields.unwrap();
        assert!(is_on(&fields["a"]));
        assert_eq!(fields["b"], "x\ny");
        assert_eq!(filled.session.as_deref(), Some("s"));
        let left =
            read("<command xmlns='http://jabber.org/protocol/commands' node='n' action='cancel'/>");
        assert_eq!(left.unwrap().action, Action::Cancel);
        assert_eq!(read("<command xmlns='urn:test' node='n'/>"), None);
        assert_eq!(
            read("<command xmlns='http://jabber.org/protocol/commands'/>"),
            None
        );
    }

    #[test]
    fn a_form_and_an_end_are_written() {
        let form = Said::Form {
            title: "T",
            instructions: "I",
            fields: vec![
                Field {
                    name: "a",
                    label: "A",
                    value: Value::Switch(true),
                },
                Field {
                    name: "b",
                    label: "B",
                    value: Value::Text("x\ny".to_owned()),
                },
            ],
        };
        let text = String::from(&answer("n", "s", &form)).replace('"', "'");
        for part in [
            "node='n' sessionid='s' status='executing'",
            "<actions execute='complete'><complete/></actions>",
            "<field label='A' type='boolean' var='a'><value>1</value></field>",
            "<value>x</value><value>y</value>",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        let done = answer("n", "s", &Said::Done(vec!["x".to_owned(), "y".to_owned()]));
        let note = |answer: &Element| child_text(answer, "note");
        assert_eq!(note(&done).as_deref(), Some("x\ny"));
        assert_eq!(done.attr("status"), Some("completed"));
        assert_eq!(
            answer("n", "s", &Said::Left).attr("status"),
            Some("canceled")
        );
    }

    #[test]
    fn words_are_told_apart() {
        assert_eq!(
            words(" Announce  Tea at five "),
            ("announce".to_owned(), "Tea at five")
        );
        assert_eq!(words("help"), ("help".to_owned(), ""));
        assert_eq!(words(""), (String::new(), ""));
    }
}
