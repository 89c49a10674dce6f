//! Two-way and four-way logins in a pretended time.

use std::net::{IpAddr, Ipv4Addr};

use super::*;
use crate::client::settings::PlainLogin;
use crate::client::tests::settings;
use crate::csp::primitive::digest::Schemas;
use crate::imps::common::ClientId;

const HOME: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn request(user: &str) -> LoginRequest {
    LoginRequest {
        user: Address::new(user),
        client: Some(ClientId {
            url: "phone".to_owned(),
            application: None,
        }),
        application: None,
        password: None,
        digest: None,
        schemas: Schemas(vec!["SHA".to_owned(), "MD5".to_owned()]),
        session: None,
        time_to_live: None,
        cookie: Some("cookie".to_owned()),
        responses: None,
        functions: None,
        capabilities: None,
    }
}

fn with_password(user: &str, password: &str) -> LoginRequest {
    LoginRequest {
        password: Some(password.to_owned()),
        ..request(user)
    }
}

fn logins(plain_login: PlainLogin, digest_login: bool) -> Logins {
    Logins::new(Arc::new(Settings {
        plain_login,
        digest_login,
        ..settings()
    }))
}

fn begin(logins: &mut Logins, request: &LoginRequest, tls: bool) -> Begun {
    let origin = Origin {
        address: HOME,
        tls,
        number: None,
    };
    logins.begin(request, Version::V1_2, &origin, "nonce".to_owned(), Time(0))
}

fn code(begun: &Begun) -> u16 {
    match begun {
        Begun::Answered(response) => response.result.status.code.0,
        Begun::Check(claim) => panic!("{claim:?}"),
    }
}

#[test]
fn a_password_is_checked_where_it_may_come_as_it_is() {
    for (plain, tls, taken) in [
        (PlainLogin::Always, false, true),
        (PlainLogin::Tls, true, true),
        (PlainLogin::Tls, false, false),
        (PlainLogin::Never, true, false),
    ] {
        let mut logins = logins(plain, false);
        let begun = begin(&mut logins, &with_password("wv:Bob@VILLAGE.test", "x"), tls);
        if !taken {
            assert_eq!(code(&begun), 403);
            continue;
        }
        let Begun::Check(claim) = begun else {
            panic!("{begun:?}");
        };
        assert_eq!(claim.user, "bob");
        assert!(claim.proof == Proof::Password("x".to_owned()));
        assert!(!format!("{claim:?}").contains('x'));
    }
}

#[test]
fn a_user_is_named_with_or_without_scheme_and_domain() {
    for (name, user) in [
        ("bob", Some("bob")),
        ("wv:bob", Some("bob")),
        ("bob@village.test", Some("bob")),
        ("wv:BOB@village.test", Some("bob")),
        ("wv:bob@elsewhere.test", None),
        ("", None),
    ] {
        let mut logins = logins(PlainLogin::Always, false);
        match begin(&mut logins, &with_password(name, "x"), false) {
            Begun::Check(claim) => assert_eq!(Some(&*claim.user), user, "{name}"),
            answered @ Begun::Answered(_) => {
                assert_eq!((code(&answered), user), (409, None), "{name}");
            }
        }
    }
}

#[test]
fn a_digest_answers_a_challenge_once() {
    let mut logins = logins(PlainLogin::Never, true);
    let Begun::Answered(challenge) = begin(&mut logins, &request("bob"), false) else {
        panic!("no challenge");
    };
    assert_eq!(challenge.result.status.code, Code::OK);
    assert_eq!(challenge.schema.as_deref(), Some("MD5"));
    assert_eq!(challenge.nonce.as_deref(), Some("nonce"));
    assert_eq!(challenge.session, None);
    // MD5("noncesecret")
    let answer = LoginRequest {
        digest: Some("lMrHtKCAXjd79SEhRPVyCA==".to_owned()),
        ..request("bob")
    };
    let Begun::Check(claim) = begin(&mut logins, &answer, false) else {
        panic!("not checked");
    };
    assert!(!claim.proof.is_of("another"));
    // The same again is no answer to anything: the client is challenged anew.
    let Begun::Answered(again) = begin(&mut logins, &answer, false) else {
        panic!("the digest was taken twice");
    };
    assert_eq!(again.result.status.code, Code::UNAUTHORIZED);
    assert!(again.nonce.is_some());
    // Another client does not answer it.
    let other = LoginRequest {
        cookie: Some("other".to_owned()),
        ..answer
    };
    assert_eq!(code(&begin(&mut logins, &other, false)), 401);
}

#[test]
fn who_cannot_be_challenged_hears_that() {
    let of = |names: &[&str]| LoginRequest {
        schemas: Schemas(names.iter().map(|name| (*name).to_owned()).collect()),
        ..request("bob")
    };
    let mut with = logins(PlainLogin::Tls, true);
    assert_eq!(code(&begin(&mut with, &of(&["PWD", "MD4"]), false)), 543);
    // A password where none may come: the client is moved to a digest.
    let moved = begin(&mut with, &with_password("bob", "x"), false);
    assert_eq!(code(&moved), 401);
    let mut without = logins(PlainLogin::Tls, false);
    assert_eq!(code(&begin(&mut without, &request("bob"), true)), 543);
}

#[test]
fn who_fails_too_often_is_not_heard_for_a_while() {
    let mut logins = logins(PlainLogin::Always, true);
    let origin = Origin {
        address: HOME,
        tls: false,
        number: None,
    };
    let request = with_password("bob", "wrong");
    for time in 1..=settings().max_failures {
        let (status, locked) = logins.failed("bob", &origin, Time(0));
        assert_eq!(status.code.0, 409);
        assert_eq!(locked, time == settings().max_failures);
    }
    assert_eq!(code(&begin(&mut logins, &request, false)), 403);
    assert!(matches!(
        begin(&mut logins, &with_password("amy", "x"), false),
        Begun::Check(_)
    ));
}

#[test]
fn who_comes_from_the_number_of_a_user_is_that_user() {
    let numbers = [("bob".to_owned(), "15550100".to_owned())];
    let mut logins = Logins::new(Arc::new(Settings {
        numbers: numbers.into(),
        ..settings()
    }));
    let mut from = |request: &LoginRequest, number: Option<&str>| {
        let origin = Origin {
            address: HOME,
            tls: false,
            number: number.map(str::to_owned),
        };
        logins.begin(request, Version::V1_2, &origin, "nonce".to_owned(), Time(0))
    };
    let Begun::Check(claim) = from(&request("bob"), Some("15550100")) else {
        panic!("no claim");
    };
    assert!(claim.user == "bob" && claim.proof == Proof::Number);
    // Another number, none, or that of somebody else: as anybody.
    for (user, number) in [
        ("bob", Some("15550101")),
        ("bob", None),
        ("amy", Some("15550100")),
    ] {
        assert!(matches!(from(&request(user), number), Begun::Answered(_)));
    }
    assert!(matches!(from(&request("amy"), None), Begun::Answered(_)));
    // A password is held against the user's, whoever vouches.
    let Begun::Check(claim) = from(&with_password("bob", "x"), Some("15550100")) else {
        panic!("no claim");
    };
    assert!(claim.proof == Proof::Password("x".to_owned()));
}

#[test]
fn what_is_too_long_is_refused() {
    let mut logins = logins(PlainLogin::Always, true);
    let long = with_password("bob", &"x".repeat(MAX_TEXT + 1));
    assert_eq!(code(&begin(&mut logins, &long, false)), 402);
}

#[test]
fn a_login_in_words_needs_what_one_with_a_password_needs() {
    let words = |logins: &mut Logins, user: &str, tls: bool| {
        let origin = Origin {
            address: HOME,
            tls,
            number: None,
        };
        let said = logins.in_words(&Address::new(user), "secret".to_owned(), &origin, Time(0));
        said.map(|claim| claim.user).map_err(|status| status.code.0)
    };
    let bob = Ok("bob".to_owned());
    let mut over_tls = logins(PlainLogin::Tls, true);
    assert_eq!(words(&mut over_tls, "Bob", true), bob);
    assert_eq!(words(&mut over_tls, "bob", false), Err(403));
    assert_eq!(
        words(&mut logins(PlainLogin::Never, true), "bob", true),
        Err(403)
    );
    let mut always = logins(PlainLogin::Always, false);
    assert_eq!(words(&mut always, "bob@village.test", false), bob);
    for stranger in ["bob@b.test", "", "b b"] {
        assert_eq!(words(&mut always, stranger, false), Err(409), "{stranger}");
    }
    let origin = Origin {
        address: HOME,
        tls: false,
        number: None,
    };
    for _ in 0..settings().max_failures {
        always.failed("bob", &origin, Time(0));
    }
    // Whichever way they failed, nobody comes in for a while.
    assert_eq!(words(&mut always, "bob", false), Err(403));
    assert_eq!(
        code(&begin(&mut always, &with_password("bob", "x"), false)),
        403
    );
}
