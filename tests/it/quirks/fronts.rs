//! Quirk E-2: home domains behind us that are services of their own for the deployed server.

use bytes::Bytes;
use wvgate::imps::Primitive;
use wvgate::imps::xml::Limits;
use wvgate::sap::{Facts, Peer, Post, Settings, SpeaksFor, Verdict};
use wvgate::ssp::Mode;
use wvgate::ssp::envelope::{print_session, print_setup, scan};

use super::{ALICE, ROB, asks, code, message, text, user};
use crate::support::alone::{Alone, Reached, dialect, only, quiet, transactions};
use crate::support::peer::digest;

const BOB: &str = "wv:bob@b.test";

/// b.test with a.test, the deployed server, for which r.test and s.r.test are in front of it.
fn settings() -> Settings {
    let mut deployed = Peer::new("a.test", dialect("baraza"));
    deployed.fronts = vec!["r.test".to_owned(), "s.r.test".to_owned()];
    let mut relay = Peer::new("r.test", quiet());
    relay.speaks_for = SpeaksFor {
        any: true,
        domains: Vec::new(),
    };
    let route = wvgate::sap::Route::Peer("r.test".to_owned());
    Settings::new("b.test")
        .with_peer(deployed)
        .with_peer(relay)
        .with_route("s.r.test", route)
}

struct Fronted {
    alone: Alone,
    logins: usize,
}

impl Fronted {
    /// r.test has logged in.
    fn new() -> Self {
        let mut fronted = Self {
            alone: Alone::new(settings()),
            logins: 0,
        };
        let own = fronted.logged_in("r.test", None);
        assert!(own.ends_with("@b.test"));
        fronted
    }

    fn post(&mut self, body: &str, host: Option<&str>) -> Verdict {
        let body = Bytes::copy_from_slice(body.as_bytes());
        let message = scan(&body, &Limits::default()).unwrap();
        let facts = Facts {
            host: host.map(str::to_owned),
            ..Facts::default()
        };
        let verdict = self.alone.sap.receive(&message, &facts, self.alone.now);
        self.alone.drain();
        verdict
    }

    /// The next post, once its time has come.
    fn next(&mut self) -> Post {
        if self.alone.posts.is_empty() {
            self.alone.pass(400);
        }
        self.alone.acknowledged_post()
    }

    /// A peer logs in here; our session id.
    fn logged_in(&mut self, peer: &str, host: Option<&str>) -> String {
        self.logins += 1;
        let id = format!("9{}", self.logins);
        let step = |xml: &str| print_setup("x", Mode::Request, &id, xml);
        let own = format!("token{}", self.logins);
        let token = format!(
            "<SendSecretToken serviceID=\"wv:@{peer}\"><SecretToken>{own}</SecretToken></SendSecretToken>"
        );
        assert_eq!(self.post(&step(&token), host), Verdict::Accepted);
        let step2 = self.next();
        let Ok(Primitive::SendSecretToken(theirs)) = only(&step2).primitive() else {
            panic!("{step2:?}")
        };
        let login = format!(
            "<LoginRequest serviceID=\"wv:@{peer}\" timeToLive=\"86400\"><PasswordDigest encoding=\"base64\">{}</PasswordDigest></LoginRequest>",
            digest(&String::from_utf8(theirs.token.0.clone()).unwrap())
        );
        assert_eq!(self.post(&step(&login), None), Verdict::Accepted);
        let step4 = self.next();
        let Ok(Primitive::LoginRequest(login)) = only(&step4).primitive() else {
            panic!("{step4:?}")
        };
        assert_eq!(login.service, theirs.service);
        let ours = format!(
            "<LoginResponse sessionID=\"{id}@{peer}\" timeToLive=\"86400\"><Status code=\"200\"/></LoginResponse>"
        );
        assert_eq!(self.post(&step(&ours), None), Verdict::Accepted);
        let step6 = self.next();
        let Ok(Primitive::LoginResponse(response)) = only(&step6).primitive() else {
            panic!("{step6:?}")
        };
        let own = response.session.unwrap();
        assert!(own.ends_with(theirs.service.domain()), "{own}");
        own
    }

    /// The deployed server lets itself be logged in to; as whom, and our session id. Its own
    /// is this one.
    fn lets_in(&mut self, number: &str) -> (String, String) {
        let step1 = only(&self.next());
        let Ok(Primitive::SendSecretToken(token)) = step1.primitive() else {
            panic!("{step1:?}")
        };
        self.lets_in_after(number, &step1.id, &token)
    }

    fn lets_in_after(
        &mut self,
        number: &str,
        id: &str,
        token: &wvgate::imps::primitive::session::SendSecretToken,
    ) -> (String, String) {
        let xml = "<SendSecretToken serviceID=\"wv:@a.test\"><SecretToken>t2</SecretToken></SendSecretToken>";
        self.post(&print_setup("x", Mode::Response, number, xml), None);
        // Another identity may begin meanwhile.
        self.alone.pass(400);
        let step3 = self.posted("LoginRequest");
        assert_eq!(step3.id, id);
        let xml = format!(
            "<LoginRequest serviceID=\"wv:@a.test\" timeToLive=\"86400\"><PasswordDigest encoding=\"base64\">{}</PasswordDigest></LoginRequest>",
            digest(&String::from_utf8(token.token.0.clone()).unwrap())
        );
        self.post(&print_setup("x", Mode::Response, id, &xml), None);
        let step5 = self.posted("LoginResponse");
        let Ok(Primitive::LoginResponse(response)) = step5.primitive() else {
            panic!("{step5:?}")
        };
        let xml = format!(
            "<LoginResponse sessionID=\"{number}@a.test\" timeToLive=\"86400\"><Status code=\"200\"/></LoginResponse>"
        );
        self.post(&print_setup("x", Mode::Response, id, &xml), None);
        let service = token.service.domain().to_owned();
        (service, response.session.unwrap())
    }

    /// The post to the deployed server with this primitive, acknowledged.
    fn posted(&mut self, name: &str) -> wvgate::ssp::envelope::Transaction {
        let mut posts = self.alone.posts.iter();
        let at = posts.position(|post| post.peer != "r.test" && only(post).name == name);
        let post = self.alone.posts.remove(at.unwrap());
        self.alone.posted(&post, &wvgate::sap::Posted::Acknowledged);
        only(&post)
    }

    fn say(&mut self, session: &str, mode: Mode, id: &str, xml: &str) {
        let body = print_session("x", session, [(mode, id, xml)]);
        assert_eq!(self.post(&body, None), Verdict::Accepted, "{xml}");
    }

    /// A message from r.test's session to a.test.
    fn message(&mut self, id: &str, from: &str) {
        let xml = message(from, &user(ALICE)).replace("m1", id);
        self.say("91@r.test", Mode::Request, id, &xml);
    }

    /// The next post, for this peer, with its session.
    fn sent(&mut self, peer: &str, session: &str) -> wvgate::ssp::envelope::Transaction {
        let post = self.next();
        assert_eq!(
            (
                post.peer.as_str(),
                post.session.as_ref().map(|id| id.as_str())
            ),
            (peer, Some(session))
        );
        assert!(std::str::from_utf8(&post.body).unwrap().contains(session));
        transactions(&post).remove(0)
    }
}

fn taken(id: &str) -> String {
    format!("<SendMessageResponse messageID=\"{id}\"><Status code=\"200\"/></SendMessageResponse>")
}

#[test]
fn users_of_a_fronted_domain_are_asked_for_in_a_session_of_that_domain() {
    let mut it = Fronted::new();
    let home = it.alone.sap.session_views()[0].own_id.as_str().to_owned();
    it.message("m1", ROB);
    let (service, own) = it.lets_in("73");
    assert_eq!(service, "r.test");
    assert!(
        own.ends_with("@r.test") && own.matches('@').count() == 1,
        "{own}"
    );
    let asked = it.sent("a.test", &own);
    assert!(text(&asked).contains(ROB));
    it.say("73@a.test", Mode::Response, &asked.id, &taken("m1"));
    let answer = it.sent("r.test", &home);
    assert_eq!(
        (answer.id.as_str(), code(&answer.primitive().unwrap())),
        ("m1", 200)
    );
    // Others go as ever, in a session of this node.
    it.message("m2", "wv:cleo@c.test");
    let (service, other) = it.lets_in("74");
    assert_eq!(service, "b.test");
    let asked = it.sent("a.test", &other);
    // Whatever session it answers in.
    it.say("73@a.test", Mode::Response, &asked.id, &taken("m2"));
    assert_eq!(it.sent("r.test", &home).id, "m2");
    // Notices too have their publisher's session.
    let notice = format!(
        "<PresenceNotification>{}<PresenceValue userID=\"{ROB}\"/></PresenceNotification>",
        user(ALICE)
    );
    it.say("91@r.test", Mode::Request, "n1", &notice);
    assert_eq!(it.sent("a.test", &own).name, "PresenceNotification");
    let names: Vec<_> = it
        .alone
        .sap
        .peer_views()
        .into_iter()
        .map(|peer| peer.domain)
        .collect();
    assert_eq!(
        names,
        ["a.test", "a.test+r.test", "a.test+s.r.test", "r.test"]
    );
}

#[test]
fn what_it_asks_a_fronted_domain_goes_on_and_is_answered_in_that_session() {
    let mut it = Fronted::new();
    let home = it.alone.sap.session_views()[0].own_id.as_str().to_owned();
    let own = it.logged_in("a.test", Some("r.test:5280"));
    assert!(own.ends_with("@r.test"));
    let xml = message(ALICE, &user(ROB));
    it.say("92@a.test", Mode::Request, "501", &xml);
    let asked = it.sent("r.test", &home);
    assert!(text(&asked).contains(ALICE));
    it.say("91@r.test", Mode::Response, &asked.id, &taken("m1"));
    let answer = it.sent("a.test", &own);
    assert_eq!((answer.mode, answer.id.as_str()), (Mode::Response, "501"));
    // It goes nowhere back to itself, and speaks for nobody else.
    let back = message(ALICE, &user("wv:anna@a.test")).replace("m1", "m3");
    it.say("92@a.test", Mode::Request, "502", &back);
    assert_eq!(code(&it.sent("a.test", &own).primitive().unwrap()), 516);
    let false_one = message(BOB, &user(ROB)).replace("m1", "m4");
    it.say("92@a.test", Mode::Request, "503", &false_one);
    assert_eq!(code(&it.sent("a.test", &own).primitive().unwrap()), 901);
    // Who asks without a domain is of the peer (quirk A-8).
    let nameless = message("wv:alice@", &user(ROB)).replace("m1", "m5");
    it.say("92@a.test", Mode::Request, "504", &nameless);
    assert!(text(&it.sent("r.test", &home)).contains("serviceID=\"wv:@a.test\""));
}

#[test]
fn reports_about_its_messages_to_a_fronted_domain_go_under_its_own_id() {
    let mut it = Fronted::new();
    let home = it.alone.sap.session_views()[0].own_id.as_str().to_owned();
    let own = it.logged_in("a.test", Some("r.test"));
    let other = it.logged_in("a.test", None);
    assert!(other.ends_with("@b.test"));
    let xml = message(ALICE, &user(ROB)).replace(
        "<SendMessageRequest>",
        "<SendMessageRequest deliveryReport=\"Yes\">",
    );
    it.say("92@a.test", Mode::Request, "501", &xml);
    let asked = it.sent("r.test", &home);
    it.say("91@r.test", Mode::Response, &asked.id, &taken("m1"));
    it.sent("a.test", &own);
    let report = format!(
        "<DeliveryStatusReport>{}<DeliveryResult><Status code=\"200\"/></DeliveryResult><MessageInfo messageID=\"m1\" contentType=\"text/plain\"><Recipient>{}</Recipient><Sender>{}</Sender></MessageInfo></DeliveryStatusReport>",
        asks(ROB),
        user(ALICE),
        user(ROB)
    );
    it.say("91@r.test", Mode::Request, "d1", &report);
    let sent = it.sent("a.test", &own);
    assert_eq!((sent.mode, sent.id.as_str()), (Mode::Response, "501"));
}

#[test]
fn a_login_is_for_the_domain_whose_host_it_was_posted_to() {
    for (host, domain) in [
        (None, "b.test"),
        (Some("gate.b.test:5280"), "b.test"),
        (Some("10.0.0.1:5280"), "b.test"),
        (Some("other.test"), "b.test"),
        (Some("notr.test"), "b.test"),
        (Some("r.test"), "r.test"),
        (Some("SSP.R.test.:5280"), "r.test"),
        (Some("s.r.test:443"), "s.r.test"),
        (Some("x.s.r.test"), "s.r.test"),
    ] {
        let mut it = Fronted::new();
        let own = it.logged_in("a.test", host);
        assert!(own.ends_with(&format!("@{domain}")), "{host:?}: {own}");
        // Nobody else has such names.
        let own = it.logged_in("r.test", host);
        assert!(own.ends_with("@b.test"), "{host:?}: {own}");
    }
}

#[test]
fn only_one_identity_at_a_time_waits_for_its_token() {
    let mut it = Fronted::new();
    it.message("m1", ROB);
    it.message("m2", "wv:cleo@c.test");
    it.message("m3", "wv:sue@s.r.test");
    let mut seen = Vec::new();
    for number in ["73", "74", "75"] {
        let begun: Vec<_> = it
            .alone
            .posts
            .iter()
            .map(|post| only(post).name.to_string())
            .collect();
        let tokens = begun
            .iter()
            .filter(|name| *name == "SendSecretToken")
            .count();
        assert_eq!(tokens, 1, "{begun:?}");
        let step1 = it.posted("SendSecretToken");
        let Ok(Primitive::SendSecretToken(token)) = step1.primitive() else {
            panic!("{step1:?}")
        };
        seen.push(it.lets_in_after(number, &step1.id, &token).0);
    }
    seen.sort();
    assert_eq!(seen, ["b.test", "r.test", "s.r.test"]);

    // One that is never answered lets the others on in the end.
    let mut it = Fronted::new();
    it.message("m1", ROB);
    let silent = only(&it.next());
    it.message("m2", "wv:cleo@c.test");
    assert!(it.alone.posts.is_empty());
    it.alone.pass(31_000);
    let next = it.posted("SendSecretToken");
    assert_ne!(next.id, silent.id);
    let Ok(Primitive::SendSecretToken(token)) = next.primitive() else {
        panic!("{next:?}")
    };
    assert_eq!(token.service.domain(), "b.test");
}

#[test]
fn sessions_and_queues_of_a_fronted_domain_survive_a_restart() {
    let mut it = Fronted::new();
    let own = it.logged_in("a.test", Some("r.test"));
    it.message("m1", ROB);
    // The post is lost with the process.
    it.alone.restart();
    let asked = it.sent("a.test", &own);
    assert!(text(&asked).contains("m1"));
    // Without the front there is neither.
    let before = it.alone.disk.keys().filter(|key| key.contains('+')).count();
    assert!(before >= 1);
    let mut plain = Peer::new("a.test", dialect("baraza"));
    plain.connect_always = true;
    let settings = Settings::new("b.test").with_peer(plain);
    it.alone
        .sap
        .reload(std::sync::Arc::new(settings), it.alone.now);
    it.alone.drain();
    let sessions = it.alone.sap.session_views();
    assert!(sessions.iter().all(|session| session.own_id != own));
    assert!(
        it.alone
            .disk
            .keys()
            .all(|key| !key.contains("session/a.test+"))
    );
}

#[test]
fn a_peer_is_down_when_the_last_session_of_all_its_identities_is_gone() {
    let mut it = Fronted::new();
    it.message("m1", ROB);
    it.lets_in("73");
    it.next();
    it.message("m2", "wv:cleo@c.test");
    it.lets_in("74");
    it.next();
    let down = |it: &Fronted| {
        let reached = it.alone.reached.iter();
        let down = reached.filter(|(_, reached)| *reached == Reached::NoSession);
        down.map(|(peer, _)| peer.clone()).collect::<Vec<_>>()
    };
    assert_eq!(it.alone.sap.drop_sessions("a.test+r.test", it.alone.now), 1);
    it.alone.drain();
    assert!(down(&it).is_empty());
    assert_eq!(it.alone.sap.drop_sessions("a.test", it.alone.now), 1);
    it.alone.drain();
    assert_eq!(down(&it), ["a.test"]);
}
