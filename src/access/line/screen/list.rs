//! Contact lists and attribute lists.

use super::{clean, who};
use crate::imps::Address;
use crate::imps::presence::{AttributeName, PresenceSubList};
use crate::imps::primitive::contact_list::{GetListResponse, ListManageResponse, NickName};
use crate::imps::primitive::presence_admin::{AttributeGrant, GetAttributeListResponse};

/// Which lists there are.
pub(in crate::access::line) fn lists(response: &GetListResponse) -> String {
    if response.lists.is_empty() {
        return "* no contact lists: /list new NAME makes one".to_owned();
    }
    let default = response.default.as_ref().map(|id| &id.list);
    let line = |list: &Address| {
        let is_default = default == Some(list);
        let note = if is_default { " (default)" } else { "" };
        format!("* {}{note}", name(list))
    };
    let lines = response.lists.iter().map(|id| line(&id.list));
    lines.collect::<Vec<_>>().join("\n")
}

/// Who is on a list.
pub(in crate::access::line) fn members(list: &Address, response: &ListManageResponse) -> String {
    let properties = response.properties.iter().flatten();
    let mut display = properties.filter(|p| p.name == "DisplayName");
    let display = display.find_map(|p| p.value.as_deref());
    let title = match display {
        Some(display) => format!("* {} \"{}\"", name(list), clean(display)),
        None => format!("* {}", name(list)),
    };
    let members = response.members.as_deref().unwrap_or_default();
    if members.is_empty() {
        return format!("{title}: nobody");
    }
    let line = |member: &NickName| {
        let nick = member.name.as_deref().map(clean);
        let nick = nick.map_or_else(String::new, |nick| format!(" \"{nick}\""));
        format!("*   {}{nick}", who(&member.user))
    };
    let lines = [title].into_iter().chain(members.iter().map(line));
    lines.collect::<Vec<_>>().join("\n")
}

/// Which attribute lists there are.
pub(in crate::access::line) fn attribute_lists(response: &GetAttributeListResponse) -> String {
    let default = match &response.default {
        Some(list) => names(list.presence.as_ref()),
        None => "nothing".to_owned(),
    };
    let line = |grant: &AttributeGrant| {
        let user = grant.user.as_ref().map(|id| who(&id.user));
        let list = grant.list.as_ref();
        let list = list.map(|id| format!("list {}", name(&id.list)));
        let target = user.or(list).unwrap_or_default();
        format!("* {target}: {}", names(grant.presence.as_ref()))
    };
    let default = format!("* default, of lists without one of their own: {default}");
    let lines = [default].into_iter();
    let lines = lines.chain(response.presences.iter().map(line));
    lines.collect::<Vec<_>>().join("\n")
}

/// Said of a word that names no attribute.
pub(in crate::access::line) fn no_attribute(word: &str) -> String {
    format!("there is no attribute {}", clean(word))
}

/// Attributes in words.
fn names(list: Option<&PresenceSubList>) -> String {
    let names = list.iter().flat_map(|list| &list.attributes);
    let names: Vec<String> = names.map(|a| clean(a.name.as_str())).collect();
    match names.len() {
        0 => "nothing".to_owned(),
        all if all == AttributeName::KNOWN.len() => "everything".to_owned(),
        _ => names.join(", "),
    }
}

fn name(list: &Address) -> String {
    clean(list.resource_part().unwrap_or_else(|| list.bare()))
}
