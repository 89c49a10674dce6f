//! Invitations.

use super::{clean, reason, who, words};
use crate::imps::Address;
use crate::imps::common::{ContentId, GroupId};
use crate::imps::primitive::invitation::{CancelInviteRequest, InviteRequest, InviteResponse};

/// Somebody has invited the user.
pub(in crate::access::line) fn invited(inviter: &Address, request: &InviteRequest) -> String {
    let to = to_what(
        &request.invite_type,
        request.group.as_ref(),
        request.contents.as_deref(),
    );
    let user = who(inviter);
    format!(
        "* {user} invites you {to}{}: /accept {user} or /decline {user}",
        note(request.note.as_deref())
    )
}

/// Somebody has answered an invitation of the user's.
pub(in crate::access::line) fn invitation_answered(
    responder: &Address,
    sent: Option<&InviteRequest>,
    response: &InviteResponse,
) -> String {
    let to = sent.map_or_else(String::new, |sent| {
        let to = to_what(
            &sent.invite_type,
            sent.group.as_ref(),
            sent.contents.as_deref(),
        );
        format!(" {to}")
    });
    let user = who(responder);
    let said = note(response.note.as_deref());
    if response.acceptance {
        return format!("* {user} accepts your invitation{to}{said}");
    }
    // 404 is how an answer says no.
    let status = response.status.as_ref();
    let status = status.filter(|status| status.code.0 != 404 && !status.code.is_success());
    let why = status.map_or_else(String::new, |status| {
        format!(" ({})", reason(status.effective().0, words(status)))
    });
    format!("* {user} declines your invitation{to}{said}{why}")
}

/// Somebody has withdrawn an invitation of the user.
pub(in crate::access::line) fn withdrawn(
    inviter: &Address,
    request: &CancelInviteRequest,
) -> String {
    let to = match (&request.group, &request.contents) {
        (None, None) => String::new(),
        (group, contents) => format!(" {}", to_what("", group.as_ref(), contents.as_deref())),
    };
    let said = note(request.note.as_deref());
    format!("* {} has withdrawn the invitation{to}{said}", who(inviter))
}

fn to_what(kind: &str, group: Option<&GroupId>, contents: Option<&[ContentId]>) -> String {
    match (group, contents, kind) {
        (Some(group), _, _) => format!("into the group {}", who(&group.group)),
        (None, Some(contents), _) => {
            let urls = contents.iter().map(|content| clean(&content.url));
            format!("to fetch {}", urls.collect::<Vec<_>>().join(" "))
        }
        (None, None, "PR") => "to watch their presence".to_owned(),
        (None, None, "IM" | "EC") => "to talk".to_owned(),
        (None, None, kind) => format!("({})", clean(kind)),
    }
}

/// `" (Come!)"`, or nothing.
fn note(note: Option<&str>) -> String {
    let note = note.map(str::trim).filter(|note| !note.is_empty());
    note.map_or_else(String::new, |note| format!(" ({})", clean(note)))
}
