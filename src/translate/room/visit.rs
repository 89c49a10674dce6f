//! Rooms of XMPP as somebody sees them who is in them as a user of a group: what is sent to them,
//! and what they tell (xmpp-mapping, 5.2 and 5.4).

use minidom::Element;
use xmpp_parsers::jid::{BareJid, Jid};
use xmpp_parsers::message::{Id, Lang, Message, MessageType};
use xmpp_parsers::presence::{Presence, Type};

use super::ns;
use super::settings::value;
use super::standing::Affiliation;
use crate::imps::common::Property;
use crate::text::shown::cut;
use crate::translate::stanza::{attribute, child_text, element, payload, text_element};

/// Bytes of a reason, and of a topic; our choice. The rest is cut.
const MAX_TEXT: usize = 1024;
/// Members that are read of a list; our choice.
const MAX_MEMBERS: usize = 1000;

/// What a room tells of an occupant.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Told {
    /// The occupant.
    pub nick: String,
    /// Whether they are gone.
    pub is_gone: bool,
    /// What they are.
    pub affiliation: Affiliation,
    /// Who they are, if that is shown.
    pub jid: Option<BareJid>,
    /// Codes of XEP-0045.
    pub codes: Vec<u16>,
    /// The name they have from now on.
    pub new_nick: Option<String>,
    /// Why they had to go.
    pub reason: Option<String>,
    /// The room has ended.
    pub is_destroyed: bool,
}

impl Told {
    /// Whether one of the codes is that.
    pub fn has(&self, code: u16) -> bool {
        self.codes.contains(&code)
    }
}

/// What the presence of an occupant says; `None` if it is none.
pub fn told(presence: &Presence) -> Option<Told> {
    let is_gone = match presence.type_ {
        Type::None => false,
        Type::Unavailable => true,
        _ => return None,
    };
    let nick = presence.from.as_ref()?.resource()?.to_string();
    let mut told = Told {
        nick,
        is_gone,
        ..Told::default()
    };
    let Some(x) = payload(&presence.payloads, "x", ns::MUC_USER) else {
        return Some(told);
    };
    if let Some(item) = x.get_child("item", ns::MUC_USER) {
        let affiliation = item.attr("affiliation").and_then(Affiliation::named);
        told.affiliation = affiliation.unwrap_or_default();
        let jid = item.attr("jid").and_then(|jid| Jid::new(jid).ok());
        told.jid = jid.map(|jid| jid.to_bare());
        told.new_nick = item.attr("nick").map(str::to_owned);
        told.reason = child_text(item, "reason");
    }
    if let Some(destroyed) = x.get_child("destroy", ns::MUC_USER) {
        told.is_destroyed = true;
        let next = destroyed.attr("jid").map(|jid| format!("see {jid}"));
        let said = [child_text(destroyed, "reason"), next];
        let said: Vec<String> = said.into_iter().flatten().collect();
        told.reason = Some(said.join("; ")).filter(|text| !text.is_empty());
    }
    told.reason = told.reason.map(|text| cut(&text, MAX_TEXT).to_owned());
    let codes = x.children().filter(|c| c.is("status", ns::MUC_USER));
    let codes = codes.filter_map(|status| status.attr("code")?.parse().ok());
    told.codes = codes.take(16).collect();
    Some(told)
}

/// The wish to enter, without what was said before.
pub fn entry(from: &Jid, room: &BareJid, nick: &str) -> Option<Presence> {
    let to = room.with_resource_str(nick).ok()?;
    let history = attribute(element("history", ns::MUC), "maxstanzas", "0");
    let x = element("x", ns::MUC).append(history.build()).build();
    let mut presence = Presence::new(Type::None)
        .with_from(from.clone())
        .with_to(to);
    presence.payloads.push(x);
    Some(presence)
}

/// That somebody leaves.
pub fn exit(from: &Jid, room: &BareJid, nick: &str) -> Option<Presence> {
    let to = room.with_resource_str(nick).ok()?;
    let presence = Presence::new(Type::Unavailable).with_from(from.clone());
    Some(presence.with_to(to))
}

/// Sets what is talked about.
pub fn topic(from: &Jid, room: &BareJid, text: &str, id: &str) -> Message {
    let to = Jid::from(room.clone());
    let mut message = Message::new_with_type(MessageType::Groupchat, to);
    message.from = Some(from.clone());
    message.id = Some(Id(id.to_owned()));
    message.subjects.insert(Lang::new(), text.to_owned());
    message
}

/// What is talked about from now on; `None` if the message does not say it.
pub fn topic_of(message: &Message) -> Option<String> {
    let subject = message.subjects.values().next()?;
    let is_alone = message.type_ == MessageType::Groupchat && message.bodies.is_empty();
    is_alone.then(|| cut(subject.trim(), MAX_TEXT).to_owned())
}

/// Whether a room has set itself up otherwise.
pub fn is_set(message: &Message) -> bool {
    let x = payload(&message.payloads, "x", ns::MUC_USER);
    let mut children = x.into_iter().flat_map(Element::children);
    children.any(|child| child.is("status", ns::MUC_USER) && child.attr("code") == Some("104"))
}

/// Whether a message is of the time before; `room` says so.
pub fn is_past(message: &Message, room: &BareJid) -> bool {
    let delay = payload(&message.payloads, "delay", ns::DELAY);
    delay.is_some_and(|delay| delay.attr("from").is_none_or(|from| from == room.as_str()))
}

/// Whether what disco answers is a room.
pub fn is_room(info: &Element) -> bool {
    let mut children = info.children();
    children.any(|child| {
        child.is("identity", ns::DISCO_INFO) && child.attr("category") == Some("conference")
    })
}

/// What a room tells of itself, as properties of a group. `is_public`: it has no owner in its name.
pub fn properties(info: &Element, is_public: bool) -> Vec<Property> {
    let property = |name: &str, value: &str| Property {
        name: name.to_owned(),
        value: Some(value.to_owned()),
    };
    let has = |feature: &str| {
        let mut children = info.children();
        children.any(|child| child.name() == "feature" && child.attr("var") == Some(feature))
    };
    let mut identities = info.children().filter(|c| c.is("identity", ns::DISCO_INFO));
    let name = identities.find_map(|identity| identity.attr("name"));
    let mut properties = Vec::new();
    if let Some(name) = name.filter(|name| !name.trim().is_empty()) {
        properties.push(property("Name", name));
    }
    let form = info.get_child("x", ns::DATA_FORMS);
    let field = |var: &str| {
        let mut fields = form?
            .children()
            .filter(|field| field.attr("var") == Some(var));
        Some(child_text(fields.next()?, "value").unwrap_or_default())
    };
    if let Some(topic) = field("muc#roominfo_subject") {
        properties.push(property("Topic", cut(&topic, MAX_TEXT)));
    }
    // A password keeps others out as a list of members does.
    let is_closed = has("muc_membersonly") || has("muc_passwordprotected");
    let access = if is_closed { "Restricted" } else { "Open" };
    properties.push(property("AccessType", access));
    let kind = if is_public { "Public" } else { "Private" };
    properties.push(property("Type", kind));
    let flags = [
        ("Searchable", "muc_public", "muc_hidden"),
        ("AutoDelete", "muc_temporary", "muc_persistent"),
    ];
    for (name, on, off) in flags {
        if has(on) {
            properties.push(property(name, "T"));
        } else if has(off) {
            properties.push(property(name, "F"));
        }
    }
    if let Some(active) = field("muc#roominfo_occupants") {
        properties.push(property("ActiveUsers", cut(&active, 16)));
    }
    if let Some(most) = field("muc#maxhistoryfetch") {
        let history = if most.trim() == "0" { "F" } else { "T" };
        properties.push(property("History", history));
    }
    properties
}

/// What somebody is in a room, as their own properties.
pub fn own(affiliation: Affiliation) -> Vec<Property> {
    let level = match affiliation {
        Affiliation::Owner => "Admin",
        Affiliation::Admin => "Mod",
        _ => "User",
    };
    let is_member = !matches!(affiliation, Affiliation::None | Affiliation::Outcast);
    let property = |name: &str, value: &str| Property {
        name: name.to_owned(),
        value: Some(value.to_owned()),
    };
    vec![
        property("PrivilegeLevel", level),
        property("IsMember", if is_member { "T" } else { "F" }),
    ]
}

/// The form of a room, filled in with what properties say; fields that it has not are left out.
pub fn filled_in(query: &Element, properties: &[Property]) -> Element {
    let mut form = attribute(element("x", ns::DATA_FORMS), "type", "submit").build();
    let add = |form: &mut Element, var: &str, values: &[String]| {
        let values = values
            .iter()
            .map(|v| text_element("value", ns::DATA_FORMS, v));
        let field = attribute(element("field", ns::DATA_FORMS), "var", var);
        form.append_child(field.append_all(values).build());
    };
    add(&mut form, "FORM_TYPE", &[ns::MUC_CONFIG.to_owned()]);
    let offered = query.get_child("x", ns::DATA_FORMS);
    let fields = offered.into_iter().flat_map(Element::children);
    for field in fields.filter(|child| child.name() == "field").take(128) {
        let Some(var) = field.attr("var").filter(|var| *var != "FORM_TYPE") else {
            continue;
        };
        let is_on = |name: &str| {
            let value = value(properties, name)?;
            let on = ["T", "Restricted", "Yes"];
            Some(on.iter().any(|on| value.eq_ignore_ascii_case(on)))
        };
        let flag = |on: bool| if on { "1" } else { "0" }.to_owned();
        let wanted = match var {
            "muc#roomconfig_roomname" => value(properties, "Name").map(str::to_owned),
            "muc#roomconfig_membersonly" => {
                let closed = is_on("RequireInvitation").filter(|on| *on);
                closed.or(is_on("AccessType")).map(flag)
            }
            "muc#roomconfig_publicroom" => is_on("Searchable").map(flag),
            "muc#roomconfig_persistentroom" => is_on("AutoDelete").map(|on| flag(!on)),
            "muc#roomconfig_maxusers" => value(properties, "MaxActiveUsers").map(str::to_owned),
            "muc#roomconfig_allowpm" => {
                is_on("PrivateMessaging").map(|on| if on { "anyone" } else { "none" }.to_owned())
            }
            _ => None,
        };
        // Whatever the form has else stays as it is.
        let known = field.children().filter(|child| child.name() == "value");
        let known: Vec<String> = known.take(256).map(Element::text).collect();
        let is_read_only = field.attr("type") == Some("fixed");
        match wanted {
            Some(wanted) => add(&mut form, var, &[wanted]),
            None if !is_read_only => add(&mut form, var, &known),
            None => {}
        }
    }
    element("query", ns::MUC_OWNER).append(form).build()
}

/// Asks what a room is.
pub fn info() -> Element {
    element("query", ns::DISCO_INFO).build()
}

/// Asks for the form with which a room is set up.
pub fn form_of() -> Element {
    element("query", ns::MUC_OWNER).build()
}

/// Asks whether somebody is there.
pub fn ping() -> Element {
    element("ping", ns::PING).build()
}

/// Ends a room.
pub fn end() -> Element {
    let destroy = element("destroy", ns::MUC_OWNER).build();
    element("query", ns::MUC_OWNER).append(destroy).build()
}

/// Asks who is that.
pub fn list_of(affiliation: Affiliation) -> Element {
    let item = element("item", ns::MUC_ADMIN);
    let item = attribute(item, "affiliation", affiliation.name());
    element("query", ns::MUC_ADMIN).append(item.build()).build()
}

/// Makes users that.
pub fn change<'j>(users: impl Iterator<Item = &'j BareJid>, to: Affiliation) -> Element {
    let items = users.map(|jid| {
        let item = attribute(element("item", ns::MUC_ADMIN), "affiliation", to.name());
        attribute(item, "jid", jid.as_str()).build()
    });
    element("query", ns::MUC_ADMIN).append_all(items).build()
}

/// The users of a list.
pub fn listed(query: &Element) -> Vec<BareJid> {
    let items = query.children().filter(|child| child.name() == "item");
    let jids = items.filter_map(|item| Jid::new(item.attr("jid")?).ok());
    jids.map(|jid| jid.to_bare()).take(MAX_MEMBERS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn presence(kind: &str, inner: &str) -> Presence {
        let text = format!(
            "<presence xmlns='{}' {kind} from='club@muc.example/Ali' to='bob@y.example/imps'>{inner}</presence>",
            ns::DEFAULT_NS
        );
        let element: Element = text.parse().unwrap();
        element.try_into().unwrap()
    }

    #[test]
    fn what_a_room_tells_of_an_occupant_is_read() {
        let x = "<x xmlns='http://jabber.org/protocol/muc#user'><item affiliation='admin' role='moderator' jid='a@x.example/r'/><status code='110'/><status code='210'/></x>";
        let told_of = told(&presence("", x)).unwrap();
        assert_eq!(told_of.nick, "Ali");
        assert_eq!(told_of.affiliation, Affiliation::Admin);
        assert_eq!(
            told_of.jid.as_ref().map(|jid| jid.as_str()),
            Some("a@x.example")
        );
        assert!(told_of.has(110) && told_of.has(210) && !told_of.is_gone);
        let x = "<x xmlns='http://jabber.org/protocol/muc#user'><item affiliation='none' role='none'/><destroy jid='new@muc.example'><reason>Moved</reason></destroy></x>";
        let told_of = told(&presence("type='unavailable'", x)).unwrap();
        assert!(told_of.is_gone && told_of.is_destroyed);
        assert_eq!(
            told_of.reason.as_deref(),
            Some("Moved; see new@muc.example")
        );
        assert_eq!(told(&presence("type='subscribe'", "")), None);
    }

    #[test]
    fn what_a_room_says_of_itself_becomes_properties() {
        let info: Element = "<query xmlns='http://jabber.org/protocol/disco#info'><identity category='conference' type='text' name='The club'/><feature var='muc_membersonly'/><feature var='muc_hidden'/><feature var='muc_persistent'/><x xmlns='jabber:x:data' type='result'><field var='muc#roominfo_subject'><value>Books</value></field><field var='muc#roominfo_occupants'><value>3</value></field></x></query>".parse().unwrap();
        assert!(is_room(&info));
        let known = properties(&info, true);
        for (name, wanted) in [
            ("Name", "The club"),
            ("Topic", "Books"),
            ("AccessType", "Restricted"),
            ("Type", "Public"),
            ("Searchable", "F"),
            ("AutoDelete", "F"),
            ("ActiveUsers", "3"),
        ] {
            assert_eq!(value(&known, name), Some(wanted), "{name}");
        }
    }

    #[test]
    fn a_form_is_filled_in_with_what_is_set_and_else_stays_as_it_is() {
        let form: Element = "<query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='form'><field var='FORM_TYPE' type='hidden'><value>http://jabber.org/protocol/muc#roomconfig</value></field><field var='muc#roomconfig_roomname'><value>Old</value></field><field var='muc#roomconfig_membersonly' type='boolean'><value>0</value></field><field var='muc#roomconfig_whois' type='list-single'><value>moderators</value></field><field type='fixed' var='x'><value>Title</value></field></x></query>".parse().unwrap();
        let set = [
            ("Name", "New"),
            ("AccessType", "Restricted"),
            ("Searchable", "T"),
        ];
        let set = set.map(|(name, value)| Property {
            name: name.to_owned(),
            value: Some(value.to_owned()),
        });
        let filled = filled_in(&form, &set);
        let form = filled.get_child("x", ns::DATA_FORMS).unwrap();
        let fields: Vec<(String, String)> = form
            .children()
            .map(|field| {
                (
                    field.attr("var").unwrap().to_owned(),
                    child_text(field, "value").unwrap(),
                )
            })
            .collect();
        let fields: Vec<(&str, &str)> = fields.iter().map(|(a, b)| (&**a, &**b)).collect();
        assert_eq!(
            fields,
            [
                ("FORM_TYPE", ns::MUC_CONFIG),
                ("muc#roomconfig_roomname", "New"),
                ("muc#roomconfig_membersonly", "1"),
                ("muc#roomconfig_whois", "moderators"),
            ]
        );
    }

    #[test]
    fn own_properties_are_what_is_read_of_them() {
        for affiliation in [
            Affiliation::Owner,
            Affiliation::Admin,
            Affiliation::Member,
            Affiliation::None,
        ] {
            assert_eq!(Affiliation::of_own(&own(affiliation)), Some(affiliation));
        }
    }
}
