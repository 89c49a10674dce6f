//! Pictures that people show of themselves (presence-attributes, 3.7; XEP-0084, XEP-0153).

use std::fmt::Write as _;

use minidom::Element;
use sha1::{Digest, Sha1};

use super::card::picture;
use crate::imps::common::{decode_base64, encode_base64};
use crate::imps::presence::{Attribute, AttributeName as Name, Item, PresenceSubList};
use crate::translate::card::{MAX_PHOTO, Photo};
use crate::translate::stanza::{attribute, element, ns, text_element};

/// Bytes of a picture of an XMPP user that goes to the SSP side (presence-attributes, 3.7).
pub const MAX_SHOWN: usize = 32 * 1024;

/// What a client tells of a picture: enough to fetch it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Told {
    /// SHA-1 of what is in it, 40 hex digits in lower case.
    pub id: String,
    /// Whether it is published by PEP; else it stands in the card.
    pub is_published: bool,
}

/// What becomes of a hint at a picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hint {
    /// There is one.
    Some(Told),
    /// There is none any more.
    None,
    /// It is too large, or of a kind that is not taken.
    Other,
}

/// SHA-1 of the bytes, in hex digits.
pub fn hash(bytes: &[u8]) -> String {
    let mut name = String::with_capacity(40);
    for byte in Sha1::digest(bytes) {
        let _ = write!(name, "{byte:02x}");
    }
    name
}

/// The mark in the presence of somebody of whom `list` may be known; `None`: nothing is told of a
/// picture.
pub(super) fn mark(list: &PresenceSubList) -> Option<Element> {
    list.get(&Name::StatusContent)?;
    let photo = element("photo", ns::VCARD_UPDATE);
    let photo = match picture(list) {
        Some(picture) => photo.append(hash(&picture.bytes)),
        None => photo,
    };
    Some(element("x", ns::VCARD_UPDATE).append(photo.build()).build())
}

/// What is published of a picture, and the id of the item; `None`: nothing is told of one.
pub(super) fn metadata(list: &PresenceSubList) -> Option<(String, Element)> {
    list.get(&Name::StatusContent)?;
    let metadata = element("metadata", ns::AVATAR_METADATA);
    let Some(picture) = picture(list) else {
        return Some(("current".to_owned(), metadata.build()));
    };
    let id = hash(&picture.bytes);
    let info = attribute(element("info", ns::AVATAR_METADATA), "id", &id);
    let info = attribute(info, "type", &picture.content_type);
    let mut info = attribute(info, "bytes", &picture.bytes.len().to_string());
    if let Some((width, height)) = size(&picture.bytes) {
        info = attribute(info, "width", &width.to_string());
        info = attribute(info, "height", &height.to_string());
    }
    Some((id, metadata.append(info.build()).build()))
}

/// Width and height of a picture, if they can be told from how it begins.
fn size(bytes: &[u8]) -> Option<(u32, u32)> {
    let wide = |at: usize| {
        let four = bytes.get(at..at + 4)?.try_into().ok()?;
        Some(u32::from_be_bytes(four))
    };
    let short = |at: usize| {
        let two = bytes.get(at..at + 2)?.try_into().ok()?;
        Some(u32::from(u16::from_le_bytes(two)))
    };
    match bytes {
        [0x89, b'P', b'N', b'G', ..] => Some((wide(16)?, wide(20)?)),
        [b'G', b'I', b'F', b'8', ..] => Some((short(6)?, short(8)?)),
        _ => None,
    }
}

/// The id of the picture for which PEP is asked; `None` if it is asked for something else.
pub fn asked(pubsub: &Element) -> Option<&str> {
    let items = pubsub.get_child("items", ns::PUBSUB)?;
    let is_data = pubsub.name() == "pubsub" && items.attr("node") == Some(ns::AVATAR_DATA);
    let item = items.get_child("item", ns::PUBSUB).filter(|_| is_data)?;
    item.attr("id")
}

/// Asks for a picture: whatever it is that was told of it.
pub fn ask(told: &Told) -> Element {
    if !told.is_published {
        return element("vCard", ns::VCARD).build();
    }
    let item = attribute(element("item", ns::PUBSUB), "id", &told.id).build();
    let items = attribute(element("items", ns::PUBSUB), "node", ns::AVATAR_DATA);
    element("pubsub", ns::PUBSUB)
        .append(items.append(item).build())
        .build()
}

/// The answer to who asks for a picture by PEP.
pub fn data(picture: &Photo) -> Element {
    let data = text_element("data", ns::AVATAR_DATA, &encode_base64(&picture.bytes));
    let item = attribute(element("item", ns::PUBSUB), "id", &hash(&picture.bytes));
    let items = attribute(element("items", ns::PUBSUB), "node", ns::AVATAR_DATA);
    element("pubsub", ns::PUBSUB)
        .append(items.append(item.append(data).build()).build())
        .build()
}

/// The picture in an answer of PEP, or in a card; only the one that was told of.
pub fn fetched(answer: &Element, told: &Told) -> Option<Photo> {
    let photo = if told.is_published {
        let items = answer.get_child("items", ns::PUBSUB)?;
        let item = items.get_child("item", ns::PUBSUB)?;
        let text = item.get_child("data", ns::AVATAR_DATA)?.text();
        if text.len() > MAX_PHOTO * 3 / 2 {
            return None;
        }
        let bytes = decode_base64(&text)?;
        let content_type = crate::translate::card::kind_of(&bytes)?.to_owned();
        Photo {
            content_type,
            bytes,
        }
    } else {
        crate::translate::card::Card::read(answer)?.photo?
    };
    let is_it = hash(&photo.bytes) == told.id && photo.bytes.len() <= MAX_SHOWN;
    is_it.then_some(photo)
}

/// What the metadata of PEP say.
pub(super) fn published(metadata: &Element) -> Hint {
    let infos = metadata.children().filter(|child| child.name() == "info");
    let mut infos = infos.take(16).peekable();
    if infos.peek().is_none() {
        return Hint::None;
    }
    let small = |info: &&Element| {
        let bytes = info.attr("bytes").and_then(|bytes| bytes.parse().ok());
        // One with a link is elsewhere.
        bytes.is_some_and(|bytes: usize| bytes <= MAX_SHOWN) && info.attr("url").is_none()
    };
    let mut small = infos.filter(small);
    match small.find_map(|info| id_of(info.attr("id")?)) {
        Some(id) => Hint::Some(Told {
            id,
            is_published: true,
        }),
        None => Hint::Other,
    }
}

/// What the mark in presence says; `None`: nothing.
pub(super) fn marked(x: &Element) -> Option<Hint> {
    let photo = x.get_child("photo", ns::VCARD_UPDATE)?;
    let text = photo.text();
    if text.trim().is_empty() {
        return Some(Hint::None);
    }
    let id = id_of(&text)?;
    Some(Hint::Some(Told {
        id,
        is_published: false,
    }))
}

fn id_of(text: &str) -> Option<String> {
    let id = text.trim().to_ascii_lowercase();
    let is_one = id.len() == 40 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_one.then_some(id)
}

/// A picture as an attribute.
pub(super) fn content(picture: &Photo) -> Attribute {
    let fields = vec![
        Item::text("DirectContent", encode_base64(&picture.bytes)),
        Item::text("ContentType", picture.content_type.as_str()),
    ];
    Attribute::fields(Name::StatusContent, fields)
}

/// What is told of somebody, with the name of the picture in its place.
pub fn named(list: &PresenceSubList, told: Option<&Told>) -> PresenceSubList {
    let mut list = list.clone();
    let pictures = list.attributes.iter_mut();
    let pictures = pictures.filter(|attribute| attribute.name == Name::StatusContent);
    for attribute in pictures.filter(|attribute| attribute.is_valid()) {
        let id = told.map_or("", |told| told.id.as_str());
        *attribute = Attribute::value(Name::StatusContent, id);
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A PNG of one pixel, as far as its head goes.
    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x10\0\0\0\x20rest";

    fn shown() -> PresenceSubList {
        let picture = Photo {
            content_type: "image/png".to_owned(),
            bytes: PNG.to_vec(),
        };
        PresenceSubList {
            attributes: vec![content(&picture)],
        }
    }

    #[test]
    fn a_picture_is_marked_in_presence_published_and_told_to_who_asks() {
        let id = hash(PNG);
        assert_eq!(id.len(), 40);
        let x = mark(&shown()).unwrap();
        let told = |is_published| Told {
            id: id.clone(),
            is_published,
        };
        assert_eq!(marked(&x), Some(Hint::Some(told(false))));
        let (item, metadata) = metadata(&shown()).unwrap();
        assert_eq!(item, id);
        let info = metadata.children().next().unwrap();
        assert_eq!(
            (info.attr("width"), info.attr("height")),
            (Some("16"), Some("32"))
        );
        assert_eq!(published(&metadata), Hint::Some(told(true)));
        let question = ask(&told(true));
        assert_eq!(asked(&question), Some(id.as_str()));
        let picture = picture(&shown()).unwrap();
        assert_eq!(fetched(&data(&picture), &told(true)), Some(picture.clone()));
        let other = Told {
            id: hash(b"other"),
            is_published: true,
        };
        assert_eq!(fetched(&data(&picture), &other), None);
    }

    #[test]
    fn that_there_is_no_picture_is_told_and_heard() {
        let none = PresenceSubList {
            attributes: vec![Attribute::unknown(Name::StatusContent)],
        };
        assert_eq!(marked(&mark(&none).unwrap()), Some(Hint::None));
        assert_eq!(published(&metadata(&none).unwrap().1), Hint::None);
        assert!(mark(&PresenceSubList::default()).is_none());
        assert!(metadata(&PresenceSubList::default()).is_none());
        let read = |inner: &str| {
            let text = format!(
                "<metadata xmlns='{}'>{inner}</metadata>",
                ns::AVATAR_METADATA
            );
            published(&text.parse().unwrap())
        };
        let id = hash(PNG);
        for inner in [
            format!("<info id='{id}' bytes='99999' type='image/png'/>"),
            format!("<info id='{id}' bytes='10' url='http://x/'/>"),
            "<info id='x' bytes='10'/>".to_owned(),
        ] {
            assert_eq!(read(&inner), Hint::Other, "{inner}");
        }
        let x = format!("<x xmlns='{}'/>", ns::VCARD_UPDATE);
        assert_eq!(marked(&x.parse().unwrap()), None);
    }
}
