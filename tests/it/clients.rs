//! Phones that log in to a home domain by the Client-Server Protocol: a scripted one over real HTTP,
//! against the real program.

mod decoders;
mod faults;
mod interrupted;
mod lines;
mod phone;
mod recorded;
mod services;
mod short_messages;

use std::io::{Read, Write};
use std::net::TcpStream;

use wvgate::csp::primitive::session::LoginRequest;
use wvgate::csp::{Encoding, Primitive, Version};

use crate::cli_node::{Node, PATIENCE, output};
use phone::{Phone, code};

/// In the configuration: clients on a free port, by every way to log in.
pub(crate) const CLIENTS: &str = "[clients]\nlisten = \"127.0.0.1:0\"\nplain_login = \"always\"\n\
     digest_secret = \"a secret of these tests\"\nwake_listen = \"127.0.0.1:0\"\n";

pub(crate) const ALL: [(Version, Encoding); 6] = [
    (Version::V1_1, Encoding::Xml),
    (Version::V1_2, Encoding::Xml),
    (Version::V1_3, Encoding::Xml),
    (Version::V1_1, Encoding::Wbxml),
    (Version::V1_2, Encoding::Wbxml),
    (Version::V1_3, Encoding::Wbxml),
];

/// Where a node has said that it serves something.
pub(crate) fn bound(node: &Node, what: &str) -> String {
    let line = node.bound.iter().find(|line| line.starts_with(what));
    let address = line.unwrap().split_whitespace().nth(1).unwrap();
    let address = address.trim_start_matches("http://");
    address.trim_end_matches('/').to_owned()
}

fn phone(node: &Node, user: &str, version: Version, encoding: Encoding) -> Phone {
    Phone::new(&bound(node, "clients"), user, version, encoding)
}

fn xml(node: &Node, user: &str) -> Phone {
    phone(node, user, Version::V1_2, Encoding::Xml)
}

/// The code of an answer that is a status.
fn status(answer: &Primitive) -> u16 {
    match answer {
        Primitive::Status(status) => status.result.status.code.0,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_phone_logs_in_sends_gets_and_logs_out_in_every_version_and_encoding() {
    let node = Node::start_with(CLIENTS);
    for (version, encoding) in ALL {
        let mut alice = phone(&node, "alice", version, encoding);
        let mut carol = phone(&node, "carol", version, encoding);
        carol.keeps = false;
        alice.log_in("alice");
        carol.log_in_by_digest("carol");
        assert!(carol.poll().is_none());
        let text = format!("hello in {version} & {encoding:?}");
        assert_eq!(alice.send("wv:carol@village.test", &text), 200);
        let (id, info, got) = carol.wait_message();
        assert_eq!(got, text);
        let sender = info.message.sender.unwrap().user.unwrap().user;
        assert_eq!(sender.as_str(), "wv:alice@village.test");
        carol.delivered(&id, info.message.message_id.as_deref().unwrap());
        assert!(carol.poll().is_none());
        alice.log_out();
        carol.log_out();
        assert!(node.chat("carol").quit().is_empty());
    }
}

#[test]
fn a_message_that_was_not_acknowledged_comes_again_after_a_crash_and_once_only() {
    let port = crate::cli_node::free_port();
    let clients = CLIENTS.replacen("127.0.0.1:0", &format!("127.0.0.1:{port}"), 1);
    let mut node = Node::start_with(&clients);
    let mut alice = xml(&node, "alice");
    let mut carol = phone(&node, "carol", Version::V1_1, Encoding::Wbxml);
    alice.log_in("alice");
    carol.log_in("carol");
    assert_eq!(alice.send("wv:carol@village.test", "once"), 200);
    let (_, first, _) = carol.wait_message();
    node.crash_and_restart();
    // Both sessions go on, on new connections.
    (alice.keeps, carol.keeps) = (false, false);
    let (id, again, text) = carol.wait_message();
    assert_eq!(text, "once");
    assert_eq!(again.message.message_id, first.message.message_id);
    carol.delivered(&id, again.message.message_id.as_deref().unwrap());
    node.crash_and_restart();
    assert_eq!(alice.send("wv:carol@village.test", "twice"), 200);
    let (_, _, text) = carol.wait_message();
    assert_eq!(text, "twice");
}

#[test]
fn who_is_not_who_they_say_does_not_get_in_and_is_locked_out() {
    let node = Node::start_with(&format!("{CLIENTS}max_failures = 3\n"));
    let mut alice = xml(&node, "alice");
    let nonce = alice.challenge();
    assert_eq!(code(&alice.answer_challenge(&nonce, "wrong")), 409);
    // A digest answers its challenge once; the right one, too.
    let nonce = alice.challenge();
    let answer = alice.answer_challenge(&nonce, "alice");
    assert_eq!(code(&answer), 200);
    let again = alice.answer_challenge(&nonce, "alice");
    assert_eq!((code(&again), again.session), (401, None));
    assert_ne!(again.nonce, Some(nonce));
    let with = |phone: &Phone, password: &str| LoginRequest {
        password: Some(password.to_owned()),
        ..phone.login_request()
    };
    let mut nobody = xml(&node, "nobody");
    let request = with(&nobody, "x");
    assert_eq!(code(&nobody.try_login(request)), 409);
    let mut carol = xml(&node, "carol");
    for _ in 0..3 {
        let request = with(&carol, "wrong");
        assert_eq!(code(&carol.try_login(request)), 409);
    }
    let request = with(&carol, "carol");
    assert_eq!(code(&carol.try_login(request)), 403);
    // Others are not concerned.
    alice.log_in("alice");
}

#[test]
fn who_is_not_logged_in_and_who_takes_a_wrong_session_is_told_604() {
    let node = Node::start_with(CLIENTS);
    let mut alice = xml(&node, "alice");
    let list = || {
        let request = wvgate::csp::primitive::contact_list::GetListRequest {};
        Primitive::GetListRequest(Box::new(request))
    };
    assert_eq!(status(&alice.ask(list())), 604);
    alice.session = Some("0123456789abcdef".to_owned());
    assert_eq!(status(&alice.ask(list())), 604);
    alice.session = None;
    alice.log_in("alice");
    let old = alice.session.clone();
    alice.log_out();
    alice.session = old;
    assert_eq!(status(&alice.ask(list())), 604);
    let told = alice.poll().unwrap();
    assert_eq!(status(&told.primitive), 604);
}

#[test]
fn content_up_to_the_configured_size_arrives_whole() {
    let node = Node::start_with(&format!("{CLIENTS}max_message = \"1MiB\"\n"));
    for encoding in [Encoding::Xml, Encoding::Wbxml] {
        let mut alice = phone(&node, "alice", Version::V1_2, encoding);
        let mut carol = phone(&node, "carol", Version::V1_2, encoding);
        alice.log_in("alice");
        carol.log_in("carol");
        let whole = "0123456789abcdef".repeat(16 * 1024);
        assert_eq!(alice.send("wv:carol@village.test", &whole), 200);
        let (id, info, got) = carol.wait_message();
        assert!(got == whole, "{} bytes", got.len());
        carol.delivered(&id, info.message.message_id.as_deref().unwrap());
        let more = format!("{whole}.");
        assert_eq!(alice.send("wv:carol@village.test", &more), 402);
        assert!(carol.poll().is_none());
        alice.log_out();
        carol.log_out();
    }
}

#[test]
fn the_same_message_again_gets_the_same_answer_and_is_sent_once() {
    use wvgate::csp::{Mode, Transaction};
    let node = Node::start_with(CLIENTS);
    let (mut alice, mut carol) = (xml(&node, "alice"), xml(&node, "carol"));
    alice.log_in("alice");
    carol.log_in("carol");
    assert_eq!(alice.send("wv:carol@village.test", "one"), 200);
    let (id, info, _) = carol.wait_message();
    carol.delivered(&id, info.message.message_id.as_deref().unwrap());
    let request = info.clone();
    let request = wvgate::csp::primitive::message::SendMessageRequest {
        wants_report: false,
        info: wvgate::csp::primitive::content::Info {
            message: wvgate::imps::common::MessageInfo {
                message_id: None,
                ..request.message
            },
            ..request
        },
        content: Some(wvgate::csp::primitive::content::Data(b"two".to_vec())),
    };
    let request = Primitive::SendMessageRequest(Box::new(request));
    let body = alice.written(vec![Transaction::new(Mode::Request, "again", request)]);
    let first = alice.post_bytes(&body).unwrap();
    let second = alice.post_bytes(&body).unwrap();
    assert_eq!(first.transactions, second.transactions);
    let (id, info, text) = carol.wait_message();
    assert_eq!(text, "two");
    carol.delivered(&id, info.message.message_id.as_deref().unwrap());
    assert!(carol.poll().is_none());
    assert!(node.chat("carol").quit().is_empty());
}

#[test]
fn a_session_that_the_operator_ends_is_told_that_once() {
    let node = Node::start_with(CLIENTS);
    let mut alice = xml(&node, "alice");
    alice.log_in("alice");
    let ended = output(&node.config, &["client", "disconnect", "alice"]);
    let said = String::from_utf8_lossy(&ended.stdout).into_owned();
    assert!(said.contains("that were ended: 1"), "{said}");
    match alice.poll().unwrap().primitive {
        Primitive::Disconnect(over) => assert_eq!(over.result.status.code.0, 601),
        other => panic!("{other:?}"),
    }
    assert_eq!(status(&alice.poll().unwrap().primitive), 604);
}

#[test]
fn the_kind_of_a_users_clients_is_what_the_configuration_says() {
    let node = Node::start_with(&format!(
        "{CLIENTS}[[clients.user]]\nname = \"alice\"\nkind = \"android\"\n"
    ));
    for (user, is_first) in [("alice", true), ("carol", false)] {
        let mut phone = phone(&node, user, Version::V1_1, Encoding::Xml);
        phone.log_in(user);
        let session = phone.session.clone().unwrap();
        let body = format!(
            "<WV-CSP-Message xmlns='http://www.wireless-village.org/CSP1.1'><Session>\
             <SessionDescriptor><SessionType>Inband</SessionType><SessionID>{session}</SessionID>\
             </SessionDescriptor><Transaction><TransactionDescriptor><TransactionMode>Request\
             </TransactionMode><TransactionID>c</TransactionID></TransactionDescriptor>\
             <TransactionContent><ClientCapability-Request><CapabilityList><ClientType>PDA\
             </ClientType></CapabilityList></ClientCapability-Request></TransactionContent>\
             </Transaction></Session></WV-CSP-Message>"
        );
        let answer = phone.post_raw("application/vnd.wv.csp.xml", body.as_bytes());
        let text = String::from_utf8(answer.body).unwrap();
        let at = |what: &str| text.find(what).unwrap();
        assert_eq!(
            at("<CapabilityList>") < at("<ClientID>"),
            is_first,
            "{text}"
        );
    }
}

#[test]
fn a_number_is_believed_from_the_operators_proxy_and_from_nobody_else() {
    let node = Node::start_with(&format!(
        "{CLIENTS}number_header = \"MSISDN\"\nnumber_proxies = [\"127.0.0.2\"]\n\
         [[clients.user]]\nname = \"alice\"\nnumber = \"15550100\"\n"
    ));
    let proxy = Some([127, 0, 0, 2].into());
    let enter = |user: &str, from, proxied: &str| {
        let mut phone = xml(&node, user);
        (phone.from, phone.proxied) = (from, proxied.to_owned());
        let request = phone.login_request();
        let answer = phone.try_login(request);
        (code(&answer), answer.session.is_some())
    };
    assert_eq!(enter("alice", proxy, "MSISDN: +15550100\r\n"), (200, true));
    // Everybody else would have to show who they are.
    for (user, from, proxied) in [
        ("alice", None, "MSISDN: 15550100\r\n"),
        ("alice", proxy, "MSISDN: 15550101\r\n"),
        ("alice", proxy, "MSISDN: 15550100\r\nMSISDN: 15550101\r\n"),
        ("alice", proxy, ""),
        ("carol", proxy, "MSISDN: 15550100\r\n"),
    ] {
        assert!(!enter(user, from, proxied).1, "{user} {proxied}");
    }
}

/// A line of the channel that wakes.
fn line(stream: &mut TcpStream) -> String {
    let mut line = Vec::new();
    let mut byte = [0];
    while stream.read(&mut byte).unwrap() == 1 {
        if byte == *b"\n" {
            break;
        }
        line.push(byte[0]);
    }
    String::from_utf8(line).unwrap().trim_end().to_owned()
}

fn capabilities() -> Primitive {
    capabilities_with("<SupportedCIRMethod>STCP</SupportedCIRMethod>")
}

fn capabilities_with(wake: &str) -> Primitive {
    let xml = format!(
        "<WV-CSP-Message xmlns='http://www.openmobilealliance.org/DTD/WV-CSP1.2'><Session>\
         <Transaction><TransactionContent><ClientCapability-Request><CapabilityList>\
         <ClientType>MOBILE_PHONE</ClientType><InitialDeliveryMethod>P</InitialDeliveryMethod>\
         <AcceptedContentLength>32767</AcceptedContentLength><MultiTrans>1</MultiTrans>\
         <ParserSize>32767</ParserSize>{wake}\
         </CapabilityList></ClientCapability-Request></TransactionContent></Transaction></Session>\
         </WV-CSP-Message>"
    );
    let limits = wvgate::imps::xml::Limits::STANDARD;
    let message = wvgate::csp::Message::read(xml.as_bytes(), Encoding::Xml, &limits).unwrap();
    let wvgate::csp::Body::Session(session) = message.body else {
        panic!("no session");
    };
    session.transactions.into_iter().next().unwrap().primitive
}

#[test]
fn a_phone_on_the_wake_channel_is_woken_when_something_comes() {
    let node = Node::start_with(CLIENTS);
    let (mut alice, mut carol) = (xml(&node, "alice"), xml(&node, "carol"));
    alice.log_in("alice");
    carol.log_in("carol");
    let Primitive::ClientCapabilityResponse(agreed) = carol.ask(capabilities()) else {
        panic!("no capabilities");
    };
    let agreed = agreed.agreed.unwrap();
    assert_eq!(agreed.cir_methods, ["STCP"]);
    assert_eq!(agreed.tcp_address.as_deref(), Some("127.0.0.1"));
    // The port that the system has chosen.
    let at = format!("127.0.0.1:{}", agreed.tcp_port.unwrap());
    assert_eq!(at, bound(&node, "wake"));
    let mut channel = TcpStream::connect(bound(&node, "wake")).unwrap();
    channel.set_read_timeout(Some(PATIENCE)).unwrap();
    let session = carol.session.clone().unwrap();
    write!(channel, "HELO {session}\r\nPING \r\n").unwrap();
    assert_eq!(
        (line(&mut channel), line(&mut channel)),
        ("OK".to_owned(), "OK".to_owned())
    );
    assert_eq!(alice.send("wv:carol@village.test", "wake up"), 200);
    assert_eq!(line(&mut channel), "WVCI 1.2 cookie-carol");
    let (id, info, text) = carol.wait_message();
    assert_eq!(text, "wake up");
    carol.delivered(&id, info.message.message_id.as_deref().unwrap());
    // Nobody listens to who names no session.
    let mut stranger = TcpStream::connect(bound(&node, "wake")).unwrap();
    stranger.set_read_timeout(Some(PATIENCE)).unwrap();
    stranger.write_all(b"HELO 0123456789\r\n").unwrap();
    assert_eq!(line(&mut stranger), "");
    carol.log_out();
    assert_eq!(line(&mut channel), "");
}

#[test]
fn what_the_phone_of_a_user_cannot_show_is_refused_to_who_sends_it() {
    let node = Node::start_with(CLIENTS);
    let (mut alice, mut carol) = (xml(&node, "alice"), xml(&node, "carol"));
    alice.log_in("alice");
    let to = "wv:carol@village.test";
    // Who is not there may come with something that shows it.
    assert_eq!(alice.send_content(to, "image/svg+xml", "<svg/>"), 200);
    carol.log_in("carol");
    let said = "<AcceptedContentType>text/plain</AcceptedContentType>";
    let Primitive::ClientCapabilityResponse(_) = carol.ask(capabilities_with(said)) else {
        panic!("no capabilities");
    };
    assert_eq!(alice.send_content(to, "image/svg+xml", "<svg/>"), 415);
    assert_eq!(alice.send(to, &"x".repeat(40_000)), 432);
    assert_eq!(alice.send_content(to, "text/html", "<p>hi</p>"), 200);
    // A second client that shows all is enough.
    let chat = node.chat("carol");
    assert_eq!(alice.send_content(to, "image/svg+xml", "<svg/>"), 200);
    drop(chat);
}

#[test]
fn what_is_no_message_is_answered_by_http_and_goes_no_further() {
    let node = Node::start_with(CLIENTS);
    let mut phone = xml(&node, "alice");
    for (content_type, body, status) in [
        ("text/plain", &b"<WV-CSP-Message/>"[..], 415),
        ("application/vnd.wv.csp.xml", b"", 400),
        ("application/vnd.wv.csp.xml", b"<WV-CSP-Message/>", 400),
        ("application/vnd.wv.csp.xml; charset=utf-8", b"no xml", 400),
        (
            "application/vnd.wv.csp.wbxml",
            b"\x03\x10\x6a\xff\xff\xff\x7f",
            400,
        ),
        ("application/vnd.wv.csp.xml", &[b' '; 300 * 1024], 413),
    ] {
        let answer = phone.post_raw(content_type, body);
        assert_eq!(answer.status, status, "{content_type}");
        assert!(answer.body.is_empty());
    }
    phone.log_in("alice");
    assert!(phone.poll().is_none());
}

/// The status of a GET on the port of clients.
fn get(node: &Node, path: &str) -> u16 {
    let mut stream = TcpStream::connect(bound(node, "clients")).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: wv\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_phone_is_woken_by_datagrams_or_asks_by_http_whether_something_waits() {
    let more = "url = \"http://wv.test/imps/\"\nwake_udp = true\n";
    let node = Node::start_with(&format!("{CLIENTS}{more}"));
    let (mut alice, mut carol) = (xml(&node, "alice"), xml(&node, "carol"));
    alice.log_in("alice");
    carol.log_in("carol");
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let port = socket.local_addr().unwrap().port();
    let wake = format!(
        "<SupportedCIRMethod>SUDP</SupportedCIRMethod><SupportedCIRMethod>SHTTP\
         </SupportedCIRMethod><UDPPort>{port}</UDPPort>"
    );
    let Primitive::ClientCapabilityResponse(agreed) = carol.ask(capabilities_with(&wake)) else {
        panic!("no capabilities");
    };
    let agreed = agreed.agreed.unwrap();
    assert_eq!(agreed.cir_methods, ["SUDP", "SHTTP"]);
    let url = agreed.cir_url.unwrap();
    let path = url.strip_prefix("http://wv.test").unwrap();
    assert_eq!((get(&node, path), get(&node, "/wake/other")), (204, 404));
    assert_eq!(alice.send("wv:carol@village.test", "wake up"), 200);
    let mut datagram = [0; 64];
    let count = socket.recv(&mut datagram).unwrap();
    assert_eq!(&datagram[..count], b"WVCI 1.2 cookie-carol");
    while get(&node, path) != 200 {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let (id, info, _) = carol.wait_message();
    carol.delivered(&id, info.message.message_id.as_deref().unwrap());
    while get(&node, path) != 204 {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}
