//! `echo@domain`: answers every message to its sender with the same content, so that an operator,
//! a user or a peer can see that the way there and back works. Every node has one, whether it
//! hosts other users or not, unless `node.echo` is off.
//!
//! An echo is never echoed, and nobody hears more of it than [`Rate`] allows: two programs that
//! answer each other would otherwise go on for ever.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::element::{Act, Time};
use crate::imps::address::{Address, Kind};
use crate::imps::common::{
    ContentData, MessageInfo, MetaInfo, Recipient, Sender, User as UserElement,
};
use crate::imps::primitive::message::SendMessageRequest;

use super::core::Core;
use super::message::Message;
use super::user::ECHO;

/// Echoes to one sender: so many at once, and one more each time `PACE` is over. Our choice.
const BURST: u32 = 30;
const PACE: Duration = Duration::from_secs(1);
/// The same for all senders of a domain,
const BURST_OF_DOMAIN: u32 = 250;
const PACE_OF_DOMAIN: Duration = Duration::from_millis(40);
/// and for all together.
const BURST_OF_ALL: u32 = 500;
const PACE_OF_ALL: Duration = Duration::from_millis(20);
/// Senders remembered, and domains; more are bounded together only.
const MAX_SENDERS: usize = 1000;

/// Answers a message; its validity is the echo's too. Groups, services and other domains' echo
/// users get no answer: it might go round for ever.
pub(super) fn answer(core: &mut Core, echo: &Address, message: &Message, now: Time) {
    let (sender, body) = (&message.sender, &message.body);
    if sender.kind() != Kind::User || sender.local() == ECHO {
        return;
    }
    core.echoes.note(sender, now);
    let request = SendMessageRequest {
        delivery_report: false,
        meta: Some(MetaInfo::of_user(core.domain(), echo.clone())),
        info: MessageInfo {
            message_id: Some(core.message_id()),
            uri: body.uri.clone(),
            content_type: Some(body.content_type.clone()),
            content_name: None,
            content_size: u64::try_from(body.content.len()).ok(),
            validity: Some(message.until.after(now).as_secs().max(1)),
            recipients: vec![Recipient::User(UserElement::new(sender.clone()))],
            recipient_display: None,
            sender: Some(Sender::user(UserElement::new(echo.clone()))),
            date_time: Some(core.skew.date(now)),
        },
        content: Some(ContentData {
            content_type: body.content_type.clone(),
            bytes: body.content.clone(),
        }),
    };
    let token = core.token();
    core.act(Act::Request {
        token,
        primitive: request.into(),
        expires: message.until,
    });
}

/// How much is echoed, to each sender and altogether. For each there is the moment at which all
/// that was said so far would have been said at an even pace.
#[derive(Debug, Default)]
pub(super) struct Rate {
    senders: BTreeMap<Address, Time>,
    domains: BTreeMap<String, Time>,
    all: Time,
}

impl Rate {
    /// Whether one more may be said now.
    pub(super) fn allows(&self, sender: &Address, now: Time) -> bool {
        let ahead = |paced: Time| paced.after(now);
        let own = self.senders.get(sender).copied().unwrap_or_default();
        let domain = self.domains.get(sender.domain());
        let domain = domain.copied().unwrap_or_default();
        ahead(own) <= PACE * (BURST - 1)
            && ahead(domain) <= PACE_OF_DOMAIN * (BURST_OF_DOMAIN - 1)
            && ahead(self.all) <= PACE_OF_ALL * (BURST_OF_ALL - 1)
    }

    fn note(&mut self, sender: &Address, now: Time) {
        self.all = self.all.max(now).plus(PACE_OF_ALL);
        note_in(&mut self.senders, sender, PACE, now);
        let domain = sender.domain().to_owned();
        note_in(&mut self.domains, &domain, PACE_OF_DOMAIN, now);
    }
}

fn note_in<K: Ord + Clone>(table: &mut BTreeMap<K, Time>, who: &K, pace: Duration, now: Time) {
    if table.len() >= MAX_SENDERS {
        table.retain(|_, paced| *paced > now);
    }
    if table.len() < MAX_SENDERS || table.contains_key(who) {
        let paced = table.entry(who.clone()).or_default();
        *paced = (*paced).max(now).plus(pace);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_sender_hears_a_burst_and_then_one_a_second() {
        let (zoe, now) = (Address::new("wv:zoe@far.test"), Time(1_000_000));
        let mut rate = Rate::default();
        for _ in 0..BURST {
            assert!(rate.allows(&zoe, now));
            rate.note(&zoe, now);
        }
        assert!(!rate.allows(&zoe, now));
        assert!(rate.allows(&Address::new("wv:yan@far.test"), now));
        assert!(!rate.allows(&zoe, now.plus(PACE).minus(Duration::from_millis(1))));
        assert!(rate.allows(&zoe, now.plus(PACE)));
    }

    #[test]
    fn strangers_are_bounded_together_and_the_table_does_not_grow() {
        let mut rate = Rate::default();
        let mut said = 0;
        for second in 0..10 {
            let now = Time(1_000_000 + second * 1000);
            for number in 0..1000 {
                let sender = Address::new(&format!("wv:u{second}-{number}@d{}.test", number % 3));
                if rate.allows(&sender, now) {
                    rate.note(&sender, now);
                    said += 1;
                }
            }
        }
        assert_eq!(
            said,
            u128::from(BURST_OF_ALL) + 9 * 1000 / PACE_OF_ALL.as_millis()
        );
        assert!(rate.senders.len() <= MAX_SENDERS);
    }

    #[test]
    fn invented_senders_of_one_domain_do_not_use_up_what_others_may_hear() {
        let (mut rate, now) = (Rate::default(), Time(1_000_000));
        let mut said = 0;
        for number in 0..1000 {
            let sender = Address::new(&format!("wv:u{number}@far.test"));
            if rate.allows(&sender, now) {
                rate.note(&sender, now);
                said += 1;
            }
        }
        assert_eq!(said, BURST_OF_DOMAIN);
        assert!(rate.allows(&Address::new("wv:yan@other.test"), now));
    }
}
