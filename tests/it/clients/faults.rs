//! What phones do wrong, or to others: each is bounded, and nobody else is held up by it.

use std::collections::BTreeSet;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;

use wvgate::csp::primitive::session::LoginRequest;
use wvgate::csp::{Encoding, Primitive, Version};

use super::phone::{Phone, code};
use super::services::{asks, read};
use super::{CLIENTS, bound, capabilities, line, phone, status, xml};
use crate::cli_node::{Folder, Node, PATIENCE};

/// A node with more in `[clients]`.
fn node(more: &str) -> Node {
    Node::start_with(&format!("{CLIENTS}{more}"))
}

/// A login with the right password, of a client of this name.
fn login(phone: &Phone, client: &str) -> LoginRequest {
    let mut request = phone.login_request();
    request.password = Some(phone.user.clone());
    request.client.as_mut().unwrap().url = client.to_owned();
    request
}

/// A channel on which nothing was said yet.
fn channel(node: &Node) -> TcpStream {
    let channel = TcpStream::connect(bound(node, "wake")).unwrap();
    channel.set_read_timeout(Some(PATIENCE)).unwrap();
    channel
}

/// The channel of a phone, which stands.
fn channel_of(node: &Node, phone: &mut Phone) -> TcpStream {
    let answer = phone.ask(capabilities());
    assert!(matches!(answer, Primitive::ClientCapabilityResponse(_)));
    let mut channel = channel(node);
    write!(channel, "HELO {}\r\n", phone.session.as_ref().unwrap()).unwrap();
    assert_eq!(line(&mut channel), "OK");
    channel
}

/// Whether the other side has closed a connection; waits until it has, or says something.
fn is_closed(stream: &mut TcpStream) -> bool {
    match stream.read(&mut [0]) {
        Ok(count) => count == 0,
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
    }
}

#[test]
fn a_session_that_was_stolen_is_good_from_its_own_address_alone_where_that_is_wanted() {
    let elsewhere = [127, 0, 0, 2].into();
    for (policy, expected) in [("one_address = true\n", 604), ("", 200)] {
        let node = node(policy);
        let mut alice = xml(&node, "alice");
        alice.log_in("alice");
        let mut thief = xml(&node, "alice");
        (thief.session, thief.from) = (alice.session.clone(), Some(elsewhere));
        let update = "<UpdatePresence-Request><PresenceSubList><StatusText><Qualifier>T\
                      </Qualifier><PresenceValue>me</PresenceValue></StatusText>\
                      </PresenceSubList></UpdatePresence-Request>";
        let answer = thief.ask(read(thief.version, update));
        assert_eq!(status(&answer), expected, "{policy}");
        // It is not ended by that.
        assert_eq!(alice.send("wv:carol@village.test", "mine"), 200);
    }
}

#[test]
fn a_session_speaks_for_its_own_user_alone() {
    let node = node("");
    let (mut alice, mut carol) = (xml(&node, "alice"), xml(&node, "carol"));
    alice.log_in("alice");
    carol.log_in("carol");
    let message = "<SendMessage-Request><DeliveryReport>F</DeliveryReport><MessageInfo>\
         <ContentSize>2</ContentSize><Recipient><User><UserID>wv:carol@village.test</UserID></User>\
         </Recipient><Sender><User><UserID>wv:carol@village.test</UserID></User></Sender>\
         </MessageInfo><ContentData>me</ContentData></SendMessage-Request>";
    asks(&mut alice, message, &["<Code>200</Code>"]);
    let (_, info, _) = carol.wait_message();
    let sender = info.message.sender.unwrap().user.unwrap().user;
    assert_eq!(sender.as_str(), "wv:alice@village.test");
    let list = "<ContactList>wv:carol/mine@village.test</ContactList>";
    let create = format!("<CreateList-Request>{list}</CreateList-Request>");
    let answer = alice.ask(read(alice.version, &create));
    assert!(status(&answer) >= 400, "{answer:?}");
    let Primitive::GetListResponse(lists) = carol.ask(read(carol.version, "<GetList-Request/>"))
    else {
        panic!("no lists");
    };
    assert!(
        lists
            .lists
            .iter()
            .all(|list| !list.as_str().contains("mine"))
    );
    // Nor does it go on with another one's session.
    let stolen = LoginRequest {
        session: carol.session.clone(),
        ..login(&alice, &carol.client)
    };
    assert_eq!(code(&alice.try_login(stolen)), 422);
}

#[test]
fn whatever_wbxml_claims_or_grows_to_it_is_refused_and_the_node_goes_on() {
    let node = node("max_message = \"1MiB\"\n");
    let mut alice = xml(&node, "alice");
    alice.log_in("alice");
    let table = |text: &[u8], octets: &[u8]| {
        let mut size = Vec::new();
        let mut rest = text.len();
        size.push(u8::try_from(rest & 0x7F).unwrap());
        while rest > 0x7F {
            rest >>= 7;
            size.insert(0, u8::try_from(rest & 0x7F).unwrap() | 0x80);
        }
        [&[3, 0x10, 0x6A][..], &size, text, octets].concat()
    };
    let text = [&vec![b'a'; 60_000][..], &[0]].concat();
    // ContentData, and the same text of the table again and again: gigabytes of it.
    let expands = table(&text, &[&[0x4D][..], &[0x83, 0].repeat(480_000)].concat());
    assert!(expands.len() < 1 << 20);
    let (opaque, endless) = (
        [0x4D, 0xC3, 0x8F, 0xFF, 0xFF, 0x7F],
        [0x8F, 0xFF, 0xFF, 0x7F],
    );
    let switches = [0x00, 0x01].repeat(500_000);
    for (what, body, expected) in [
        ("a text that expands", expands, 413),
        ("an opaque longer than the body", table(&[], &opaque), 400),
        (
            "a string table without end",
            [&[3, 0x10, 0x6A][..], &endless, &[b'a'; 1000]].concat(),
            400,
        ),
        (
            "nothing but switches of the page",
            table(&[], &switches),
            400,
        ),
        ("nothing but beginnings", table(&[], &[0x6D; 1000]), 400),
    ] {
        let answer = alice.post_raw("application/vnd.wv.csp.wbxml", &body);
        assert_eq!(answer.status, expected, "{what}");
    }
    assert!(alice.poll().is_none());
}

#[test]
fn a_flood_of_pings_ends_its_own_channel_and_no_other() {
    let node = node("");
    let (mut alice, mut carol) = (xml(&node, "alice"), xml(&node, "carol"));
    alice.log_in("alice");
    carol.log_in("carol");
    let mut quiet = channel_of(&node, &mut alice);
    let mut flood = channel_of(&node, &mut carol);
    let _ = flood.write_all(&b"PING\r\n".repeat(1000));
    let mut answers = 0;
    let mut byte = [0];
    while let Ok(1) = flood.read(&mut byte) {
        answers += usize::from(byte == *b"\n");
    }
    assert!((1..=20).contains(&answers), "{answers}");
    quiet.write_all(b"PING\r\n").unwrap();
    assert_eq!(line(&mut quiet), "OK");
    // The session stays, and so does the way to it.
    assert_eq!(alice.send("wv:carol@village.test", "still there"), 200);
    assert_eq!(carol.wait_message().2, "still there");
    let mut again = channel_of(&node, &mut carol);
    again.write_all(b"PING\r\n").unwrap();
    assert_eq!(line(&mut again), "OK");
}

#[test]
fn a_phone_that_reads_nothing_on_its_channel_holds_up_nobody() {
    let node = node("");
    let (mut alice, mut carol) = (xml(&node, "alice"), xml(&node, "carol"));
    alice.log_in("alice");
    carol.log_in("carol");
    let unread = channel_of(&node, &mut carol);
    let mut channel = channel_of(&node, &mut alice);
    for number in 0..30 {
        let text = format!("message {number}");
        assert_eq!(alice.send("wv:carol@village.test", &text), 200);
        let (id, info, got) = carol.wait_message();
        assert_eq!(got, text);
        carol.delivered(&id, info.message.message_id.as_deref().unwrap());
    }
    assert_eq!(carol.send("wv:alice@village.test", "back"), 200);
    assert_eq!(line(&mut channel), "WVCI 1.2 cookie-alice");
    drop(unread);
}

#[test]
fn channels_that_only_stand_there_are_bounded_in_all_and_for_each_address() {
    for (bound_by, most) in [
        ("max_connections = 6\nmax_connections_per_address = 6\n", 6),
        ("max_connections_per_address = 4\n", 4),
    ] {
        let node = node(&format!("max_sessions_per_user = 8\n{bound_by}"));
        let mut phones: Vec<(Phone, TcpStream)> = (0..most)
            .map(|number| {
                let mut alice = xml(&node, "alice");
                alice.client = format!("phone {number}");
                alice.keeps = false;
                alice.log_in("alice");
                let channel = channel_of(&node, &mut alice);
                (alice, channel)
            })
            .collect();
        assert!(is_closed(&mut channel(&node)), "{bound_by}");
        // Those that stand, stand.
        for (_, channel) in &mut phones {
            channel.write_all(b"PING\r\n").unwrap();
            assert_eq!(line(channel), "OK");
        }
        // Once one has gone, its place is free.
        let (mut gone, channel) = phones.pop().unwrap();
        drop(channel);
        gone.log_out();
        let session = phones[0].0.session.clone().unwrap();
        let again = (0..PATIENCE.as_millis() / 50).find_map(|_| {
            let mut channel = self::channel(&node);
            write!(channel, "HELO {session}\r\n").ok()?;
            let mut said = [0; 4];
            if channel.read_exact(&mut said).is_ok() {
                return Some(said);
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
            None
        });
        assert_eq!(again.as_ref(), Some(b"OK\r\n"), "{bound_by}");
    }
}

#[test]
fn sessions_are_bounded_in_all_and_for_each_user() {
    let node = node("max_sessions = 3\nmax_sessions_per_user = 2\n");
    let (mut alice, mut carol) = (xml(&node, "alice"), xml(&node, "carol"));
    let enter = |phone: &mut Phone, client: &str| {
        let request = login(phone, client);
        code(&phone.try_login(request))
    };
    assert_eq!(enter(&mut alice, "one"), 200);
    assert_eq!(enter(&mut alice, "two"), 200);
    assert_eq!(enter(&mut alice, "three"), 503);
    // The same client takes its own place again.
    assert_eq!(enter(&mut alice, "two"), 200);
    assert_eq!(enter(&mut carol, "one"), 200);
    assert_eq!(enter(&mut carol, "two"), 503);
    let ended = crate::cli_node::said(&node.config, &["client", "disconnect", "alice"]);
    assert!(ended.contains("that were ended: 2"), "{ended}");
}

#[test]
fn a_phone_may_change_what_it_takes_also_where_its_user_has_no_room_for_more() {
    let node = node("max_sessions_per_user = 8\n");
    let mut all: Vec<Phone> = (0..8)
        .map(|number| {
            let mut alice = xml(&node, "alice");
            let request = login(&alice, &format!("phone {number}"));
            let answer = alice.try_login(request);
            assert_eq!(code(&answer), 200);
            alice.session = answer.session;
            alice
        })
        .collect();
    let last = all.last_mut().unwrap();
    let answer = last.ask(capabilities());
    assert!(matches!(answer, Primitive::ClientCapabilityResponse(_)));
    let mut carol = xml(&node, "carol");
    carol.log_in("carol");
    assert_eq!(carol.send("wv:alice@village.test", "for all"), 200);
    assert_eq!(all.last_mut().unwrap().wait_message().2, "for all");
}

#[test]
fn connections_are_bounded_for_each_address() {
    let node = node("max_connections_per_address = 5\n");
    let address = bound(&node, "clients");
    let mut held: Vec<TcpStream> = Vec::new();
    let refused = (0..20).find_map(|_| {
        let mut stream = TcpStream::connect(&address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let sent = stream.write_all(b"GET /wake/x HTTP/1.1\r\nHost: wv\r\n\r\n");
        let mut said = [0; 12];
        let answered = sent.is_ok() && stream.read_exact(&mut said).is_ok();
        if answered && &said == b"HTTP/1.1 404" {
            held.push(stream);
            return None;
        }
        Some(held.len())
    });
    assert_eq!(refused, Some(5));
    drop(held);
    let mut alice = xml(&node, "alice");
    let entered = (0..PATIENCE.as_millis() / 50).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(50));
        let mut stream = TcpStream::connect(&address).unwrap();
        let _ = stream.write_all(b"GET /wake/x HTTP/1.1\r\nHost: wv\r\nConnection: close\r\n\r\n");
        let mut said = [0; 12];
        stream.read_exact(&mut said).is_ok() && &said == b"HTTP/1.1 404"
    });
    assert!(entered);
    alice.log_in("alice");
}

#[test]
fn logins_that_are_checked_at_once_are_bounded_and_each_is_answered() {
    let node = node("max_failures = 1000\nmax_connections_per_address = 1000\n");
    let alice = xml(&node, "nobody");
    let request = LoginRequest {
        password: Some("wrong".to_owned()),
        ..alice.login_request()
    };
    let request = Primitive::LoginRequest(Box::new(request));
    let body = alice.written(vec![wvgate::csp::Transaction::new(
        wvgate::csp::Mode::Request,
        "1",
        request,
    )]);
    let head = format!(
        "POST / HTTP/1.1\r\nHost: wv\r\nContent-Type: application/vnd.wv.csp.xml\r\n\
         Connection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let whole = [head.as_bytes(), &body].concat();
    let streams: Vec<TcpStream> = (0..300)
        .map(|_| {
            let mut stream = TcpStream::connect(&alice.address).unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            stream.write_all(&whole).unwrap();
            stream
        })
        .collect();
    let (mut checked, mut refused) = (0, 0);
    for mut stream in streams {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        checked += usize::from(answer.contains("<Code>409</Code>"));
        refused += usize::from(answer.contains("<Code>503</Code>"));
    }
    assert_eq!(checked + refused, 300);
    assert!(checked >= 100, "{checked}");
    assert!(refused > 0);
}

#[test]
fn a_phone_that_never_comes_has_a_bounded_queue_and_others_do_not_suffer() {
    let folder = Folder::new();
    let data = folder.0.join("data");
    let config = folder.file(
        "node.toml",
        &format!(
            "[node]\ndomain = \"village.test\"\ndata = {data:?}\n\
             [ssp]\nlisten = \"127.0.0.1:0\"\nplain = true\n\
             [admin]\nlisten = \"127.0.0.1:0\"\n[home]\nmax_offline = 5\n\
             [[home.user]]\nname = \"alice\"\npassword = \"alice\"\n\
             [[home.user]]\nname = \"carol\"\npassword = \"carol\"\n\
             [[home.user]]\nname = \"dave\"\npassword = \"dave\"\n{CLIENTS}"
        ),
    );
    let node = Node::start_on(folder, config);
    let mut alice = xml(&node, "alice");
    let mut carol = phone(&node, "carol", Version::V1_1, Encoding::Wbxml);
    let mut dave = xml(&node, "dave");
    alice.log_in("alice");
    carol.log_in("carol");
    dave.log_in("dave");
    let mut texts = Vec::new();
    let refusal = (0..100).find_map(|number| {
        let text = format!("message {number}");
        let code = alice.send("wv:carol@village.test", &text);
        if code != 200 {
            return Some(code);
        }
        texts.push(text);
        None
    });
    assert_eq!((refusal, texts.len()), (Some(507), 5));
    assert_eq!(alice.send("wv:dave@village.test", "for you"), 200);
    assert_eq!(dave.wait_message().2, "for you");
    // What was taken is there when the phone comes in the end. What came with the answer to an
    // acknowledgement, which this phone does not look at, comes once more.
    let mut missing: BTreeSet<String> = texts.into_iter().collect();
    while !missing.is_empty() {
        let (id, info, got) = carol.wait_message();
        missing.remove(&got);
        carol.delivered(&id, info.message.message_id.as_deref().unwrap());
    }
    assert_eq!(alice.send("wv:carol@village.test", "once more"), 200);
    while carol.wait_message().2 != "once more" {}
}
