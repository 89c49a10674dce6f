//! Who may speak for whom (wire profile, 7.2): the one place that decides, for every
//! primitive, which of its addresses the peer may name. Where those stand comes from the
//! table of primitives ([`crate::imps::primitive::places`]), and they were noted from the
//! very bytes that are passed on.

use std::fmt;

use crate::imps::Address;
use crate::imps::address::Kind as AddressKind;
use crate::imps::primitive::{Name, Role};
use crate::sap::settings::{Peer, Route, Settings};
use crate::ssp::envelope::{Claim, Transaction};
use crate::text::Shown;

/// Why a peer may not send a primitive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Forbidden<'t> {
    /// It may not name this address there.
    Names(&'t Claim),
    /// The user who asks is not the one who sends the message.
    OtherSender,
    /// A report does not say who reports.
    NoSender,
}

impl fmt::Display for Forbidden<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Names(claim) => {
                let address = Shown(claim.address.as_str());
                write!(f, "{} is {address}", claim.place)
            }
            Self::OtherSender => f.write_str("the sender is not the user who asks"),
            Self::NoSender => f.write_str("the report has no sender"),
        }
    }
}

/// Why a peer may not send this primitive; `None` if it may.
pub(super) fn forbidden<'t>(
    settings: &Settings,
    peer: &Peer,
    transaction: &'t Transaction,
) -> Option<Forbidden<'t>> {
    let peek = &transaction.peek;
    let mut claims = peek.claims.iter();
    if let Some(claim) = claims.find(|claim| !may_name(settings, peer, transaction, claim)) {
        return Some(Forbidden::Names(claim));
    }
    if transaction.name == Name::DeliveryStatusReport {
        let sends = |claim: &Claim| claim.place.path.starts_with(&["MessageInfo", "Sender"]);
        return (!peek.claims.iter().any(sends)).then_some(Forbidden::NoSender);
    }
    // The deployed server checks only one of them.
    match (&peek.user, &peek.sender) {
        (Some(user), Some(sender))
            if !peek.by_server && user.kind() == AddressKind::User && user != sender =>
        {
            Some(Forbidden::OtherSender)
        }
        _ => None,
    }
}

fn may_name(settings: &Settings, peer: &Peer, transaction: &Transaction, claim: &Claim) -> bool {
    let peek = &transaction.peek;
    let domain = claim.address.domain();
    // What has no domain was completed, unless it is nobody's address at all.
    if domain.is_empty() {
        return false;
    }
    if settings.may_speak(peer, domain) {
        return true;
    }
    let leaf = transaction.name.facts().map_or("", |facts| facts.leaf);
    let addressed = match peek.recipients.as_slice() {
        [] => &peek.users,
        recipients => recipients,
    };
    let all_addressed =
        |test: &dyn Fn(&Address) -> bool| !addressed.is_empty() && addressed.iter().all(test);
    match claim.place.role {
        Role::Named => true,
        // The provider of a user's messages sends on and reports for the user.
        Role::Speaks => {
            let sends = matches!(
                transaction.name.known(),
                Some(Name::SendMessageRequest | Name::DeliveryStatusReport)
            );
            sends
                && provides(
                    settings,
                    peer,
                    Name::SendMessageRequest.facts().leaf,
                    domain,
                )
        }
        Role::Participates => {
            let asked = peek.user.is_some() && !peek.by_server;
            asked && all_addressed(&|to| to.domain() == domain)
        }
        Role::Publishes => provides(settings, peer, leaf, domain),
        Role::HandedOn => all_addressed(&|to| provides(settings, peer, leaf, to.domain())),
    }
}

/// Whether the peer is, or leads to, the provider of a function to users of `home`.
fn provides(settings: &Settings, peer: &Peer, leaf: &str, home: &str) -> bool {
    let pse = settings.pse.find(leaf, home);
    let route = pse.and_then(|pse| settings.routes.find(pse));
    matches!(route, Some(Route::Peer(via)) if via == peer.real())
}
