//! What a peer says in its own way, said in ours (wire profile, 10;
//! `docs/dialects.md`, Quirks).
//!
//! Nothing is decoded here unless the primitive's name, or a glance at its bytes,
//! says that there may be something to mend.

use std::borrow::Cow;

use memchr::memmem;

use super::memberships::Memberships;
use super::message_ids;
use super::unnamed_leave::Questions;
use crate::element::{Skew, Time};
use crate::imps::address::Kind as AddressKind;
use crate::imps::common::{Party, User, UserId};
use crate::imps::datetime::DateTime;
use crate::imps::primitive::Name;
use crate::imps::primitive::invitation::InviteResponse;
use crate::imps::xml::names::may_stand_in;
use crate::imps::{Address, Code, Primitive, Status};
use crate::sap::settings::{Peer, Settings};
use crate::ssp::Mode;
use crate::ssp::envelope::{Peek, Transaction};
use crate::text::Shown;

/// What a reading of a peer's primitive needs to know besides the peer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'r> {
    pub(super) settings: &'r Settings,
    pub(super) memberships: &'r Memberships,
    pub(super) questions: &'r Questions,
    pub(super) skew: Skew,
    pub(super) now: Time,
}

impl Reader<'_> {
    /// A transaction of a peer as we mean it.
    pub(super) fn read<'t>(
        self,
        peer: &Peer,
        transaction: &'t Transaction,
    ) -> Cow<'t, Transaction> {
        let mut read = Cow::Borrowed(transaction);
        if has_no_domain(&transaction.peek)
            && let Some(completed) = transaction.completed(peer.real())
        {
            read = Cow::Owned(completed);
        }
        if !is_suspect(peer, &read) {
            return read;
        }
        let Ok(mut primitive) = read.primitive() else {
            return read;
        };
        let mut mended = original_message_id(peer, &mut primitive);
        mended |=
            peer.dialect.wrong_times && time_of_receipt(&mut primitive, self.skew.date(self.now));
        mended |= peer.dialect.details_in_words && details_by_text(&mut primitive);
        mended |= without_missing_names(peer, &mut primitive);
        mended |= self.uncrossed(peer, &mut primitive);
        mended |= self.addressed(peer, &read, &mut primitive);
        if let Primitive::GetPresenceResponse(response) = &mut primitive
            && response.status.is_none()
        {
            // Quirk B-4: without one it is a success.
            response.status = Some(Status::ok());
            mended = true;
        }
        if !mended {
            return read;
        }
        Cow::Owned(changed(&read, &primitive))
    }

    /// Quirk C-1: the parties of an `InviteResponse` are who they should be; the
    /// responder is of the peer's domain (wire profile, 9.1.2).
    fn uncrossed(self, peer: &Peer, primitive: &mut Primitive) -> bool {
        let Primitive::InviteResponse(response) = primitive else {
            return false;
        };
        let InviteResponse {
            inviting,
            responding,
            ..
        } = response.as_mut();
        let of_peer = |party: &Option<Party>| {
            let party = party.as_ref();
            party.map(|party| self.settings.may_speak(peer, party.address().domain()))
        };
        let crossed = of_peer(inviting) == Some(true) && of_peer(responding) == Some(false);
        if crossed {
            std::mem::swap(inviting, responding);
        }
        crossed
    }

    /// Quirks B-5 and B-6: a notice that does not say for whom it is.
    fn addressed(self, peer: &Peer, transaction: &Transaction, primitive: &mut Primitive) -> bool {
        if !is_unaddressed(peer, transaction) {
            return false;
        }
        let whom = self.addressees(peer, primitive);
        if whom.is_empty() {
            // Who has left can be asked for (`unnamed_leave`).
            if transaction.name != Name::LeaveGroupIndication {
                tracing::warn!(
                    ssp.peer = peer.domain, ssp.transaction = %Shown(&transaction.id), ssp.primitive = %Shown(&transaction.name),
                    "nobody knows for whom this is; dropped"
                );
            }
            return false;
        }
        let whom = whom.into_iter().map(User::new);
        match primitive {
            Primitive::LeaveGroupIndication(notice) => notice.users.extend(whom),
            Primitive::PresenceNotification(notice) => notice.watchers.extend(whom),
            _ => return false,
        }
        true
    }

    /// Whom a notice of a peer is for that does not say so. Empty if that is not known.
    fn addressees(self, peer: &Peer, notice: &Primitive) -> Vec<Address> {
        match notice {
            Primitive::LeaveGroupIndication(notice) => {
                let Some(group) = &notice.group else {
                    return Vec::new();
                };
                let joined = self.memberships.who(peer.real(), group);
                // The group is no more, or there is only one whom it can be about.
                let only = joined.len() == 1;
                let asked = || self.questions.concern(peer.real(), group, self.now);
                if notice.status.code == Code::NO_GROUP || (only && !asked()) {
                    return joined;
                }
                Vec::new()
            }
            Primitive::PresenceNotification(notice) => {
                let publishers = notice.values.iter().map(|value| &value.user);
                self.memberships.watchers(peer.real(), publishers)
            }
            _ => Vec::new(),
        }
    }
}

/// The answer to a message as we mean it: it names its message (quirk O-15), and members of a group whom its server does not serve, and who get the
/// message from us (`served`), are no failures (quirk E-3).
pub(super) fn answer_to_message<'t>(
    message: Option<&str>,
    targets: &[Address],
    served: impl FnOnce() -> bool,
    answer: Cow<'t, Transaction>,
) -> Cow<'t, Transaction> {
    let nameless = !answer.peek.names_message;
    let names_foreign = || memmem::find(&answer.raw, b"516").is_some();
    let foreign = to_group(targets) && names_foreign() && served();
    if !nameless && !foreign {
        return answer;
    }
    let Ok(Primitive::SendMessageResponse(mut response)) = answer.primitive() else {
        return answer;
    };
    if response.message_id.is_empty()
        && let Some(message) = message
    {
        message.clone_into(&mut response.message_id);
    }
    if foreign {
        without_foreign_members(&mut response.status, targets);
    }
    Cow::Owned(changed(&answer, &Primitive::SendMessageResponse(response)))
}

/// Whether there may be something to mend.
fn is_suspect(peer: &Peer, transaction: &Transaction) -> bool {
    let dialect = &peer.dialect;
    let finds = |what: &[u8]| memmem::find(&transaction.raw, what).is_some();
    let details = || dialect.details_in_words && may_stand_in(&transaction.raw, "DetailedResult");
    let changed_id = || dialect.unique_message_ids && transaction.raw.contains(&b'~');
    match transaction.name.known() {
        Some(Name::SendMessageRequest) => dialect.wrong_times,
        Some(Name::DeliveryStatusReport) => dialect.wrong_times || changed_id(),
        Some(Name::SendMessageResponse) => changed_id() || details(),
        Some(Name::Status) => details(),
        Some(Name::InviteResponse) => true,
        Some(Name::JoinGroupResponse) => dialect
            .missing_names
            .iter()
            .any(|name| finds(name.as_bytes())),
        Some(Name::GetPresenceResponse) => details() || !transaction.peek.has_status,
        _ => is_unaddressed(peer, transaction),
    }
}

/// The same transaction around another primitive.
fn changed(transaction: &Transaction, primitive: &Primitive) -> Transaction {
    let mut changed = Transaction::new(transaction.mode, transaction.id.clone(), primitive);
    changed.via.clone_from(&transaction.via);
    changed
}

/// Quirk A-8: somebody who speaks is named without a domain.
fn has_no_domain(peek: &Peek) -> bool {
    peek.claims.iter().any(|c| c.address.domain().is_empty())
}

fn is_unaddressed(peer: &Peer, transaction: &Transaction) -> bool {
    peer.dialect.unaddressed_notices
        && transaction.mode == Mode::Request
        && matches!(
            transaction.name.known(),
            Some(Name::LeaveGroupIndication | Name::PresenceNotification)
        )
        && transaction.peek.users.is_empty()
        && transaction.peek.recipients.is_empty()
}

/// Message ids that were changed on the way to the peer are the sender's again.
fn original_message_id(peer: &Peer, primitive: &mut Primitive) -> bool {
    let id = match primitive {
        Primitive::SendMessageResponse(p) => Some(&mut p.message_id),
        Primitive::DeliveryStatusReport(p) => p.info.message_id.as_mut(),
        _ => None,
    };
    match id {
        Some(id) if peer.dialect.unique_message_ids => match message_ids::original(id) {
            Some(original) => {
                *id = original.to_owned();
                true
            }
            None => false,
        },
        _ => false,
    }
}

/// Quirks A-9 and O-6.
fn time_of_receipt(primitive: &mut Primitive, now: DateTime) -> bool {
    let times = match primitive {
        Primitive::SendMessageRequest(p) => [p.info.date_time.as_mut(), None],
        Primitive::DeliveryStatusReport(p) => [p.info.date_time.as_mut(), p.time.as_mut()],
        _ => [None, None],
    };
    let mut found = false;
    for time in times.into_iter().flatten() {
        *time = now;
        found = true;
    }
    found
}

/// Quirk B-7: a detail that names nobody is about the address at its text's end.
fn details_by_text(primitive: &mut Primitive) -> bool {
    let status = match primitive {
        Primitive::Status(status) => &mut **status,
        Primitive::SendMessageResponse(response) => &mut response.status,
        Primitive::GetPresenceResponse(response) => match &mut response.status {
            Some(status) => status,
            None => return false,
        },
        _ => return false,
    };
    let mut found = false;
    for detail in &mut status.details {
        let named = detail.users.len() + detail.groups.len() + detail.screen_names.len();
        let last = detail.description.as_deref().unwrap_or_default();
        let last = last.split_whitespace().next_back().unwrap_or_default();
        let address = Address::new(last.trim_matches(['"', '\'', '.', '!', '<', '>', '(', ')']));
        if named == 0 && last.contains('@') && address.is_valid() {
            detail.users.push(UserId { user: address });
            found = true;
        }
    }
    found
}

/// Quirk A-12: a list of who is joined names nobody who has no name.
fn without_missing_names(peer: &Peer, primitive: &mut Primitive) -> bool {
    let Primitive::JoinGroupResponse(response) = primitive else {
        return false;
    };
    let Some(joined) = &mut response.joined else {
        return false;
    };
    let missing = &peer.dialect.missing_names;
    let before = joined.len();
    joined.retain(|name| !missing.iter().any(|missing| name.trim() == missing));
    joined.len() < before
}

/// Whether a part of a message went to a group.
fn to_group(targets: &[Address]) -> bool {
    let mut targets = targets.iter();
    targets.any(|target| target.kind() == AddressKind::Resource)
}

/// Takes out the details 516 that are about members of a group rather than about one
/// of those whom the message was sent to.
fn without_foreign_members(status: &mut Status, targets: &[Address]) {
    let before = status.details.len();
    status.details.retain(|detail| {
        detail.code != Code::DOMAIN_NOT_SUPPORTED
            || targets.iter().any(|target| {
                let text = detail.description.as_deref().unwrap_or_default();
                detail.users.iter().any(|user| user.user == *target) || text.contains(target.bare())
            })
    });
    let all_or_some = matches!(status.code, Code::PARTIAL | Code::MULTIPLE);
    if status.details.len() < before && status.details.is_empty() && all_or_some {
        *status = Status::ok();
    }
}
