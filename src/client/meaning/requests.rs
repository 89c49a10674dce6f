//! Which requests of a user a request of a client is, and what its answer says.

use crate::csp;
use crate::csp::primitive::message::SendMessageResponse;
use crate::imps::Primitive;
use crate::imps::status::{Code, Status};

use super::answers::done;
use super::memory::Memory;
use super::terms::Terms;
use super::{message, presence};

/// The requests that a client's request is, one after the other.
///
/// # Errors
/// It cannot be said: the status for the client.
pub(super) fn of(
    request: &csp::Primitive,
    terms: &Terms,
    memory: &Memory,
) -> Result<Vec<Primitive>, Status> {
    use csp::Primitive as P;
    let one = match request {
        P::SendMessageRequest(request) => message::send(request, terms)?,
        P::GetMessageListRequest(request) => message::list(request, terms),
        P::GetMessageRequest(request) => message::get(request, terms, memory),
        P::RejectMessageRequest(request) => message::reject(request, terms),
        P::ForwardMessageRequest(request) => message::forward(request, terms)?,
        P::MessageDelivered(request) => message::delivered(request, terms),
        P::SetDeliveryMethodRequest(request) => message::set_delivery(request, terms)?,
        P::GetPresenceRequest(request) => presence::get(request, terms)?,
        P::UpdatePresenceRequest(request) => presence::update(request, terms),
        P::SubscribePresenceRequest(request) => presence::subscribe(request, terms)?,
        P::UnsubscribePresenceRequest(request) => presence::unsubscribe(request, terms)?,
        _ => return Err(Status::new(Code::NOT_IMPLEMENTED)),
    };
    Ok(vec![one])
}

/// Whether the next is asked though the one before has failed.
pub(super) fn goes_on(_: &csp::Primitive) -> bool {
    false
}

/// The answer to a request that was not asked of anybody.
pub(super) fn refused(request: &csp::Primitive, status: Status) -> csp::Primitive {
    match request {
        csp::Primitive::SendMessageRequest(_) => {
            csp::Primitive::SendMessageResponse(Box::new(SendMessageResponse {
                result: status.into(),
                message: None,
            }))
        }
        _ => csp::Primitive::status(status),
    }
}

/// The answer to a client's request, made of the answers to all that it was.
pub(super) fn answer(
    request: &csp::Primitive,
    answers: &[Primitive],
    terms: &Terms,
    memory: &mut Memory,
) -> csp::Primitive {
    use csp::Primitive as P;
    let Some(first) = answers.first() else {
        return csp::Primitive::status(Status::new(Code::INTERNAL));
    };
    match request {
        P::SendMessageRequest(request) => message::sent(request, first),
        P::GetMessageListRequest(request) => message::listed(request, first, terms, memory),
        P::GetMessageRequest(_) => message::got(first, terms),
        P::ForwardMessageRequest(_) => message::forwarded(first, terms),
        P::GetPresenceRequest(request) => presence::got(request, first, terms),
        P::SubscribePresenceRequest(_) => presence::subscribed(first),
        _ => done(first),
    }
}
