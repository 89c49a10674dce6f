//! Files that users share, from `/share` in the chat to their end, with the real program.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::Value;

use crate::cli_node::{Node, free_port, with_input, wvgate};

/// A node that keeps files, and the port where it serves them.
fn node(more: &str) -> (Node, u16) {
    let port = free_port();
    let content = format!(
        "[content]\nurl = \"http://127.0.0.1:{port}/\"\nlisten = \"127.0.0.1:{port}\"\n{more}"
    );
    (Node::start_with(&content), port)
}

/// Status and body of what is at a URL.
pub(crate) fn fetch(port: u16, url: &str) -> (String, Vec<u8>) {
    let path = url.split_once(&format!(":{port}")).unwrap().1;
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap();
    let status = String::from_utf8_lossy(&answer[9..12]).into_owned();
    (status, answer[end + 4..].to_vec())
}

/// What alice's chat says to this input.
fn alice(node: &Node, input: &str) -> String {
    let mut command = wvgate(&node.config);
    command
        .args(["chat", "alice"])
        .env("WVGATE_PASSWORD", "alice");
    let output = with_input(command, input);
    String::from_utf8(output.stdout).unwrap()
}

/// What stands in an attribute of an invitation.
fn attribute(event: &Value, name: &str) -> String {
    let xml = event["xml"].as_str().unwrap();
    let start = xml.find(&format!("{name}=\"")).expect(xml) + name.len() + 2;
    let rest = &xml[start..];
    rest[..rest.find('"').unwrap()].to_owned()
}

#[test]
fn a_file_is_shared_with_a_user_survives_a_crash_and_ends_with_its_invitation() {
    let (mut node, port) = node("");
    let mut picture: Vec<u8> = (0..200_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    picture[..8].copy_from_slice(b"\x89PNG\r\n\x1a\n");
    let file = node.folder.0.join("cat.png");
    std::fs::write(&file, &picture).unwrap();
    let said = alice(&node, &format!("/share {} carol Look\n", file.display()));
    assert!(said.contains("* done: share carol@village.test"), "{said}");

    node.crash_and_restart();
    let mut carol = node.chat("carol");
    let invitation = carol.wait("invitation", |_| true);
    assert!(
        invitation["xml"].as_str().unwrap().contains("Look"),
        "{invitation}"
    );
    let url = attribute(&invitation, "url");
    assert!(url.ends_with("/cat.png"), "{url}");
    assert_eq!(fetch(port, &url), ("200".to_owned(), picture));

    let id = attribute(&invitation, "inviteID");
    let mut alice = node.chat("alice");
    alice.request(&format!(
        "<CancelInviteRequest inviteID=\"{id}\"><MetaInfo clientOriginated=\"Yes\">\
         <Requestor serviceID=\"wv:@village.test\"><User userID=\"wv:alice@village.test\"/>\
         </Requestor></MetaInfo><Canceled><User userID=\"wv:carol@village.test\"/></Canceled>\
         </CancelInviteRequest>"
    ));
    alice.wait("answer", |_| true);
    let withdrawn = carol.wait("invitation", |event| {
        event["xml"]
            .as_str()
            .unwrap()
            .starts_with("<CancelInviteRequest")
    });
    assert_eq!(attribute(&withdrawn, "url"), url);
    assert_eq!(fetch(port, &url).0, "404");
}

#[test]
fn what_cannot_be_shared_is_said_in_the_chat() {
    let (node, _) = node("max_size = \"1KiB\"\n");
    let write = |name: &str, bytes: usize| {
        let file = node.folder.0.join(name);
        std::fs::write(&file, "x".repeat(bytes)).unwrap();
        file.display().to_string()
    };
    let (large, page) = (write("large.png", 1025), write("page.html", 10));
    for (input, expected) in [
        (
            format!("/share {large} carol\n"),
            "a file has 1 to 1024 bytes",
        ),
        (
            format!("/share {page} carol\n"),
            "files of type text/html are not shared here",
        ),
        ("/share /no/such/file carol\n".to_owned(), "cannot be read"),
        ("/share\n".to_owned(), "write /share FILE ADDRESS"),
    ] {
        let said = alice(&node, &input);
        assert!(said.contains(expected), "{input}: {said}");
    }
    let without = Node::start();
    let said = alice(&without, &format!("/share {page} carol\n"));
    assert!(said.contains("keeps no shared files"), "{said}");
}
