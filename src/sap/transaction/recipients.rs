//! Requests with several targets: taken apart when the targets are reached in
//! different ways, and their answers put together again (wire profile, 7.3, 8.1;
//! a partial success is 201 with details).

use std::borrow::Cow;

use crate::imps::address::{Address, Kind};
use crate::imps::common::{ContactList, GroupId, UserId};
use crate::imps::primitive::Name;
use crate::imps::primitive::common::{SearchResponse, SearchResult};
use crate::imps::primitive::message::SendMessageResponse;
use crate::imps::primitive::presence::GetPresenceResponse;
use crate::imps::status::DetailedResult;
use crate::imps::{Code, Primitive, Status};

/// The part of `primitive` that concerns `targets`; `None` if the primitive does
/// not address single targets, and then goes whole to where the first one is.
pub fn part(primitive: &Primitive, targets: &[Address]) -> Option<Primitive> {
    Some(match primitive {
        Primitive::SendMessageRequest(request) => {
            let mut part = request.clone();
            part.info
                .recipients
                .retain(|recipient| targets.contains(recipient.address()));
            Primitive::SendMessageRequest(part)
        }
        Primitive::SubscribeRequest(request) => {
            let mut part = request.clone();
            part.users.retain(|user| targets.contains(&user.user));
            Primitive::SubscribeRequest(part)
        }
        Primitive::UnsubscribeRequest(request) => {
            let mut part = request.clone();
            part.users.retain(|user| targets.contains(&user.user));
            Primitive::UnsubscribeRequest(part)
        }
        Primitive::GetPresenceRequest(request) => {
            let mut part = request.clone();
            part.users.retain(|user| targets.contains(&user.user));
            Primitive::GetPresenceRequest(part)
        }
        Primitive::PresenceNotification(notice) => {
            let mut part = notice.clone();
            part.watchers.retain(|user| targets.contains(&user.user));
            Primitive::PresenceNotification(part)
        }
        Primitive::LeaveGroupIndication(notice) => {
            let mut part = notice.clone();
            part.users.retain(|user| targets.contains(&user.user));
            Primitive::LeaveGroupIndication(part)
        }
        Primitive::GroupChangeNotice(notice) => {
            let mut part = notice.clone();
            part.users.retain(|user| targets.contains(&user.user));
            Primitive::GroupChangeNotice(part)
        }
        Primitive::VerifyIDRequest(request) => {
            let mut part = request.clone();
            part.ids
                .ids
                .retain(|id| targets.contains(&id.whereabouts()));
            Primitive::VerifyIDRequest(part)
        }
        _ => return None,
    })
}

/// The answer that says `status` to a request of this name.
pub fn answer(request: Option<Name>, message: Option<&str>, status: Status) -> Primitive {
    if request == Some(Name::SendMessageRequest) {
        return SendMessageResponse {
            message_id: message.unwrap_or_default().to_owned(),
            status,
        }
        .into();
    }
    status.into()
}

/// One answer out of several: `(targets asked, answer)` each.
pub fn join(
    request: Option<Name>,
    message: Option<&str>,
    parts: &[(&[Address], Cow<'_, Primitive>)],
) -> Primitive {
    if request == Some(Name::SearchRequest) {
        return found(parts.iter().map(|(_, answer)| answer.as_ref()));
    }
    let asked: usize = parts.iter().map(|(targets, _)| targets.len()).sum();
    let mut failed = 0;
    let mut details: Vec<DetailedResult> = Vec::new();
    let mut values = Vec::new();
    for (targets, answer) in parts {
        if let Primitive::GetPresenceResponse(response) = &**answer {
            values.extend(response.values.iter().cloned());
        }
        let Some(status) = answer.verdict() else {
            continue;
        };
        if status.code == Code::PARTIAL
            || (status.code == Code::MULTIPLE && !status.details.is_empty())
        {
            failed += if status.code == Code::MULTIPLE {
                targets.len()
            } else {
                status
                    .details
                    .iter()
                    .map(named)
                    .sum::<usize>()
                    .clamp(1, targets.len().max(1))
            };
            details.extend(status.details.iter().cloned());
        } else if !status.code.is_success() {
            failed += targets.len();
            if request == Some(Name::VerifyIDRequest) {
                details.push(unverified(status.code, targets));
            } else {
                add(&mut details, status, targets);
            }
        }
    }
    let code = match failed {
        0 => Code::OK,
        // That an id is none is what was asked.
        _ if request == Some(Name::VerifyIDRequest) => Code::PARTIAL,
        _ if failed < asked => Code::PARTIAL,
        _ => Code::MULTIPLE,
    };
    let status = Status {
        details,
        ..Status::new(code)
    };
    if request == Some(Name::GetPresenceRequest) {
        return GetPresenceResponse {
            status: Some(status),
            values,
        }
        .into();
    }
    answer(request, message, status)
}

/// Everything that was found; if one of those asked says no, its answer.
fn found<'p>(answers: impl Iterator<Item = &'p Primitive>) -> Primitive {
    let mut all = SearchResponse {
        search_id: None,
        findings: None,
        completion: Some(true),
        index: None,
        status: Status::ok(),
        result: None,
    };
    for answer in answers {
        let response = match answer {
            Primitive::SearchResponse(response) if response.status.code.is_success() => response,
            other => {
                let status = other.verdict().cloned();
                return status.unwrap_or(Status::new(Code::INTERNAL)).into();
            }
        };
        let Some(result) = &response.result else {
            continue;
        };
        let found = all.result.get_or_insert(SearchResult {
            users: None,
            groups: None,
        });
        if let Some(users) = &result.users {
            found.users.get_or_insert_default().extend(users.clone());
        }
        if let Some(groups) = &result.groups {
            found.groups.get_or_insert_default().extend(groups.clone());
        }
    }
    all.into()
}

fn named(detail: &DetailedResult) -> usize {
    detail.users.len() + detail.groups.len() + detail.screen_names.len() + detail.domains.len()
}

/// Ids that an answer without details is about.
fn unverified(code: Code, targets: &[Address]) -> DetailedResult {
    let mut detail = DetailedResult::new(code);
    for target in targets.iter().cloned() {
        match target.kind() {
            Kind::User => detail.users.push(UserId { user: target }),
            Kind::Service => detail.domains.push(target.domain().to_owned()),
            Kind::Resource if code == Code::NO_CONTACT_LIST => {
                detail.contact_lists.push(ContactList { list: target });
            }
            Kind::Resource => detail.groups.push(GroupId { group: target }),
        }
    }
    detail
}

fn add(details: &mut Vec<DetailedResult>, status: &Status, targets: &[Address]) {
    let users = targets.iter().cloned().map(|user| UserId { user });
    match details.iter_mut().find(|detail| detail.code == status.code) {
        Some(detail) => detail.users.extend(users),
        None => details.push(DetailedResult {
            description: status.description.clone(),
            users: users.collect(),
            ..DetailedResult::new(status.code)
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(
        request: Option<Name>,
        message: Option<&str>,
        parts: &[(Vec<Address>, Primitive)],
    ) -> Primitive {
        let parts = parts.iter();
        let parts: Vec<_> = parts
            .map(|(to, it)| (to.as_slice(), Cow::Borrowed(it)))
            .collect();
        join(request, message, &parts)
    }

    fn users(names: &[&str]) -> Vec<Address> {
        names.iter().map(|name| Address::new(name)).collect()
    }

    #[test]
    fn one_failure_among_several_is_a_partial_success() {
        let parts = [
            (users(&["a@x"]), Primitive::status(Code::OK)),
            (
                users(&["b@y", "c@y"]),
                Primitive::status(Code::DOMAIN_NOT_SUPPORTED),
            ),
        ];
        let Primitive::Status(status) = joined(Some(Name::SubscribeRequest), None, &parts) else {
            panic!()
        };
        assert_eq!(status.code, Code::PARTIAL);
        assert_eq!(status.details[0].code, Code::DOMAIN_NOT_SUPPORTED);
        assert_eq!(status.details[0].users.len(), 2);
    }

    #[test]
    fn details_of_a_part_are_kept() {
        let inner = Status::of_users(2, vec![(Code::UNKNOWN_USER, Address::new("b@y"))]);
        let parts = [
            (
                users(&["a@x"]),
                answer(Some(Name::SendMessageRequest), Some("m"), Status::ok()),
            ),
            (
                users(&["b@y", "c@y"]),
                answer(Some(Name::SendMessageRequest), Some("m"), inner),
            ),
        ];
        let Primitive::SendMessageResponse(response) =
            joined(Some(Name::SendMessageRequest), Some("m"), &parts)
        else {
            panic!()
        };
        assert_eq!(
            (response.message_id.as_str(), response.status.code),
            ("m", Code::PARTIAL)
        );
        assert_eq!(response.status.details[0].code, Code::UNKNOWN_USER);
    }

    #[test]
    fn all_failed_is_900() {
        let parts = [
            (users(&["a@x"]), Primitive::status(Code::UNKNOWN_USER)),
            (users(&["b@y"]), Primitive::status(Code::TIMEOUT)),
        ];
        let Primitive::Status(status) = joined(Some(Name::SubscribeRequest), None, &parts) else {
            panic!()
        };
        assert_eq!((status.code, status.details.len()), (Code::MULTIPLE, 2));
    }
}
