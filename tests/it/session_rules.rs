//! The rules of sessions and of time (wire profile, 6, 7.5, 8.1 and 11.1): one relay in pretend
//! time between scripted peers.

mod addresses;
mod answers;
mod crowded;
mod ending;
mod flood;
mod hold;
mod life;
mod reach;
mod redirects;
mod room;
mod troubles;
mod visit;

use std::sync::Arc;

use wvgate::imps::{Primitive, Status};
use wvgate::sap::{Dialect, Peer, Post, Posted, Settings, Verdict};
use wvgate::ssp::Mode;
use wvgate::ssp::envelope::{Transaction, print_session, print_setup};

use super::support::alone::{Alone, only, quiet};
use super::support::peer::digest;

const TOKEN: &str = "48406d74545dda1838edc3b20c9e8e99";

/// r.test between these peers, which speak our own way.
fn settings(peers: &[&str]) -> Settings {
    let peers = peers.iter().map(|domain| Peer::new(domain, quiet()));
    peers.fold(Settings::new("r.test"), Settings::with_peer)
}

/// a.test — r.test — b.test, with a session on either side.
fn relay() -> Alone {
    let mut relay = Alone::new(settings(&["a.test", "b.test"]));
    log_in(&mut relay, "1", "a.test");
    log_in(&mut relay, "1", "b.test");
    relay
}

fn token(mode: Mode, id: &str, domain: &str) -> String {
    let content = format!(
        "<SendSecretToken serviceID=\"wv:@{domain}\"><SecretToken>{TOKEN}</SecretToken></SendSecretToken>"
    );
    print_setup("x", mode, id, &content)
}

fn login(mode: Mode, id: &str, domain: &str, over: &str, ttl: u32) -> String {
    let content = format!(
        "<LoginRequest serviceID=\"wv:@{domain}\" timeToLive=\"{ttl}\"><PasswordDigest encoding=\"base64\">{}</PasswordDigest></LoginRequest>",
        digest(over)
    );
    print_setup("x", mode, id, &content)
}

fn logged_in(mode: Mode, id: &str, session: &str, ttl: u32) -> String {
    let content = format!(
        "<LoginResponse sessionID=\"{session}\" timeToLive=\"{ttl}\"><Status code=\"200\"/></LoginResponse>"
    );
    print_setup("x", mode, id, &content)
}

/// A peer opens the session `ID@DOMAIN`. Ours.
fn log_in(relay: &mut Alone, id: &str, domain: &str) -> String {
    log_in_for(relay, id, domain, 86_400)
}

/// ... announcing this time to live.
fn log_in_for(relay: &mut Alone, id: &str, domain: &str, ttl: u32) -> String {
    assert_eq!(
        relay.say(&token(Mode::Request, id, domain)),
        Verdict::Accepted
    );
    relay.pass(300);
    let step2 = to(relay, domain);
    let over = secret(&step2);
    let step3 = login(Mode::Request, id, domain, &over, ttl);
    assert_eq!(relay.say(&step3), Verdict::Accepted);
    to(relay, domain);
    let step5 = logged_in(Mode::Request, id, &format!("{id}@{domain}"), ttl);
    assert_eq!(relay.say(&step5), Verdict::Accepted);
    let step6 = only(&to(relay, domain)).primitive().unwrap();
    let Primitive::LoginResponse(step6) = step6 else {
        panic!("{step6:?}")
    };
    step6.session.unwrap()
}

fn secret(post: &Post) -> String {
    match only(post).primitive() {
        Ok(Primitive::SendSecretToken(token)) => String::from_utf8(token.token.0).unwrap(),
        other => panic!("{other:?}"),
    }
}

/// A peer answers the login of ours whose first step this is. Its session `ID@DOMAIN`.
fn be_logged_in(relay: &mut Alone, step1: &Post, id: &str) {
    let domain = step1.peer.clone();
    let (n, over) = (only(step1).id, secret(step1));
    assert_eq!(
        relay.say(&token(Mode::Response, id, &domain)),
        Verdict::Accepted
    );
    to(relay, &domain);
    let step4 = login(Mode::Response, &n, &domain, &over, 86_400);
    assert_eq!(relay.say(&step4), Verdict::Accepted);
    to(relay, &domain);
    let session = format!("{id}@{domain}");
    let step6 = logged_in(Mode::Response, &n, &session, 86_400);
    assert_eq!(relay.say(&step6), Verdict::Accepted);
}

/// The next post to a peer, which acknowledges it.
fn to(relay: &mut Alone, peer: &str) -> Post {
    let post = under_way(relay, peer);
    relay.posted(&post, &Posted::Acknowledged);
    post
}

/// A peer takes everything that was posted to it.
fn take_all(relay: &mut Alone, peer: &str) {
    while relay.posts.iter().any(|post| post.peer == peer) {
        to(relay, peer);
    }
}

/// The next post to a peer, whose fate is open.
fn under_way(relay: &mut Alone, peer: &str) -> Post {
    let at = relay.posts.iter().position(|post| post.peer == peer);
    let at = at.unwrap_or_else(|| panic!("nothing for {peer}: {:#?}", names(relay)));
    relay.posts.remove(at)
}

/// What was posted and not yet looked at.
fn names(relay: &Alone) -> Vec<(String, String)> {
    let posts = relay.posts.iter();
    posts
        .map(|post| (post.peer.clone(), only(post).name.to_string()))
        .collect()
}

/// Says something in the session `1@DOMAIN`.
fn say(relay: &mut Alone, domain: &str, mode: Mode, id: &str, content: &str) -> Verdict {
    say_in(relay, &format!("1@{domain}"), mode, id, content)
}

fn say_in(relay: &mut Alone, session: &str, mode: Mode, id: &str, content: &str) -> Verdict {
    relay.say(&print_session("x", session, [(mode, id, content)]))
}

/// Alice of a.test writes to bob of b.test; the relay's transaction towards b.test.
fn write(relay: &mut Alone, id: &str, validity: u32) -> Transaction {
    assert_eq!(
        say(relay, "a.test", Mode::Request, id, &message(id, validity)),
        Verdict::Accepted
    );
    only(&to(relay, "b.test"))
}

fn message(id: &str, validity: u32) -> String {
    format!(
        "<SendMessageRequest deliveryReport=\"Yes\">{}<MessageInfo messageID=\"{id}\" contentType=\"text/plain\" validity=\"{validity}\"><Recipient><User userID=\"wv:bob@b.test\"/></Recipient><Sender><User userID=\"wv:alice@a.test\"/></Sender></MessageInfo><ContentData contentType=\"text/plain\" encoding=\"base64\">aGk=</ContentData></SendMessageRequest>",
        alice()
    )
}

fn subscribe() -> String {
    format!(
        "<SubscribeRequest>{}<UserID userID=\"wv:bob@b.test\"/></SubscribeRequest>",
        alice()
    )
}

fn alice() -> &'static str {
    "<MetaInfo clientOriginated=\"Yes\"><Requestor serviceID=\"wv:@a.test\"><User userID=\"wv:alice@a.test\"/></Requestor></MetaInfo>"
}

fn taken(id: &str, code: u16, more: &str) -> String {
    format!(
        "<SendMessageResponse messageID=\"{id}\"><Status code=\"{code}\">{more}</Status></SendMessageResponse>"
    )
}

/// What a post says in response: to which id, and its status.
fn answer(post: &Post) -> (String, Status) {
    let transaction = only(post);
    assert_eq!(transaction.mode, Mode::Response, "{transaction:?}");
    let primitive = transaction.primitive().unwrap();
    let status = primitive.verdict().unwrap().clone();
    (transaction.id, status)
}

/// The relay's answer to a.test.
fn answered(relay: &mut Alone) -> (String, u16) {
    let (id, status) = answer(&to(relay, "a.test"));
    (id, status.code.0)
}

fn sessions(relay: &Alone, domain: &str) -> Vec<String> {
    let views = relay.sap.session_views().into_iter();
    views
        .filter(|view| view.peer == domain)
        .map(|view| view.peer_id.as_str().to_owned())
        .collect()
}

fn records(relay: &Alone, prefix: &str) -> usize {
    let keys = relay.disk.keys();
    keys.filter(|key| key.starts_with(prefix)).count()
}

/// Our own way, but for something.
fn but(change: impl FnOnce(&mut Dialect)) -> Arc<Dialect> {
    let mut dialect = quiet().as_ref().clone();
    change(&mut dialect);
    Arc::new(dialect)
}
