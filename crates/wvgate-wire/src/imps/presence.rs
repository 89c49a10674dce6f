//! Presence attributes (presence-attributes).
//!
//! SSP embeds the CSP structure `PresenceSubList` unchanged, and unknown
//! attributes must travel on. So an attribute keeps its qualifier and its fields
//! as they came, and the ones with a meaning have accessors.

use super::xml::{Content, DecodeError, Node, Writer};

/// The namespace written on a `PresenceSubList` (version 1.3).
pub const NAMESPACE: &str = "http://www.openmobilealliance.org/DTD/IMPS-PA1.3";

/// What `StatusMood` may be (presence-attributes, 3.5).
pub const MOODS: [&str; 11] = [
    "HAPPY",
    "SAD",
    "ANGRY",
    "JEALOUS",
    "ASHAMED",
    "INVINCIBLE",
    "IN_LOVE",
    "SLEEPY",
    "BORED",
    "EXCITED",
    "ANXIOUS",
];

macro_rules! names {
    ($($(#[$meta:meta])* $name:ident),*) => {
        /// The attributes with a meaning, in the order in which they are emitted.
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum AttributeName { $( $(#[$meta])* $name, )*
            /// One this version does not know; passed on.
            Other(String),
        }
        impl AttributeName {
            /// All known names in order of emission.
            pub const KNOWN: &[AttributeName] = &[ $( AttributeName::$name, )* ];
            /// The element's name.
            pub fn as_str(&self) -> &str {
                match self { $( Self::$name => stringify!($name), )* Self::Other(name) => name }
            }
            /// By element name, case-sensitively.
            pub fn from_name(name: &str) -> Self {
                match name { $( stringify!($name) => Self::$name, )* other => Self::Other(other.to_owned()) }
            }
        }
    };
}
names! {
    /// Logged in to the IMPS server.
    OnlineStatus,
    /// Registered in the mobile network.
    Registration,
    /// Client software and device.
    ClientInfo,
    /// Offset from UTC.
    TimeZone,
    /// Coordinates.
    GeoLocation,
    /// Postal address.
    Address,
    /// Place in words.
    FreeTextLocation,
    /// Mobile network.
    PLMN,
    /// Ways to communicate and whether they are open.
    CommCap,
    /// Availability of the user.
    UserAvailability,
    /// Preferred ways to be contacted.
    PreferredContacts,
    /// Three-letter language code.
    PreferredLanguage,
    /// Free text.
    StatusText,
    /// Mood.
    StatusMood,
    /// Nickname.
    Alias,
    /// Picture or other content.
    StatusContent,
    /// Business card.
    ContactInfo,
    /// Links.
    InfoLink
}

impl AttributeName {
    /// Whether the attribute describes one client rather than the user (rule 5).
    pub fn is_client_status(&self) -> bool {
        *self <= Self::CommCap
    }
}

/// An element below an attribute, as it came.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Item {
    /// Name of the element, without prefix.
    pub name: String,
    /// Its text, trimmed.
    pub text: String,
    /// Its attributes, as they were written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<(String, String)>,
    /// The elements inside, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<Item>,
}

impl Item {
    /// An element with text.
    pub fn text(name: &str, text: impl Into<String>) -> Self {
        Self {
            name: name.to_owned(),
            text: text.into(),
            attributes: Vec::new(),
            children: Vec::new(),
        }
    }

    /// An element with children.
    pub fn of(name: &str, children: Vec<Item>) -> Self {
        Self {
            name: name.to_owned(),
            text: String::new(),
            attributes: Vec::new(),
            children,
        }
    }

    /// The first child called `name`.
    pub fn child(&self, name: &str) -> Option<&Item> {
        self.children.iter().find(|child| child.name == name)
    }

    /// What it takes, roughly.
    pub fn bytes(&self) -> usize {
        let attributes = self.attributes.iter().map(|(k, v)| k.len() + v.len());
        let children = self.children.iter().map(Self::bytes);
        size_of::<Self>()
            + self.name.len()
            + self.text.len()
            + attributes.sum::<usize>()
            + children.sum::<usize>()
    }

    pub(crate) fn read(node: &Node<'_>) -> Self {
        Self {
            name: node.name.to_owned(),
            text: node.text.clone().into_owned(),
            attributes: node
                .attributes
                .iter()
                .map(|(k, v)| ((*k).to_owned(), v.clone().into_owned()))
                .collect(),
            children: node.children.iter().map(Self::read).collect(),
        }
    }

    pub(crate) fn write(&self, out: &mut Writer<'_>) {
        out.element(&self.name, |out| {
            for (name, value) in &self.attributes {
                out.attribute(&self.name, name, value);
            }
            out.text(&self.text);
            for child in &self.children {
                child.write(out);
            }
        });
    }
}

/// One presence attribute: a request (no qualifier, no fields), an unknown value
/// (qualifier false) or a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// Which attribute it is.
    pub name: AttributeName,
    /// `T`: the value is valid. `F`: unknown, withdrawn or unreliable.
    pub qualifier: Option<bool>,
    /// Everything but the qualifier.
    pub fields: Vec<Item>,
}

impl Attribute {
    /// Asks for the attribute.
    pub fn request(name: AttributeName) -> Self {
        Self {
            name,
            qualifier: None,
            fields: Vec::new(),
        }
    }

    /// The value is not known (any more).
    pub fn unknown(name: AttributeName) -> Self {
        Self {
            name,
            qualifier: Some(false),
            fields: Vec::new(),
        }
    }

    /// A valid value of the simple attributes (`PresenceValue` within).
    pub fn value(name: AttributeName, text: impl Into<String>) -> Self {
        Self::fields(name, vec![Item::text("PresenceValue", text)])
    }

    /// A valid value of a structured attribute.
    pub fn fields(name: AttributeName, fields: Vec<Item>) -> Self {
        Self {
            name,
            qualifier: Some(true),
            fields,
        }
    }

    /// What it takes, roughly.
    pub fn bytes(&self) -> usize {
        let fields = self.fields.iter().map(Item::bytes);
        size_of::<Self>() + fields.sum::<usize>()
    }

    /// Whether the value may be used (rule 2).
    pub fn is_valid(&self) -> bool {
        self.qualifier == Some(true)
    }

    /// The simple value, if it is valid.
    pub fn simple(&self) -> Option<&str> {
        self.field("PresenceValue")
    }

    /// The text of a field, if the value is valid.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.item(name).map(|item| item.text.as_str())
    }

    /// A field, if the value is valid.
    pub fn item(&self, name: &str) -> Option<&Item> {
        if !self.is_valid() {
            return None;
        }
        self.fields.iter().find(|item| item.name == name)
    }

    /// `T` or `F`, either case; `None` for anything else or no valid value.
    pub fn truth(&self) -> Option<bool> {
        match self.simple()? {
            "T" | "t" => Some(true),
            "F" | "f" => Some(false),
            _ => None,
        }
    }

    /// The client that the instance describes (1.3), by URL or number.
    pub fn client(&self) -> Option<&str> {
        let client = self.fields.iter().find(|item| item.name == "ClientID")?;
        client
            .child("URL")
            .or_else(|| client.child("MSISDN"))
            .map(|item| item.text.as_str())
            .or_else(|| {
                client
                    .attributes
                    .iter()
                    .find(|(name, _)| name == "url")
                    .map(|(_, url)| url.as_str())
            })
    }
}

/// `PresenceSubList`: attributes with values, or asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PresenceSubList {
    /// In the order they came.
    pub attributes: Vec<Attribute>,
}

impl PresenceSubList {
    /// Asks for the named attributes.
    pub fn request(names: impl IntoIterator<Item = AttributeName>) -> Self {
        Self {
            attributes: names.into_iter().map(Attribute::request).collect(),
        }
    }

    /// The first instance of an attribute.
    pub fn get(&self, name: &AttributeName) -> Option<&Attribute> {
        self.attributes
            .iter()
            .find(|attribute| attribute.name == *name)
    }

    /// All instances of an attribute (one per client in 1.3).
    pub fn all<'s>(&'s self, name: &'s AttributeName) -> impl Iterator<Item = &'s Attribute> + 's {
        self.attributes
            .iter()
            .filter(move |attribute| attribute.name == *name)
    }

    /// Puts the attributes into the order of emission (rule 1).
    pub fn sort(&mut self) {
        self.attributes.sort_by(|a, b| a.name.cmp(&b.name));
    }
}

impl Content for PresenceSubList {
    fn read(node: &Node<'_>) -> Result<Self, DecodeError> {
        let attributes = node.children.iter().map(|child| {
            let qualifier = child
                .children
                .iter()
                .find(|field| field.name == "Qualifier")
                .map(|field| matches!(field.text.as_ref(), "T" | "t"));
            Attribute {
                name: AttributeName::from_name(child.name),
                qualifier,
                fields: child
                    .children
                    .iter()
                    .filter(|field| field.name != "Qualifier")
                    .map(Item::read)
                    .collect(),
            }
        });
        Ok(Self {
            attributes: attributes.collect(),
        })
    }

    fn write(&self, name: &str, out: &mut Writer<'_>) {
        out.element(name, |out| {
            out.attribute(name, "xmlns", NAMESPACE);
            for attribute in &self.attributes {
                let name = attribute.name.as_str();
                out.element(name, |out| {
                    if let Some(qualifier) = attribute.qualifier {
                        out.element("Qualifier", |out| {
                            out.text(if qualifier { "T" } else { "F" });
                        });
                    }
                    for field in &attribute.fields {
                        field.write(out);
                    }
                });
            }
        });
    }
}
