//! What ends the deployed server's process is never sent to it, whatever others ask for
//! (deployed-server, 8 and advice 7; wire profile, D).

use std::collections::BTreeSet;
use std::time::Duration;

use wvgate::imps::common::{GroupId, MetaInfo, Sender};
use wvgate::imps::primitive::{self, Kind, Routing};
use wvgate::imps::xml::Limits;
use wvgate::imps::{Address, Primitive};
use wvgate::sap::{Peer, SessionRecord, Settings, SpeaksFor, Time, Verdict};
use wvgate::ssp::envelope::{Transaction, print_session, scan};
use wvgate::ssp::{Message, Mode};
use wvgate::store::Write;

use super::codec_fixtures::{fixtures, transactions};
use super::support::alone::{Alone, dialect, only};

/// b.test between a.test, which is the deployed server, and the relay r.test.
fn between() -> Alone {
    let mut relay = Peer::new("r.test", crate::support::alone::quiet());
    relay.speaks_for = SpeaksFor {
        any: true,
        domains: Vec::new(),
    };
    let settings = Settings::new("b.test")
        .with_peer(Peer::new("a.test", dialect("baraza")))
        .with_peer(relay);
    let mut alone = Alone::new(settings);
    for peer in ["a.test", "r.test"] {
        let record = SessionRecord {
            peer: peer.to_owned(),
            own_id: format!("own-{peer}@b.test").into(),
            peer_id: format!("101@{peer}").into(),
            established: Time(1),
            ttl: Duration::from_secs(86_400_000),
            opened_by_us: false,
            own_ttl: Duration::ZERO,
            url: None,
            url_until: None,
            from: None,
            last_in: alone.now,
            last_out: alone.now,
        };
        let Write::Put { key, value, .. } = record.put() else {
            panic!("a record is put")
        };
        alone.disk.insert(key, value);
    }
    alone.restart();
    alone
}

/// Fails if the deployed server would end, or not understand who asks.
fn check_is_harmless(transaction: &Transaction, setup: bool, source: &str) {
    let raw = String::from_utf8_lossy(&transaction.raw);
    let primitive = transaction.primitive().unwrap();
    let kind = primitive::facts(primitive.name()).map(|facts| facts.kind);
    assert!(!transaction.id.is_empty(), "{source}: no id on {raw}");
    if setup {
        return;
    }
    for deadly in [
        "CancelInviteRequest",
        "GetPresenceRequest",
        "KeepAliveRequest",
        "LogoutRequest",
        "LoginRequest",
    ] {
        assert_ne!(primitive.name(), deadly, "{source}: {raw}");
    }
    if transaction.mode == Mode::Response {
        assert!(
            matches!(kind, Some(Kind::Response | Kind::Notice)),
            "{source}: a request as response: {raw}"
        );
        return;
    }
    assert!(
        raw.contains("<MetaInfo "),
        "{source}: no requestor in {raw}"
    );
    let asks = |meta: &Option<MetaInfo>| meta.as_ref().is_some_and(|meta| meta.user().is_some());
    match &primitive {
        Primitive::SubscribeRequest(p) => assert!(asks(&p.meta), "{source}: {raw}"),
        Primitive::UnsubscribeRequest(p) => assert!(asks(&p.meta), "{source}: {raw}"),
        Primitive::InviteRequest(p) => assert!(!p.invite_type.is_empty(), "{source}: {raw}"),
        Primitive::SendMessageRequest(p) => {
            let sender = p.info.sender.as_ref();
            assert!(asks(&p.meta) || sender.is_some(), "{source}: {raw}");
            if sender.is_some_and(|s| s.group.is_some() || s.screen_name.is_some()) {
                assert!(asks(&p.meta), "{source}: a group without user: {raw}");
                assert!(raw.contains("clientOriginated=\"Yes\""), "{source}: {raw}");
            }
        }
        _ => {}
    }
}

/// Looks at everything that goes to a.test and acknowledges it. The names of what went.
fn look(alone: &mut Alone, source: &str) -> Vec<String> {
    let mut names = Vec::new();
    while !alone.posts.is_empty() {
        let post = alone.acknowledged_post();
        if post.peer != "a.test" {
            continue;
        }
        let setup = matches!(
            scan(&post.body, &Limits::default()).unwrap(),
            Message::Setup(_)
        );
        let transaction = only(&post);
        check_is_harmless(&transaction, setup, source);
        names.push(transaction.name.to_string());
    }
    names
}

/// The text without each `<Name ...>...</Name>` or `name="..."`.
fn without(text: &str, what: &str) -> String {
    let (start, end) = match what.strip_prefix('@') {
        Some(attribute) => (format!(" {attribute}=\""), "\"".to_owned()),
        None => (format!("<{what}"), format!("</{what}>")),
    };
    let mut rest = text;
    let mut out = String::new();
    while let Some((before, inside)) = rest.split_once(&start) {
        out.push_str(before);
        rest = inside.split_once(&end).map_or("", |(_, after)| after);
    }
    out + rest
}

/// Every sample of the profile, with parts left out, with the domains either way round.
fn variants() -> Vec<(String, String)> {
    let parts = [
        "MetaInfo",
        "Sender",
        "User",
        "@inviteType",
        "@clientOriginated",
        "GroupID",
    ];
    let mut all = Vec::new();
    for path in fixtures("profile") {
        let file = path.file_name().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        for mask in 0..1 << parts.len() {
            let left_out: Vec<&str> = (0..parts.len())
                .filter(|n| mask & (1 << n) != 0)
                .map(|n| parts[n])
                .collect();
            let text = left_out
                .iter()
                .fold(text.clone(), |text, part| without(&text, part));
            for (home, village) in [("c.test", "a.test"), ("a.test", "c.test")] {
                let text = text
                    .replace("home.example", home)
                    .replace("village.example", village);
                all.push((format!("{file} without {left_out:?} {home}"), text));
            }
        }
    }
    all
}

#[test]
fn nothing_that_ends_it_is_relayed_from_a_peer() {
    let mut alone = between();
    let (mut sent, mut n) = (BTreeSet::new(), 0);
    for (source, text) in variants() {
        let Ok(message) = scan(&text.clone().into(), &Limits::default()) else {
            continue;
        };
        for transaction in transactions(&message).1 {
            // Those are for the SAP itself, and some of them end the session.
            if primitive::facts(&transaction.name).is_some_and(|f| f.routing == Routing::Hop) {
                continue;
            }
            for mode in [Mode::Request, Mode::Response] {
                n += 1;
                let raw = std::str::from_utf8(&transaction.raw).unwrap();
                let id = format!("t{n}");
                let body = print_session("x", "101@r.test", [(mode, id.as_str(), raw)]);
                assert_eq!(alone.say(&body), Verdict::Accepted, "{source}");
                sent.extend(look(&mut alone, &source));
            }
        }
    }
    // It is not silence that keeps it alive.
    for name in [
        "SendMessageRequest",
        "SubscribeRequest",
        "InviteRequest",
        "JoinGroupRequest",
    ] {
        assert!(sent.contains(name), "{sent:?}");
    }
    assert!(sent.len() > 25, "{}: {sent:?}", sent.len());
}

#[test]
fn nothing_that_ends_it_is_sent_for_a_service_element() {
    let mut alone = between();
    let (mut sent, mut n) = (BTreeSet::new(), 0);
    for (source, text) in variants() {
        let Ok(message) = scan(&text.clone().into(), &Limits::default()) else {
            continue;
        };
        for transaction in transactions(&message).1 {
            let Ok(primitive) = transaction.primitive() else {
                continue;
            };
            let kind = primitive::facts(primitive.name()).map(|facts| facts.kind);
            if !matches!(kind, Some(Kind::Request | Kind::Notice)) {
                continue;
            }
            n += 1;
            alone.request(n, &primitive);
            sent.extend(look(&mut alone, &source));
        }
    }
    assert!(sent.len() > 25, "{}: {sent:?}", sent.len());
}

#[test]
fn an_answer_that_is_a_request_does_not_reach_it() {
    let mut alone = between();
    let text = std::fs::read_to_string(&fixtures("profile")[14]).unwrap();
    assert!(text.contains("<SubscribeRequest"));
    let text = text
        .replace("home.example", "a.test")
        .replace("village.example", "r.test");
    let message = scan(&text.into(), &Limits::default()).unwrap();
    let asked = std::str::from_utf8(&transactions(&message).1[0].raw)
        .unwrap()
        .to_owned();
    for (n, answer) in [
        "<GetPresenceRequest/>",
        "<CancelInviteRequest inviteID=\"1\"/>",
        "<LoginRequest serviceID=\"wv:@a.test\"/>",
        "<Whatever/>",
    ]
    .into_iter()
    .enumerate()
    {
        let id = format!("0000002001-{n}");
        let body = print_session(
            "x",
            "101@a.test",
            [(Mode::Request, id.as_str(), asked.as_str())],
        );
        assert_eq!(alone.say(&body), Verdict::Accepted);
        let relayed = only(&alone.acknowledged_post());
        let body = print_session(
            "x",
            "101@r.test",
            [(Mode::Response, relayed.id.as_str(), answer)],
        );
        assert_eq!(alone.say(&body), Verdict::Accepted);
        let post = alone.acknowledged_post();
        assert_eq!(post.peer, "a.test");
        let to_it = only(&post);
        assert_eq!((to_it.name.as_ref(), to_it.id), ("Status", id), "{answer}");
    }
}

/// What is said to the requestor of `primitive` at r.test, or posted to a.test.
fn outcome(primitive: &Primitive) -> Transaction {
    let mut alone = between();
    let raw = primitive.to_xml(None);
    let body = print_session("x", "101@r.test", [(Mode::Request, "1", raw.as_str())]);
    assert_eq!(alone.say(&body), Verdict::Accepted);
    only(&alone.acknowledged_post())
}

fn code(answer: &Transaction) -> u16 {
    match answer.primitive().unwrap() {
        Primitive::Status(status) => status.code.0,
        Primitive::SendMessageResponse(response) => response.status.code.0,
        other => panic!("no verdict: {other:?}"),
    }
}

fn sample(name: &str) -> Primitive {
    let path = fixtures("profile")
        .into_iter()
        .find(|path| path.to_string_lossy().contains(name));
    let text = std::fs::read_to_string(path.unwrap()).unwrap();
    let text = text
        .replace("home.example", "c.test")
        .replace("village.example", "a.test");
    let message = scan(&text.into(), &Limits::default()).unwrap();
    transactions(&message).1[0].primitive().unwrap()
}

#[test]
fn advice_7_get_presence_and_cancel_invite_are_answered_405() {
    for name in ["-GetPresenceRequest-", "-CancelInviteRequest-"] {
        assert_eq!(code(&outcome(&sample(name))), 405, "{name}");
    }
}

#[test]
fn a_message_of_nobody_and_a_subscription_of_nobody_are_answered_400() {
    let Primitive::SendMessageRequest(mut message) = sample("-SendMessageRequest-") else {
        panic!("no message")
    };
    (message.meta, message.info.sender) = (None, None);
    assert_eq!(code(&outcome(&Primitive::SendMessageRequest(message))), 400);
    let Primitive::SubscribeRequest(mut subscription) = sample("-SubscribeRequest-") else {
        panic!("no subscription")
    };
    subscription.meta = None;
    let outcome = outcome(&Primitive::SubscribeRequest(subscription));
    assert_eq!(code(&outcome), 400);
}

#[test]
fn a_group_that_writes_appears_as_a_user_of_its_domain() {
    let Primitive::SendMessageRequest(mut message) = sample("-SendMessageRequest-") else {
        panic!("no message")
    };
    let group = Address::new("wv:alice/club@c.test");
    message.info.sender = Some(Sender {
        user: None,
        group: Some(GroupId {
            group: group.clone(),
        }),
        screen_name: None,
        display: None,
    });
    for meta in [None, Some(MetaInfo::of_server("c.test"))] {
        message.meta = meta;
        let sent = outcome(&Primitive::SendMessageRequest(message.clone()));
        let Ok(Primitive::SendMessageRequest(sent)) = sent.primitive() else {
            panic!("not sent: {sent:?}")
        };
        let meta = sent.meta.unwrap();
        assert_eq!(meta.client_originated, Some(true));
        assert_eq!(meta.requestor.service, Address::service("c.test"));
        assert_eq!(meta.requestor.user.unwrap().user, group);
    }
}

#[test]
fn advice_7_an_invitation_is_answered_under_its_own_transaction_id() {
    // a.test invites a user behind r.test, whose answer comes as a request.
    let mut alone = between();
    let invite = "<InviteRequest inviteID=\"inv1\" inviteType=\"IM\"><MetaInfo clientOriginated=\"Yes\"><Requestor serviceID=\"wv:@a.test\"><User userID=\"wv:alice@a.test\"/></Requestor></MetaInfo><Inviting><User userID=\"wv:alice@a.test\"/></Inviting><Invited><User userID=\"wv:rob@r.test\"/></Invited></InviteRequest>";
    let body = print_session("x", "101@a.test", [(Mode::Request, "0000002021-0", invite)]);
    assert_eq!(alone.say(&body), Verdict::Accepted);
    let relayed = only(&alone.acknowledged_post());
    let taken = [(
        Mode::Response,
        relayed.id.as_str(),
        "<Status code=\"200\"/>",
    )];
    assert_eq!(
        alone.say(&print_session("x", "101@r.test", taken)),
        Verdict::Accepted
    );
    assert_eq!(only(&alone.acknowledged_post()).id, "0000002021-0");
    alone.restart();

    let answer = "<InviteResponse inviteID=\"inv1\" acceptance=\"Yes\"><Status code=\"200\"/><Inviting><User userID=\"wv:alice@a.test\"/></Inviting><Responding><User userID=\"wv:rob@r.test\"/></Responding></InviteResponse>";
    let body = print_session("x", "101@r.test", [(Mode::Request, "77", answer)]);
    assert_eq!(alone.say(&body), Verdict::Accepted);
    let sent = only(&alone.acknowledged_post());
    assert_eq!(
        (sent.mode, sent.id.as_str()),
        (Mode::Response, "0000002021-0")
    );
    assert_eq!(sent.name, "InviteResponse");
}

#[test]
fn an_invitation_response_with_exchanged_parties_reaches_the_inviter() {
    let mut alone = between();
    let crossed = "<InviteResponse inviteID=\"inv1\"  acceptance=\"Yes\"><Status code=\"200\"/><Inviting><User userID=\"wv:alice@a.test\"/></Inviting><Responding><User userID=\"wv:rob@r.test\"/></Responding></InviteResponse>";
    for (mode, id) in [(Mode::Request, "0000002001-0"), (Mode::Response, "5")] {
        let body = print_session("x", "101@a.test", [(mode, id, crossed)]);
        assert_eq!(alone.say(&body), Verdict::Accepted);
        let post = alone.acknowledged_post();
        assert_eq!(post.peer, "r.test");
        let Ok(Primitive::InviteResponse(response)) = only(&post).primitive() else {
            panic!("{post:?}")
        };
        let inviter = response.inviting.unwrap().address().clone();
        assert_eq!(inviter, Address::new("wv:rob@r.test"));
    }
}

#[test]
fn advice_8_a_message_id_used_before_is_changed_also_after_a_restart_and_mapped_back() {
    let mut alone = between();
    let message = |user: &str| {
        format!(
            "<SendMessageRequest deliveryReport=\"Yes\"><MetaInfo clientOriginated=\"Yes\"><Requestor serviceID=\"wv:@r.test\"><User userID=\"wv:rob@r.test\"/></Requestor></MetaInfo><MessageInfo messageID=\"m1\" contentType=\"text/plain\"><Recipient><User userID=\"{user}\"/></Recipient><Sender><User userID=\"wv:rob@r.test\"/></Sender></MessageInfo></SendMessageRequest>"
        )
    };
    let mut ids = Vec::new();
    for (transaction, user) in [("1", "wv:alice@a.test"), ("2", "wv:carol@a.test")] {
        let raw = message(user);
        let body = print_session(
            "x",
            "101@r.test",
            [(Mode::Request, transaction, raw.as_str())],
        );
        assert_eq!(alone.say(&body), Verdict::Accepted);
        let sent = only(&alone.acknowledged_post());
        let id = sent.peek.message_id.unwrap();
        let answer = format!(
            "<SendMessageResponse messageID=\"{id}\"><Status code=\"200\"/></SendMessageResponse>"
        );
        let body = print_session(
            "x",
            "101@a.test",
            [(Mode::Response, sent.id.as_str(), answer.as_str())],
        );
        assert_eq!(alone.say(&body), Verdict::Accepted);
        let Ok(Primitive::SendMessageResponse(answer)) =
            only(&alone.acknowledged_post()).primitive()
        else {
            panic!("no answer")
        };
        assert_eq!(answer.message_id, "m1");
        ids.push(id);
        alone.restart();
    }
    assert_eq!(ids[0], "m1");
    assert_ne!(ids[1], "m1");

    let report = format!(
        "<DeliveryStatusReport><MetaInfo clientOriginated=\"Yes\"><Requestor serviceID=\"wv:@a.test\"><User userID=\"wv:carol@a.test\"/></Requestor></MetaInfo><DeliveryResult><Status code=\"200\"/></DeliveryResult><MessageInfo messageID=\"{}\"><Recipient><User userID=\"rob@r.test\"/></Recipient><Sender><User userID=\"wv:carol@a.test\"/></Sender></MessageInfo></DeliveryStatusReport>",
        ids[1]
    );
    let body = print_session("x", "101@a.test", [(Mode::Request, "9", report.as_str())]);
    assert_eq!(alone.say(&body), Verdict::Accepted);
    let forwarded = only(&alone.acknowledged_post());
    assert_eq!(forwarded.peek.message_id.as_deref(), Some("m1"));
}
