//! What a room of XMPP says to a user, as messages of a group (xmpp-mapping, 4.2 and 5.2).

use std::time::Duration;

use xmpp_parsers::message::{Message, MessageType};

use super::asking::{Question, What};
use super::seat::Seat;
use super::visit::State;
use crate::element::{Act, Outcome};
use crate::imps::Code;
use crate::imps::common::{
    Display, GroupId, MetaInfo, Property, Recipient, ScreenName, Sender, User,
};
use crate::imps::primitive::Primitive;
use crate::translate::message::{ToSsp, to_ssp};
use crate::translate::room::visit;

/// In which the SSP side has to take a message.
const TAKE: Duration = Duration::from_secs(120);
/// Messages whose way is counted; our choice.
const MOST_TOLD: usize = 10_000;

/// What a room says to a user.
pub(super) struct Hearing<'s, 'a>(pub(super) &'s mut Seat<'a>);

impl Hearing<'_, '_> {
    /// A message of the room, or of somebody in it.
    pub(super) fn message(&mut self, message: &Message) {
        let seat = &mut *self.0;
        let Ok(room) = seat.shared.translator.jid(&seat.key.group) else {
            return;
        };
        let is_for_all = message.type_ == MessageType::Groupchat;
        let nick = message.from.as_ref().and_then(|from| from.resource());
        let nick = nick.map(ToString::to_string);
        if seat.visit.state != State::Inside {
            return seat.shared.dropped.count("message of a room that was left");
        }
        if is_for_all && visit::is_past(message, &room) {
            return seat.shared.dropped.count("history");
        }
        if let Some(topic) = visit::topic_of(message) {
            return self.topic(topic);
        }
        if is_for_all && visit::is_set(message) {
            self.is_set();
        }
        let seat = &mut *self.0;
        if is_for_all && nick.as_ref() == Some(&seat.visit.nick) {
            return seat.shared.dropped.count("reflection");
        }
        self.words(message, nick.as_deref(), is_for_all);
    }

    fn topic(&mut self, topic: String) {
        let seat = &mut *self.0;
        let before = seat.visit.topic.replace(topic.clone());
        if before.is_some_and(|before| before != topic) {
            seat.are_set(vec![Property {
                name: "Topic".to_owned(),
                value: Some(topic),
            }]);
        }
    }

    /// The room has set itself up otherwise: it is asked how.
    fn is_set(&mut self) {
        let seat = &mut *self.0;
        let bound = seat.shared.settings.rooms.max_questions;
        let (Some(from), Ok(room)) = (seat.from(), seat.shared.translator.jid(&seat.key.group))
        else {
            return;
        };
        if !seat.visit.subscribes || seat.core.questions.len() >= bound {
            return;
        }
        let question = Question {
            request: None,
            key: seat.key.clone(),
            component: seat.visit.component.clone(),
            room,
            from,
            until: seat.now.plus(TAKE),
            what: What::Changed,
            steps: [(visit::info(), false)].into(),
        };
        seat.core.open(question, seat.now, seat.shared);
    }

    /// Words, as a message of the group.
    fn words(&mut self, message: &Message, nick: Option<&str>, is_for_all: bool) {
        let seat = &mut *self.0;
        let translator = seat.shared.translator.clone();
        let message_id = seat.shared.id();
        let translated = to_ssp(
            &translator,
            message,
            &message_id,
            seat.shared.settings.default_validity.as_secs(),
            None,
            seat.shared.skew.wall(seat.now).0,
        );
        let outcome = match translated {
            Ok(ToSsp::Message(mut request)) => {
                let group = &seat.key.group;
                let named = |name: String| Display {
                    user: None,
                    group: None,
                    screen_name: Some(ScreenName {
                        group: group.clone(),
                        name,
                    }),
                    name: None,
                };
                let display = nick.map(|nick| named(seat.visit.name_of(nick, &translator)));
                let own = named(seat.visit.name_of(&seat.visit.nick, &translator));
                request.delivery_report = false;
                request.info.recipients = vec![Recipient::User(User::new(seat.key.user.clone()))];
                request.meta = Some(MetaInfo::of_server(&translator.own_ssp_domain()));
                request.info.sender = Some(Sender {
                    user: None,
                    group: Some(GroupId {
                        group: group.clone(),
                    }),
                    screen_name: None,
                    display,
                });
                request.info.recipient_display = (!is_for_all).then_some(own);
                let token = seat.shared.number();
                if seat.core.told.len() < MOST_TOLD {
                    seat.core.told.insert(token, message_id);
                }
                let expires = seat.now.plus(TAKE);
                let request = Primitive::SendMessageRequest(request);
                return seat.shared.request(token, request, expires);
            }
            Ok(ToSsp::Nothing(kind)) => {
                seat.shared.dropped.count(kind);
                Outcome::Untranslatable
            }
            Ok(ToSsp::Expired(_)) => Outcome::Expired,
            // An error would make the room think that the user is gone.
            Ok(ToSsp::Refuse(_)) | Err(_) => {
                seat.shared
                    .dropped
                    .count("message of a room that has no text");
                Outcome::Refused(Code::MEDIA_TYPE.0)
            }
        };
        seat.shared.act(Act::Accepted);
        seat.shared.outcome(&message_id, outcome);
    }
}
