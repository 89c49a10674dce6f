//! Groups.

use super::{clean, who, why};
use crate::imps::primitive::group::{GroupChangeNotice, LeaveGroupIndication};

/// Who came to a group, who went, and whether its properties changed; nothing if it says none of it.
pub(in crate::cli::chat) fn changed(notice: &GroupChangeNotice) -> Option<String> {
    let names = |names: &Option<Vec<String>>, what: &str| {
        let names: Vec<String> = names.iter().flatten().map(|name| clean(name)).collect();
        (!names.is_empty()).then(|| format!("{} {what}", names.join(", ")))
    };
    let has_properties = notice.properties.is_some() || notice.own.is_some();
    let news = [
        names(&notice.joined, "joined"),
        names(&notice.left, "left"),
        has_properties.then(|| "its properties have changed".to_owned()),
    ];
    let news: Vec<String> = news.into_iter().flatten().collect();
    (!news.is_empty()).then(|| format!("* {}: {}", who(&notice.group), news.join("; ")))
}

/// The user has left a group, or had to.
pub(in crate::cli::chat) fn has_left(notice: &LeaveGroupIndication) -> String {
    let group = notice
        .group
        .as_ref()
        .map_or_else(|| "a group".to_owned(), who);
    let why = why(&notice.status);
    format!("* you are no longer in {group}: {why}")
}
