//! Who may report on a message: whom it was sent to, and nobody else.
//!
//! r.test has users of its own, and stands between p.test, q.test and s.test.

use std::time::Duration;

use wvgate::imps::Primitive;
use wvgate::sap::{Count, Peer, Route, SessionRecord, Settings, Time, Verdict};
use wvgate::ssp::Mode;
use wvgate::ssp::envelope::print_session;
use wvgate::store::Write;
use wvgate::store::packed::Unpacker;

use crate::support::alone::{Alone, quiet, transactions};

const DAY: u64 = 86_400_000;
const ALICE: &str = "wv:alice@r.test";
const PAT: &str = "wv:pat@p.test";
const QUINN: &str = "wv:quinn@q.test";
const SAM: &str = "wv:sam@s.test";

struct Between {
    alone: Alone,
    last: usize,
}

impl Between {
    fn new() -> Self {
        let mut settings =
            Settings::new("r.test").with_route("r.test", Route::Local(wvgate::home::ELEMENT));
        for peer in ["p.test", "q.test", "s.test"] {
            settings = settings.with_peer(Peer::new(peer, quiet()));
        }
        let mut alone = Alone::new(settings);
        for peer in ["p.test", "q.test", "s.test"] {
            let record = SessionRecord {
                peer: peer.to_owned(),
                own_id: format!("own-{peer}@r.test").into(),
                peer_id: format!("1@{peer}").into(),
                established: Time(1),
                ttl: Duration::from_millis(30 * DAY),
                opened_by_us: false,
                own_ttl: Duration::ZERO,
                url: None,
                url_until: None,
                last_in: alone.now,
                last_out: alone.now,
                from: None,
            };
            let Write::Put { key, value, .. } = record.put() else {
                panic!("a record is put")
            };
            alone.disk.insert(key, value);
        }
        alone.restart();
        Self { alone, last: 0 }
    }

    fn say(&mut self, from: &str, mode: Mode, id: &str, xml: &str) {
        let body = print_session("x", &format!("1@{from}"), [(mode, id, xml)]);
        assert_eq!(self.alone.say(&body), Verdict::Accepted, "{xml}");
    }

    /// What is posted now: to whom, mode, id, name.
    fn posted(&mut self) -> Vec<(String, Mode, String, String)> {
        let mut all = Vec::new();
        while !self.alone.posts.is_empty() {
            let post = self.alone.acknowledged_post();
            for t in transactions(&post) {
                all.push((post.peer.clone(), t.mode, t.id, t.name.to_string()));
            }
        }
        all
    }

    /// A user of a peer writes to one of another, who takes it; a report is wanted.
    fn sent(&mut self, message: &str, from: &str, to: &str) {
        self.last += 1;
        let id = format!("m{}", self.last);
        let domain = |user: &str| user.rsplit('@').next().unwrap().to_owned();
        self.say(
            &domain(from),
            Mode::Request,
            &id,
            &request(message, from, to),
        );
        let posted = self.posted();
        let [(peer, _, id, _)] = posted.as_slice() else {
            panic!("{posted:?}")
        };
        assert_eq!(*peer, domain(to));
        let answer = format!(
            "<SendMessageResponse messageID=\"{message}\"><Status code=\"200\"/></SendMessageResponse>"
        );
        self.say(peer, Mode::Response, id, &answer);
        assert_eq!(self.posted().len(), 1);
    }

    /// A peer reports. Whether it is passed on, or shown to a user here.
    fn reports(&mut self, peer: &str, report: &str) -> bool {
        self.last += 1;
        let id = format!("r{}", self.last);
        self.reports_in(peer, Mode::Request, &id, report)
    }

    fn reports_in(&mut self, peer: &str, mode: Mode, id: &str, report: &str) -> bool {
        let refused = |alone: &Alone| {
            let refused = alone.counts.iter().filter(|c| **c == Count::Refused(901));
            refused.count()
        };
        let before = refused(&self.alone);
        self.alone.delivered.clear();
        self.say(peer, mode, id, report);
        let reports = |name: &str| name == "DeliveryStatusReport";
        let on = self.posted().iter().any(|(.., name)| reports(name));
        let mut delivered = self.alone.delivered.iter();
        let here = delivered.any(|(_, delivered)| reports(delivered.primitive.name()));
        let passed = on || here;
        assert_eq!(
            refused(&self.alone),
            before + usize::from(!passed),
            "{report}"
        );
        passed
    }
}

fn request(message: &str, from: &str, to: &str) -> String {
    let domain = from.rsplit('@').next().unwrap();
    format!(
        "<SendMessageRequest deliveryReport=\"Yes\"><MetaInfo clientOriginated=\"Yes\"><Requestor serviceID=\"wv:@{domain}\"><User userID=\"{from}\"/></Requestor></MetaInfo><MessageInfo messageID=\"{message}\" contentType=\"text/plain\" validity=\"86400\"><Recipient><User userID=\"{to}\"/></Recipient><Sender><User userID=\"{from}\"/></Sender></MessageInfo><ContentData contentType=\"text/plain\">hi</ContentData></SendMessageRequest>"
    )
}

/// `by` says what became of a message of `to`.
fn report(message: &str, by: &str, to: &str) -> String {
    format!(
        "<DeliveryStatusReport><DeliveryResult><Status code=\"200\"/></DeliveryResult><MessageInfo messageID=\"{message}\"><Recipient><User userID=\"{to}\"/></Recipient><Sender><User userID=\"{by}\"/></Sender></MessageInfo></DeliveryStatusReport>"
    )
}

#[test]
fn only_who_got_a_message_reports_on_it() {
    let mut between = Between::new();
    between.sent("m1", PAT, QUINN);
    // Somebody else's users, another message, another sender.
    assert!(!between.reports("s.test", &report("m1", SAM, PAT)));
    assert!(!between.reports("s.test", &report("m1", QUINN, PAT)));
    // Who sent it, of themselves.
    assert!(!between.reports("p.test", &report("m1", PAT, PAT)));
    // In mode Response as well.
    let forged = report("m1", SAM, PAT);
    assert!(!between.reports_in("s.test", Mode::Response, "x1", &forged));
    assert!(between.reports("q.test", &report("m1", QUINN, PAT)));
    let mut between = Between::new();
    between.sent("m1", PAT, QUINN);
    let right = report("m1", QUINN, PAT);
    assert!(between.reports_in("q.test", Mode::Response, "x2", &right));
}

#[test]
fn a_report_says_who_reports_and_on_what() {
    let mut between = Between::new();
    between.sent("m1", PAT, QUINN);
    let right = report("m1", QUINN, PAT);
    let sender = format!("<Sender><User userID=\"{QUINN}\"/></Sender>");
    for (without, why) in [
        (right.replace(&sender, ""), "no sender"),
        (right.replace(&sender, "<Sender/>"), "nobody as sender"),
        (right.replace(" messageID=\"m1\"", ""), "no message"),
    ] {
        assert!(!between.reports("q.test", &without), "{why}");
    }
    assert!(between.reports("q.test", &right));
}

#[test]
fn users_here_hear_only_of_messages_that_they_sent() {
    let mut between = Between::new();
    let text = request("m1", ALICE, QUINN);
    let body = bytes::Bytes::from(text);
    let primitive = wvgate::ssp::envelope::decode_fragment(&body).unwrap();
    assert!(matches!(primitive, Primitive::SendMessageRequest(_)));
    between.alone.request(1, &primitive);
    let posted = between.posted();
    assert_eq!(posted[0].0, "q.test");
    assert!(!between.reports("p.test", &report("m1", PAT, ALICE)));
    assert!(!between.reports("q.test", &report("m2", QUINN, ALICE)));
    // Even before it was answered.
    assert!(between.reports("q.test", &report("m1", QUINN, ALICE)));
}

#[test]
fn who_got_it_is_known_as_long_as_the_message_is_valid() {
    let mut between = Between::new();
    between.sent("m1", PAT, QUINN);
    between.sent("m2", PAT, QUINN);
    for _ in 0..2 {
        between.alone.pass(DAY / 4);
        between.posted();
        between.alone.restart();
        assert!(between.alone.sap.transactions().newest(1).is_empty());
        assert!(!between.reports("s.test", &report("m1", SAM, PAT)));
    }
    assert!(between.reports("q.test", &report("m1", QUINN, PAT)));
    // Nothing is left when it is over.
    let kept = |between: &Between| {
        let keys = between.alone.disk.keys();
        keys.filter(|key| key.starts_with("sap/asked/")).count()
    };
    assert_eq!(kept(&between), 2);
    between.alone.pass(DAY);
    assert_eq!(kept(&between), 0);
}

#[test]
fn a_relay_passes_on_what_took_another_way_there() {
    let mut between = Between::new();
    // Never seen here; who reports is one of the peer's users all the same.
    assert!(between.reports("q.test", &report("m9", QUINN, PAT)));
    assert!(!between.reports("q.test", &report("m9", SAM, PAT)));
}

/// An answered row of a peer's message as the first versions wrote it, of one as it is written now.
fn as_json(row: &[u8]) -> serde_json::Value {
    let mut row = Unpacker::new(row);
    let at_peer = |row: &mut Unpacker<'_>| {
        assert_eq!(row.number(), Ok(0));
        serde_json::json!({"peer": row.text().unwrap(), "id": row.text().unwrap()})
    };
    let origin = at_peer(&mut row);
    let name = row.text().unwrap();
    let (received, expires) = (row.number().unwrap(), row.number().unwrap());
    let part = |row: &mut Unpacker<'_>| {
        let place = at_peer(row);
        let targets: Vec<&str> = (0..row.count().unwrap())
            .map(|_| row.text().unwrap())
            .collect();
        assert_eq!(row.maybe(), Ok(None));
        serde_json::json!({"place": {"Peer": place}, "targets": targets, "answer": null})
    };
    let parts: Vec<_> = (0..row.count().unwrap()).map(|_| part(&mut row)).collect();
    let (message, report_to) = (row.maybe().unwrap(), row.maybe().unwrap());
    let numbers = (row.number().unwrap(), row.number().unwrap());
    // What only few rows have came later.
    row.maybe().unwrap();
    assert_eq!(row.number(), Ok(3));
    serde_json::json!({
        "origin": {"Peer": origin},
        "name": name,
        "received": received,
        "expires": expires,
        "parts": parts,
        "state": {"Answered": row.rest().unwrap()},
        "message": message,
        "report_to": report_to,
        "fingerprint": numbers.0,
        "content": numbers.1,
    })
}

#[test]
fn a_store_of_an_older_version_knows_of_no_messages_before_it() {
    let mut between = Between::new();
    between.sent("m1", PAT, QUINN);
    // As it was written then.
    for (key, value) in &mut between.alone.disk {
        if key.starts_with("sap/in/") {
            *value = serde_json::to_vec(&as_json(value)).unwrap();
        }
    }
    between.alone.disk.remove("sap/asked-since");
    between.alone.restart();
    assert!(between.reports("q.test", &report("m1", QUINN, PAT)));
    assert!(between.reports("q.test", &report("m0", QUINN, ALICE)));
    // After a week all is known.
    between.sent("m2", PAT, QUINN);
    between.alone.pass(9 * DAY);
    between.posted();
    assert!(!between.reports("q.test", &report("m0", QUINN, ALICE)));
}

#[test]
fn a_report_for_several_is_about_a_message_of_each_of_them() {
    let mut between = Between::new();
    between.sent("m1", PAT, QUINN);
    let other = "wv:paul@p.test";
    between.sent("m1", other, SAM);
    let right = report("m1", QUINN, PAT);
    let recipient = |user: &str| format!("<User userID=\"{user}\"/></Recipient>");
    let both = format!("{}<Recipient>{}", recipient(PAT), recipient(other));
    let wrong = right.replace(&recipient(PAT), &both);
    assert_ne!(wrong, right);
    assert!(!between.reports("q.test", &wrong));
    between.sent("m1", other, QUINN);
    assert!(between.reports("q.test", &wrong));
}
