//! What who watches a WV user knows of them, as a card (presence-attributes, 3.6 to 3.8).

use crate::imps::common::decode_base64;
use crate::imps::presence::{Attribute, AttributeName as Name, PresenceSubList};
use crate::translate::card::{Card, MAX_PHOTO, Photo};

/// The card that attributes make.
pub fn card_of(values: &PresenceSubList) -> Card {
    let simple = |name: &Name| {
        let text = values.get(name).and_then(Attribute::simple)?.trim();
        (!text.is_empty()).then(|| text.to_owned())
    };
    let link = values.get(&Name::InfoLink);
    let link = link.and_then(|link| link.item("Inf_link")?.child("Link"));
    let link = link.map(|link| link.text.trim().to_owned());
    let nick = simple(&Name::Alias);
    Card {
        name: nick.clone(),
        nick,
        url: link.filter(|link| link.starts_with("https://") || link.starts_with("http://")),
        photo: picture(values),
        ..Card::default()
    }
}

/// The picture that somebody shows of themselves.
pub fn picture(values: &PresenceSubList) -> Option<Photo> {
    let content = values.get(&Name::StatusContent).filter(|c| c.is_valid())?;
    let kind = content.field("ContentType")?.trim().to_ascii_lowercase();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_owned();
    // What can be run is no picture.
    if !kind.starts_with("image/") || kind.contains("svg") {
        return None;
    }
    let text = content.field("DirectContent")?;
    if text.len() > MAX_PHOTO * 3 / 2 {
        return None;
    }
    let bytes = decode_base64(text)?;
    let is_one = !bytes.is_empty() && bytes.len() <= MAX_PHOTO;
    is_one.then_some(Photo {
        content_type: kind,
        bytes,
    })
}
