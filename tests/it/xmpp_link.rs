//! The component link against a real Prosody and a real ejabberd, and against servers that misbehave.

use std::time::Duration;
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tokio_xmpp::Stanza;
use wvgate::xmpp::{
    Secret,
    link::{Backoff, ComponentSettings, DownReason, LinkEvent, Outgoing, Siblings, spawn},
    text,
};
use xmpp_parsers::message::MessageType;

use crate::support::{
    prosody::Prosody,
    script::{Step, play},
    server::{Server, Setup},
    xmpp_user::XmppUser,
};

const DOMAIN: &str = "wv.example.test";
const HOST: &str = "montague.test";
const ROMEO: &str = "romeo@montague.test";
const JULIA: &str = "julia@wv.example.test";
const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn messages_pass_both_ways_through_a_server() {
    for server in SETUP.both() {
        messages_pass_both_ways(&server).await;
    }
}

async fn messages_pass_both_ways(server: &Server) {
    let mut romeo = server.login(ROMEO, "pw").await;
    let mut link = Link::to(settings(&server.component_address())).await;

    romeo.message(JULIA, "soft, what light?", "m1");
    let message = link.message().await;
    assert_eq!(message.to.unwrap().to_string(), JULIA);
    assert_eq!(message.from.unwrap().to_string(), romeo.jid);
    assert_eq!(message.id.unwrap().0, "m1");

    let to = romeo.jid.clone();
    link.send(vec![chat(&to, "ay me < & >")], None).await;
    let got = romeo.wait_message("ay me < & >").await;
    assert_eq!(got["from"], JULIA);
}

#[tokio::test]
async fn a_mark_is_confirmed_after_what_the_server_says_to_its_stanzas_and_in_order() {
    for server in SETUP.both() {
        marks_are_confirmed_in_order(&server).await;
    }
}

async fn marks_are_confirmed_in_order(server: &Server) {
    let mut link = Link::to(settings(&server.component_address())).await;
    // Nobody of this name: the server bounces the message, which must come before the mark.
    link.send(vec![chat("nobody@montague.test", "x")], Some(1))
        .await;
    let Stanza::Message(bounce) = link.stanza().await else {
        panic!("no bounce");
    };
    assert_eq!(bounce.type_, MessageType::Error);
    assert_eq!(link.confirmed().await, 1);

    let mut romeo = server.login(ROMEO, "pw").await;
    for mark in 2..=300 {
        let body = format!("number {mark}");
        let to = romeo.jid.clone();
        link.send(vec![chat(&to, &body)], Some(mark)).await;
    }
    let mut last = 1;
    while last < 300 {
        let mark = link.confirmed().await;
        assert!(mark > last, "{mark} after {last}");
        last = mark;
    }
    for mark in 2..=300 {
        let event = romeo.wait("the next", |e| e["event"] == "message").await;
        assert_eq!(event["body"], format!("number {mark}"));
    }
}

#[tokio::test]
async fn any_answer_of_the_configured_address_confirms_a_mark() {
    let prosody = prosody();
    // A host with the ping module, a user, an address of no user, and a disconnected component.
    for to in [HOST, ROMEO, "nobody@montague.test", "second.example.test"] {
        let mut settings = settings(&prosody.component_address());
        settings.barrier_to = Some(to.to_owned());
        let mut link = Link::to(settings).await;
        link.send(vec![], Some(7)).await;
        assert_eq!(link.confirmed().await, 7, "{to}");
        link.end().await;
    }
}

#[tokio::test]
async fn a_wrong_secret_and_an_unknown_domain_are_refused_with_advice() {
    let prosody = prosody();
    let mut wrong = settings(&prosody.component_address());
    wrong.secret = Secret::new("not the secret");
    let mut unknown = settings(&prosody.component_address());
    unknown.domain = "unknown.example.test".to_owned();
    for (settings, want) in [(wrong, "not-authorized"), (unknown, "host-unknown")] {
        let domain = settings.domain.clone();
        let mut link = Link::start(settings);
        let DownReason::Refused { condition, advice } = link.down().await else {
            panic!("not refused");
        };
        assert_eq!(condition, want);
        assert!(advice.contains(&domain), "{advice}");
        assert!(!advice.contains("not the secret"));
    }
}

#[tokio::test]
async fn odd_stanzas_of_a_remote_user_are_survived_and_answered() {
    let prosody = prosody();
    let mut romeo = XmppUser::login(&prosody, ROMEO, "pw").await;
    let mut link = Link::to(settings(&prosody.component_address())).await;
    romeo.raw(&format!(
        "<iq type='get' id='two' to='{JULIA}'><a xmlns='urn:a'/><b xmlns='urn:b'/></iq>"
    ));
    romeo.raw(&format!(
        "<message type='odd' id='odd' to='{JULIA}'><body>x</body></message>"
    ));
    romeo.raw(&format!(
        "<presence type='odd' id='odd-presence' to='{JULIA}'/>"
    ));
    romeo.raw(&format!(
        "<message id='deep' to='{JULIA}'>{}{}</message>",
        "<x xmlns='urn:x'>".repeat(300),
        "</x>".repeat(300)
    ));
    romeo.raw(&format!(
        "<message id='long' to='{JULIA}'><x xmlns='urn:x' a='{}'/><body>long</body></message>",
        "y".repeat(20_000)
    ));
    romeo.message(JULIA, "after all that", "last");
    // A message of an unknown type is a normal one.
    assert_eq!(link.message().await.id.unwrap().0, "odd");
    assert_eq!(link.message().await.id.unwrap().0, "long");
    assert_eq!(link.message().await.id.unwrap().0, "last");
    for (id, error) in [("deep", "policy-violation"), ("two", "bad-request")] {
        let answer = romeo.wait(id, |e| e["id"] == id).await;
        assert_eq!(answer["error"], error, "{answer}");
    }
}

#[tokio::test]
async fn a_killed_server_comes_back_and_traffic_flows_again() {
    let mut prosody = prosody();
    let mut link = Link::to(settings(&prosody.component_address())).await;
    prosody.kill();
    link.down().await;
    // Discarded: the link is down. And what carries the old number is discarded later too.
    link.send(vec![chat(ROMEO, "too early")], Some(1)).await;
    let old = link.connection;
    prosody.start();
    link.up().await;
    assert!(link.connection > old);
    let outgoing = Outgoing {
        connection: old,
        stanzas: vec![chat(ROMEO, "stale")],
        mark: Some(2),
    };
    link.outgoing.send(outgoing).await.unwrap();

    link.send(vec![chat(ROMEO, "welcome back")], Some(3)).await;
    assert_eq!(link.confirmed().await, 3);
    let mut romeo = XmppUser::login(&prosody, ROMEO, "pw").await;
    romeo.tell(&serde_json::json!({"do": "presence"}));
    // From the offline store: the first message is the only one that was sent.
    let first = romeo.wait("a message", |e| e["event"] == "message").await;
    assert_eq!(first["body"], "welcome back");
}

#[tokio::test]
async fn silence_is_bridged_by_pings() {
    let prosody = prosody();
    let mut settings = settings(&prosody.component_address());
    settings.ping_interval = Duration::from_millis(100);
    settings.ping_timeout = Duration::from_secs(5);
    let mut link = Link::to(settings).await;
    let quiet = timeout(Duration::from_millis(1500), link.events.recv()).await;
    assert!(quiet.is_err(), "{quiet:?}");
    let log = prosody.log();
    let pings = log.matches("id='alive-").count();
    assert!(pings > 0, "no ping in the log of the server");
    link.send(vec![], Some(1)).await;
    assert_eq!(link.confirmed().await, 1);
}

#[tokio::test]
async fn two_domains_are_served_side_by_side() {
    let prosody = prosody();
    let first = Link::to(settings(&prosody.component_address())).await;
    let mut other = settings(&prosody.component_address());
    other.domain = "second.example.test".to_owned();
    other.secret = Secret::new("second secret");
    let mut second = Link::to(other).await;
    let message =
        format!("<message from='{JULIA}' to='x@second.example.test'><body>across</body></message>");
    first.send(vec![text::parse(message).unwrap()], None).await;
    assert_eq!(
        second.message().await.bodies.values().next().unwrap(),
        "across"
    );
}

#[tokio::test]
async fn what_cannot_be_sent_comes_back_and_does_not_harm_the_connection() {
    let prosody = prosody();
    let mut link = Link::to(settings(&prosody.component_address())).await;
    let foreign = text::parse("<message from='a@b.test' to='c@d.test' id='foreign'/>").unwrap();
    let large = chat(ROMEO, &"x".repeat(600_000));
    let control = chat(ROMEO, "a\u{0}b");
    link.send(vec![foreign, large, control], Some(5)).await;
    for id in ["foreign", "c1", "c1"] {
        let LinkEvent::Unsent { stanza, .. } = link.event().await else {
            panic!("it was sent");
        };
        let Stanza::Message(message) = stanza else {
            panic!("no message");
        };
        assert_eq!(message.id.unwrap().0, id);
    }
    assert_eq!(link.confirmed().await, 5);
}

#[tokio::test]
async fn bad_elements_on_the_wire_do_not_end_the_connection() {
    let (address, server) = play(vec![accepted(vec![
        Step::Send(format!(
            "<message from='r@x.test' to='@@{DOMAIN}' id='bad'><body>x</body></message>"
        )),
        Step::Expect("jid-malformed"),
        Step::Send("<unknown xmlns='urn:u'><a>text</a></unknown>\n".to_owned()),
        Step::Send("<iq from='r@x.test' type='nonsense' id='i'/>".to_owned()),
        Step::Expect("bad-request"),
        Step::Send(format!("<message from='r@x.test' to='{JULIA}' id='good'/>")),
        Step::Expect("</stream:stream>"),
    ])])
    .await;
    let mut link = Link::to(settings(&address.to_string())).await;
    assert_eq!(link.message().await.id.unwrap().0, "good");
    link.end().await;
    server.await.unwrap();
}

#[tokio::test]
async fn a_stream_error_is_reported_and_the_link_dials_again() {
    let error = "<stream:error><system-shutdown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>\
         <text xmlns='urn:ietf:params:xml:ns:xmpp-streams'>bye</text></stream:error></stream:stream>";
    let (address, _server) = play(vec![
        accepted(vec![Step::Send(error.to_owned()), Step::Close]),
        accepted(vec![]),
    ])
    .await;
    let mut link = Link::to(settings(&address.to_string())).await;
    let want = DownReason::StreamError {
        condition: "system-shutdown".to_owned(),
        text: "bye".to_owned(),
    };
    assert_eq!(link.down().await, want);
    link.up().await;
}

#[tokio::test]
async fn a_server_that_falls_silent_or_sends_rubbish_is_left() {
    let (address, _server) = play(vec![
        accepted(vec![Step::FallSilent]),
        accepted(vec![Step::Send("<<<".to_owned())]),
        accepted(vec![Step::Close]),
        accepted(vec![]),
    ])
    .await;
    let mut settings = settings(&address.to_string());
    settings.ping_interval = Duration::from_millis(50);
    settings.ping_timeout = Duration::from_millis(50);
    let mut link = Link::to(settings).await;
    for want in ["ping", "XML", "closed"] {
        let (DownReason::Lost(why) | DownReason::Closed(why)) = link.down().await else {
            panic!("not lost");
        };
        assert!(why.contains(want), "{why}");
        link.up().await;
    }
}

#[tokio::test]
async fn a_mark_that_is_never_answered_ends_the_connection() {
    let steps = vec![Step::Expect("id='mark-"), Step::Murmur];
    let (address, _server) = play(vec![accepted(steps), accepted(vec![])]).await;
    let mut settings = settings(&address.to_string());
    settings.ping_interval = Duration::from_millis(300);
    settings.ping_timeout = Duration::from_millis(50);
    let mut link = Link::to(settings).await;
    link.send(vec![], Some(1)).await;
    let DownReason::Lost(why) = link.down().await else {
        panic!("not lost");
    };
    assert!(why.contains("wv.example.test did not answer"), "{why}");
    link.up().await;
}

#[tokio::test]
async fn a_wrong_answer_to_the_handshake_is_no_connection() {
    let refused = "<stream:error><not-authorized xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>\
         </stream:error></stream:stream>";
    let greeting = || vec![Step::Expect("to='wv.example.test'>"), Step::Send(header())];
    let with = |step: Step| {
        let mut steps = greeting();
        steps.push(Step::Expect("</handshake>"));
        steps.push(step);
        steps.push(Step::Close);
        steps
    };
    let (address, _server) = play(vec![
        vec![
            Step::Send("HTTP/1.1 400 Bad Request\r\n".to_owned()),
            Step::Close,
        ],
        with(Step::Send("</stream:stream>".to_owned())),
        with(Step::Send(refused.to_owned())),
    ])
    .await;
    let mut link = Link::start(settings(&address.to_string()));
    assert!(matches!(link.down().await, DownReason::Lost(_)));
    assert!(matches!(link.down().await, DownReason::Lost(_)));
    assert!(matches!(link.down().await, DownReason::Refused { .. }));
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unreachable() {
    let (address, server) = play(vec![]).await;
    server.await.unwrap();
    let mut link = Link::start(settings(&address.to_string()));
    assert!(matches!(link.down().await, DownReason::Unreachable(_)));
    assert!(matches!(link.down().await, DownReason::Unreachable(_)));
}

#[tokio::test]
async fn a_slow_owner_stops_reading_but_loses_nothing_and_can_still_write() {
    let mut steps: Vec<Step> = (0..2000)
        .map(|n| Step::Send(format!("<message from='r@x.test' to='{JULIA}' id='{n}'/>")))
        .collect();
    steps.push(Step::Expect("<body>written meanwhile</body>"));
    let (signal, written) = oneshot::channel();
    steps.push(Step::Signal(signal));
    let (address, _server) = play(vec![accepted(steps)]).await;
    let mut link = Link::to(settings(&address.to_string())).await;
    link.send(vec![chat("r@x.test", "written meanwhile")], None)
        .await;
    timeout(PATIENCE, written).await.unwrap().unwrap();
    for n in 0..2000 {
        assert_eq!(link.message().await.id.unwrap().0, n.to_string());
    }
}

const SETUP: Setup = Setup {
    host: HOST,
    users: &[("romeo", "pw")],
    components: &[
        (DOMAIN, "component secret"),
        ("second.example.test", "second secret"),
    ],
};

fn prosody() -> Prosody {
    Prosody::build()
        .host(HOST)
        .user("romeo", HOST, "pw")
        .component(DOMAIN, "component secret")
        .component("second.example.test", "second secret")
        .start()
}

fn settings(server: &str) -> ComponentSettings {
    ComponentSettings {
        domain: DOMAIN.to_owned(),
        secret: Secret::new("component secret"),
        server: server.to_owned(),
        connect_timeout: Duration::from_secs(10),
        ping_interval: Duration::from_secs(30),
        ping_timeout: Duration::from_secs(10),
        backoff: Backoff {
            first: Duration::from_millis(10),
            max: Duration::from_millis(200),
        },
        queue: 16,
        barrier_to: None,
        max_stanza: text::MAX_OUT,
        siblings: Siblings::default(),
    }
}

fn header() -> String {
    "<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' \
     xmlns:stream='http://etherx.jabber.org/streams' from='wv.example.test' id='s1'>"
        .to_owned()
}

/// The script of a server that accepts the component, then does these steps.
fn accepted(steps: Vec<Step>) -> Vec<Step> {
    let mut all = vec![
        Step::Expect("to='wv.example.test'>"),
        Step::Send(header()),
        // SHA-1 of "s1component secret"
        Step::Expect("<handshake>6276b72f0b804fe0d68d8b39e814571411cfd2cf</handshake>"),
        Step::Send("<handshake/>".to_owned()),
    ];
    all.extend(steps);
    all
}

fn chat(to: &str, body: &str) -> Stanza {
    let message = format!("<message type='chat' id='c1' from='{JULIA}' to='{to}'/>");
    let Stanza::Message(mut message) = text::parse(message).unwrap() else {
        panic!("no message");
    };
    message.bodies.insert("".into(), body.to_owned());
    message.into()
}

/// A link and its owner's ends.
struct Link {
    outgoing: mpsc::Sender<Outgoing>,
    events: mpsc::Receiver<LinkEvent>,
    connection: u64,
    stop: CancellationToken,
    tracker: TaskTracker,
}

impl Link {
    fn start(settings: ComponentSettings) -> Self {
        let (outgoing, outgoing_receiver) = mpsc::channel(64);
        let (events_sender, events) = mpsc::channel(16);
        let tracker = TaskTracker::new();
        let stop = CancellationToken::new();
        spawn(
            settings,
            outgoing_receiver,
            events_sender,
            &tracker,
            stop.clone(),
        );
        tracker.close();
        Self {
            outgoing,
            events,
            connection: 0,
            stop,
            tracker,
        }
    }

    async fn to(settings: ComponentSettings) -> Self {
        let mut link = Self::start(settings);
        link.up().await;
        link
    }

    async fn send(&self, stanzas: Vec<Stanza>, mark: Option<u64>) {
        let outgoing = Outgoing {
            connection: self.connection,
            stanzas,
            mark,
        };
        self.outgoing.send(outgoing).await.unwrap();
    }

    async fn event(&mut self) -> LinkEvent {
        timeout(PATIENCE, self.events.recv())
            .await
            .expect("an event in time")
            .expect("the link to live")
    }

    /// Waits for the connection, over attempts that fail.
    async fn up(&mut self) {
        loop {
            match self.event().await {
                LinkEvent::Up { connection, .. } => {
                    self.connection = connection;
                    return;
                }
                LinkEvent::Down { reason, .. } => {
                    assert!(!matches!(reason, DownReason::Refused { .. }), "{reason}");
                }
                other => panic!("{other:?}"),
            }
        }
    }

    async fn down(&mut self) -> DownReason {
        match self.event().await {
            LinkEvent::Down { reason, .. } => reason,
            other => panic!("{other:?}"),
        }
    }

    async fn stanza(&mut self) -> Stanza {
        match self.event().await {
            LinkEvent::Stanza { stanza, .. } => stanza,
            other => panic!("{other:?}"),
        }
    }

    async fn message(&mut self) -> xmpp_parsers::message::Message {
        match self.stanza().await {
            Stanza::Message(message) => message,
            other => panic!("{other:?}"),
        }
    }

    async fn confirmed(&mut self) -> u64 {
        match self.event().await {
            LinkEvent::Confirmed { mark, .. } => mark,
            other => panic!("{other:?}"),
        }
    }

    async fn end(self) {
        self.stop.cancel();
        timeout(PATIENCE, self.tracker.wait())
            .await
            .expect("an end in time");
    }
}
