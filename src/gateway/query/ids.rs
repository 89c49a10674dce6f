//! Whether users and rooms exist (xmpp-mapping, 11).

use xmpp_parsers::jid::BareJid;

use super::super::shared::Shared;
use crate::element::RequestId;
use crate::imps::common::{GroupId, UserId};
use crate::imps::primitive::common::{Id, VerifyIDRequest};
use crate::imps::status::DetailedResult;
use crate::imps::{Code, Status};

/// A question for ids that waits for the words of XMPP servers.
#[derive(Debug)]
pub(super) struct IdQuery {
    request: RequestId,
    verdicts: Vec<(Id, Option<Code>)>,
}

impl IdQuery {
    /// The question, and whom in XMPP to ask, each with its place in it. `is_up` says whether the
    /// XMPP network can be reached.
    pub(super) fn new(
        request: &VerifyIDRequest,
        id: RequestId,
        is_up: bool,
        shared: &Shared,
    ) -> (Self, Vec<(usize, BareJid)>) {
        let translator = &shared.translator;
        let mut open = Vec::new();
        let mut verdicts = Vec::new();
        for (at, id) in request.ids.ids.iter().enumerate() {
            let address = match id {
                Id::User(user) => Ok(&user.user),
                Id::Group(group) => Ok(&group.group),
                Id::ScreenName(_) => Err(Code::ADDRESS),
                Id::ContactList(_) => Err(Code(700)),
                Id::Domain(domain) if domain.to_lowercase() == translator.own_ssp_domain() => {
                    Err(if is_up { Code::OK } else { Code::UNAVAILABLE })
                }
                Id::Domain(_) => Err(Code::NOT_FOUND),
            };
            let jid = address.and_then(|address| {
                if !translator.is_xmpp(address) {
                    return Err(Code::UNKNOWN_USER);
                }
                let jid = translator.jid(address).map_err(|error| error.code())?;
                let may_talk = shared.gate.may_talk(jid.domain().as_str());
                may_talk.then_some(jid).ok_or(Code::FORBIDDEN)
            });
            verdicts.push((id.clone(), jid.as_ref().err().copied()));
            if let Ok(jid) = jid {
                open.push((at, jid));
            }
        }
        let query = Self {
            request: id,
            verdicts,
        };
        (query, open)
    }

    /// Takes the word about the id in this place.
    pub(super) fn take(&mut self, at: usize, code: Code) {
        if let Some((id, verdict)) = self.verdicts.get_mut(at) {
            *verdict = Some(match (id, code.0) {
                (Id::Group(_), 404 | 503 | 531) => Code::NO_GROUP,
                (_, 404 | 503) => Code::UNKNOWN_USER,
                _ => code,
            });
        }
    }

    pub(super) fn is_complete(&self) -> bool {
        self.verdicts.iter().all(|(_, verdict)| verdict.is_some())
    }

    /// 200 if all exist, else a detail for each verdict.
    pub(super) fn answer(&self, shared: &mut Shared) {
        let mut details: Vec<DetailedResult> = Vec::new();
        for (id, verdict) in &self.verdicts {
            let code = verdict.unwrap_or(Code::TIMEOUT);
            if !details.iter().any(|detail| detail.code == code) {
                details.push(DetailedResult::new(code));
            }
            let Some(detail) = details.iter_mut().find(|detail| detail.code == code) else {
                continue;
            };
            match id {
                Id::User(user) => detail.users.push(UserId {
                    user: user.user.clone(),
                }),
                Id::Group(group) => detail.groups.push(GroupId {
                    group: group.group.clone(),
                }),
                Id::ScreenName(name) => detail.screen_names.push(name.clone()),
                Id::ContactList(list) => detail.contact_lists.push(list.clone()),
                Id::Domain(domain) => detail.domains.push(domain.clone()),
            }
        }
        let status = match details.as_slice() {
            [] => Status::ok(),
            [only] if only.code == Code::OK => Status::ok(),
            _ => Status {
                details,
                ..Status::new(Code::PARTIAL)
            },
        };
        shared.respond(self.request, status);
    }
}
