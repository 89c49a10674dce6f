//! Files that messages bring: places for them at an upload service (XEP-0363), and links to them
//! (XEP-0066, XEP-0446, XEP-0447; xmpp-mapping, 4.1 and 4.2).

use minidom::Element;
use xmpp_parsers::jid::Jid;
use xmpp_parsers::message::{Message, MessageType};

use super::stanza::{attribute, child_text, clean, element, ns, payload, text_element};
use super::words::is_encrypted;
use crate::imps::common::MessageInfo;
use crate::text::cut;
use crate::text::media::essence;

/// Bytes of a file's name; our choice.
const MAX_NAME: usize = 120;
/// Bytes of a URL or header that an upload service gives; our choice.
const MAX_GIVEN: usize = 8192;
/// Headers that may come with a place (XEP-0363, 4).
const HEADERS: &[&str] = &["authorization", "cookie", "expires"];

/// Types that say of a link only that a person can read what is there.
const PAGES: &[&str] = &["text/plain", "text/html", "application/xhtml+xml"];

/// How names of files end whose sender has not named them, by type.
const ENDINGS: &[(&str, &str)] = &[
    ("image/png", "png"),
    ("image/jpeg", "jpg"),
    ("image/jpg", "jpg"),
    ("image/pjpeg", "jpg"),
    ("image/gif", "gif"),
    ("image/webp", "webp"),
    ("image/bmp", "bmp"),
    ("image/vnd.wap.wbmp", "wbmp"),
    ("audio/amr", "amr"),
    ("audio/midi", "mid"),
    ("audio/sp-midi", "mid"),
    ("audio/mpeg", "mp3"),
    ("audio/mp4", "m4a"),
    ("audio/wav", "wav"),
    ("video/3gpp", "3gp"),
    ("video/mp4", "mp4"),
    ("text/x-vcard", "vcf"),
    ("text/vcard", "vcf"),
    ("text/x-vcalendar", "vcs"),
    ("text/calendar", "ics"),
    ("application/vnd.wap.mms-message", "mms"),
    ("application/vnd.3gpp.sms", "sms"),
    ("application/pdf", "pdf"),
];

/// A place that an upload service has given for a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// The URL of the upload; a secret.
    pub put: String,
    /// Headers of the upload; secrets.
    pub headers: Vec<(String, String)>,
    /// Where others fetch the file.
    pub get: String,
}

/// A link that is all there is to a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shared {
    /// Where the file is.
    pub url: String,
    /// Its name, if it is said.
    pub name: Option<String>,
    /// Its type, if it is said.
    pub content_type: Option<String>,
    /// Its bytes, if it is said.
    pub size: Option<u64>,
}

/// The question for a place for a file.
pub fn slot_request(name: &str, size: usize, content_type: &str) -> Element {
    let request = attribute(element("request", ns::HTTP_UPLOAD), "filename", name);
    let request = attribute(request, "size", &size.to_string());
    attribute(request, "content-type", content_type).build()
}

/// The place in the answer of an upload service; `None` if there is none that can be used.
pub fn slot(answer: &Element) -> Option<Slot> {
    if !answer.is("slot", ns::HTTP_UPLOAD) {
        return None;
    }
    let put = answer.get_child("put", ns::HTTP_UPLOAD)?;
    let get = answer.get_child("get", ns::HTTP_UPLOAD)?;
    let headers = put.children().filter(|child| child.name() == "header");
    let headers = headers.filter_map(|header| {
        let name = header.attr("name")?.trim().to_ascii_lowercase();
        let value = header.text().replace(['\r', '\n'], "");
        let is_usable = HEADERS.contains(&name.as_str()) && value.len() <= MAX_GIVEN;
        is_usable.then_some((name, value))
    });
    Some(Slot {
        put: url(put.attr("url")?)?,
        headers: headers.take(HEADERS.len()).collect(),
        get: url(get.attr("url")?)?,
    })
}

/// A URL that programs can go to.
fn url(text: &str) -> Option<String> {
    let text = text.trim();
    let scheme = text.split_once("://")?.0.to_ascii_lowercase();
    let is_plain = !text.contains(|c: char| c.is_whitespace() || c.is_control());
    let is_url = matches!(scheme.as_str(), "http" | "https") && text.len() <= MAX_GIVEN;
    (is_url && is_plain).then(|| text.to_owned())
}

/// Whether who says that of themselves gives places for files: then the most bytes of one, if there
/// is a bound.
pub fn upload_limit(info: &Element) -> Option<Option<u64>> {
    let offers = info.children().any(|child| {
        child.is("feature", ns::DISCO_INFO) && child.attr("var") == Some(ns::HTTP_UPLOAD)
    });
    let forms = info
        .children()
        .filter(|child| child.is("x", ns::DATA_FORMS));
    let value = |form: &Element, name: &str| {
        let mut fields = form.children();
        let field = fields.find(|field| field.attr("var") == Some(name))?;
        child_text(field, "value")
    };
    let mut limits = forms.filter_map(|form| {
        let kind = value(form, "FORM_TYPE")?;
        (kind == ns::HTTP_UPLOAD).then(|| value(form, "max-file-size")?.parse().ok())?
    });
    offers.then(|| limits.next())
}

/// What a server says that it has.
pub fn items(answer: &Element) -> Vec<Jid> {
    let items = answer
        .children()
        .filter(|child| child.is("item", ns::DISCO_ITEMS) && child.attr("node").is_none());
    let jids = items.filter_map(|item| Jid::new(item.attr("jid")?).ok());
    jids.collect()
}

/// What a message with a link has besides its body: the link for clients of all ages, and what is
/// known of the file.
pub fn sharing(url: &str, info: &MessageInfo) -> Vec<Element> {
    let mut link = element("x", ns::OOB).append(text_element("url", ns::OOB, url));
    if let Some(name) = &info.content_name {
        link = link.append(text_element("desc", ns::OOB, name));
    }
    let mut elements = vec![link.build()];
    let content_type = info.content_type.as_deref().map(essence);
    // Without a type, or with that of messages, it may be the address of a page.
    if let Some(content_type) = content_type.filter(|kind| !PAGES.contains(&kind.as_str())) {
        let mut file = element("file", ns::FILE_METADATA);
        file = file.append(text_element("media-type", ns::FILE_METADATA, &content_type));
        if let Some(name) = &info.content_name {
            file = file.append(text_element("name", ns::FILE_METADATA, name));
        }
        if let Some(size) = info.content_size {
            let size = size.to_string();
            file = file.append(text_element("size", ns::FILE_METADATA, &size));
        }
        let source = attribute(element("url-data", ns::URL_DATA), "target", url);
        let sources = element("sources", ns::FILE_SHARING).append(source.build());
        let is_shown = ["image/", "audio/", "video/"]
            .iter()
            .any(|family| content_type.starts_with(family));
        let disposition = if is_shown { "inline" } else { "attachment" };
        let sharing = element("file-sharing", ns::FILE_SHARING);
        let sharing = attribute(sharing, "disposition", disposition);
        elements.push(sharing.append(file.build()).append(sources.build()).build());
        let fallback = attribute(element("fallback", ns::FALLBACK), "for", ns::FILE_SHARING);
        let body = element("body", ns::FALLBACK).build();
        elements.push(fallback.append(body).build());
    }
    elements
}

/// The link that is all there is to a message to one user; `None` if there is more to it, or no link
/// that a program can go to.
pub fn shared(message: &Message) -> Option<Shared> {
    let is_talk = matches!(message.type_, MessageType::Chat | MessageType::Normal);
    if !is_talk || is_encrypted(message) || !message.subjects.is_empty() {
        return None;
    }
    let payloads = &message.payloads;
    let of_kind = |name: &str, namespace: &str| {
        let same = payloads.iter().filter(|p| p.is(name, namespace));
        same.count()
    };
    if of_kind("x", ns::OOB) > 1 || of_kind("file-sharing", ns::FILE_SHARING) > 1 {
        return None;
    }
    let sharing = payload(payloads, "file-sharing", ns::FILE_SHARING);
    let link = payload(payloads, "x", ns::OOB);
    let target = |sharing: &Element| {
        let mut sources = sharing.children().filter(|child| child.name() == "sources");
        let mut urls = sources.next()?.children();
        let source = urls.find(|source| source.is("url-data", ns::URL_DATA))?;
        source.attr("target").map(str::to_owned)
    };
    let named = link.and_then(|link| child_text(link, "url"));
    let found = named.or_else(|| target(sharing?))?;
    let found = url(&found)?;
    let is_all = message.bodies.values().all(|body| body.trim() == found);
    let file = sharing.and_then(|sharing| sharing.get_child("file", ns::FILE_METADATA));
    let said = |name: &str| child_text(file?, name);
    is_all.then(|| Shared {
        name: said("name").or_else(|| child_text(link?, "desc")),
        content_type: said("media-type"),
        size: said("size").and_then(|size| size.parse().ok()),
        url: found,
    })
}

/// The name of a file that stands in a message: the one that its sender gave, as far as it can be
/// one, or one that says what it is.
pub fn name_of(given: Option<&str>, content_type: &str) -> String {
    let kind = essence(content_type);
    let ending = ENDINGS.iter().find(|(known, _)| *known == kind);
    let last = |name: &str| {
        let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
        let last: String = clean(last).chars().filter(|c| !c.is_control()).collect();
        cut(last.trim().trim_start_matches('.'), MAX_NAME).to_owned()
    };
    let name = given.map(last).filter(|name| !name.is_empty());
    let name = name.unwrap_or_else(|| {
        let family = kind.split('/').next().unwrap_or_default();
        match family {
            "image" | "audio" | "video" => family.to_owned(),
            _ => "file".to_owned(),
        }
    });
    match ending {
        // Clients go by how a link ends.
        Some((_, ending)) if !name.contains('.') => format!("{name}.{ending}"),
        _ => name,
    }
}

/// The name of a file by the end of its URL.
pub fn name_in(url: &str) -> Option<String> {
    let path = url.split(['?', '#']).next()?;
    let (_, rest) = path.split_once("://")?;
    let (_, last) = rest.rsplit_once('/')?;
    let decoded = super::escape::percent_decode(last);
    (!decoded.trim().is_empty()).then(|| name_of(Some(&decoded), ""))
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
