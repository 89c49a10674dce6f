use super::*;
use crate::imps::Code;
use proptest::prelude::*;

fn both() -> [&'static Translator; 2] {
    static BOTH: std::sync::LazyLock<[Translator; 2]> =
        std::sync::LazyLock::new(|| [names(), gateway()]);
    BOTH.each_ref()
}

fn names() -> Translator {
    let mut translator = Translator::new("home.example", &["village.example"]);
    translator.muc.push("conf2.home.example".to_owned());
    translator
}

fn gateway() -> Translator {
    Translator::new("home.example", &["imps.home.example"]).in_mode(Mode::Gateway)
}

fn jid(text: &str) -> Jid {
    Jid::new(text).unwrap()
}

#[test]
fn pairs_of_the_spec_map_in_both_directions() {
    for (translator, wv, xmpp) in [
        (names(), "wv:bob@village.example", "bob@village.example"),
        (names(), "wv:alice@home.example", "alice@home.example"),
        (
            names(),
            "wv:bob/party@village.example",
            r"bob\2fparty@village.example",
        ),
        (
            names(),
            "wv:/news@village.example",
            r"\2fnews@village.example",
        ),
        (
            names(),
            "wv:alice/club@home.example",
            r"alice\2fclub@conference.home.example",
        ),
        (
            names(),
            "wv:/club@home.example",
            "club@conference.home.example",
        ),
        (
            names(),
            "wv:/club%40conf2.home.example@home.example",
            "club@conf2.home.example",
        ),
        (
            names(),
            "wv:+358401234567@home.example",
            "+358401234567@home.example",
        ),
        (
            names(),
            "wv:a%40b@village.example",
            r"a\40b@village.example",
        ),
        (
            names(),
            "wv:%c3%a9t%c3%a9@village.example",
            "été@village.example",
        ),
        (
            names(),
            "wv:o'neill@village.example",
            r"o\27neill@village.example",
        ),
        (
            names(),
            "wv:bob@xn--bcher-kva.example",
            "bob@bücher.example",
        ),
        (names(), "wv:@village.example", "village.example"),
        (
            gateway(),
            "wv:bob@village.example",
            r"bob\40village.example@imps.home.example",
        ),
        (
            gateway(),
            "wv:bob/party@village.example",
            r"bob\2fparty\40village.example@imps.home.example",
        ),
        (gateway(), "wv:alice@home.example", "alice@home.example"),
        (
            gateway(),
            "wv:alice%25e.example@imps.home.example",
            "alice@e.example",
        ),
        (
            gateway(),
            "wv:a%2fb%25e.example@imps.home.example",
            r"a\2fb@e.example",
        ),
        (gateway(), "wv:@imps.home.example", "imps.home.example"),
        (
            gateway(),
            "wv:@village.example",
            r"\40village.example@imps.home.example",
        ),
    ] {
        assert_eq!(translator.jid(&Address::new(wv)).unwrap().as_str(), xmpp);
        assert_eq!(
            translator.address(&jid(xmpp)).unwrap().as_str(),
            wv,
            "{xmpp}"
        );
    }
}

#[test]
fn spellings_fold_together() {
    for (wv, xmpp) in [
        ("wv:BOB@Village.Example", "bob@village.example"),
        ("bob@village.example", "bob@village.example"),
        ("wv:b%6fb@village.example", "bob@village.example"),
        ("wv:+358-40 123.45(67)@village.example", "+3584012345 67@x"),
    ] {
        let Ok(found) = names().jid(&Address::new(wv)) else {
            panic!("{wv}");
        };
        if wv.starts_with("wv:+") {
            assert_eq!(found.as_str(), "+358401234567@village.example");
        } else {
            assert_eq!(found.as_str(), xmpp);
        }
    }
    let tilde = names().group(&jid("bob~party@village.example")).unwrap();
    assert_eq!(tilde.as_str(), "wv:bob/party@village.example");
    let user = names().address(&jid("bob~party@village.example")).unwrap();
    assert_eq!(user.as_str(), "wv:bob~party@village.example");
}

#[test]
fn what_cannot_be_written_is_refused() {
    for wv in [
        "wv:%20bob@village.example",
        "wv:bob",
        "a/b/c@village.example",
        "a/@v.example",
    ] {
        let refused = names().jid(&Address::new(wv)).unwrap_err();
        assert_eq!(refused.code(), Code::ADDRESS, "{wv}");
    }
    let unknown = gateway().jid(&Address::new("wv:bob@imps.home.example"));
    assert_eq!(unknown.unwrap_err().code(), Code::UNKNOWN_USER);
    let loops = gateway().address(&jid(r"al\40home.example@imps.home.example"));
    assert_eq!(loops.unwrap_err().code(), Code::UNKNOWN_USER);
}

#[test]
fn clients_become_resources() {
    let client = |url: &str, app: Option<&str>| ClientId {
        url: url.to_owned(),
        application: app.map(str::to_owned),
    };
    let resource = |c: ClientId| names().resource(&c).map(|r| r.to_string());
    assert_eq!(resource(client("laptop", None)).as_deref(), Some("laptop"));
    let url = "http://206.226.10.25:80/IMPSAPP";
    assert_eq!(resource(client(url, None)).as_deref(), Some(url));
    assert_eq!(
        resource(client("", Some("chess"))).as_deref(),
        Some("app-chess")
    );
    assert_eq!(resource(client("", None)), None);
    let hashed = resource(client("a\u{7}b", None)).unwrap();
    assert!(hashed.len() == 16 && hashed.bytes().all(|b| b.is_ascii_hexdigit()));
    let long = resource(client(&"x".repeat(2000), None)).unwrap();
    assert_eq!(long.len(), 16);

    let bob = User::new(Address::new("wv:bob@village.example"));
    assert_eq!(
        names().jid_of(&bob).unwrap().as_str(),
        "bob@village.example"
    );
    assert_eq!(
        names().jid_from(&bob).unwrap().as_str(),
        "bob@village.example/imps"
    );
    let alice = names().user(&jid("alice@home.example/laptop")).unwrap();
    assert_eq!(alice.client.as_ref().unwrap().url, "laptop");
    assert_eq!(
        names().jid_of(&alice).unwrap().as_str(),
        "alice@home.example/laptop"
    );
}

#[test]
fn long_nicknames_are_cut_between_characters() {
    assert_eq!(names().screen_name(" Ali\u{1} "), "Ali_");
    let cut = names().screen_name(&"é".repeat(40));
    assert_eq!(cut, "é".repeat(32));
}

fn part() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z0-9._%+\\\\~-]{1,12}",
        "[ -~]{1,12}",
        "[a-zé-ü@/% \\\\]{1,10}",
        "(\\\\(20|2f|5c|40)|a|@|%25|%){1,6}",
    ]
}

proptest! {
    #[test]
    fn nothing_panics(text in any::<String>(), domain in any::<String>()) {
        for translator in both() {
            let address = Address::new(&format!("{text}@{domain}"));
            let _ = translator.jid(&address);
            let _ = translator.jid(&Address::new(&text));
            if let Ok(jid) = Jid::new(&text) {
                let _ = (translator.address(&jid), translator.group(&jid));
            }
            let _ = translator.screen_name(&text);
        }
    }

    /// A WV address that has a JID gets back from it, up to percent-coding, when
    /// nothing but ASCII is in it (stringprep folds other characters).
    #[test]
    fn from_wv_and_back(
        user in prop_oneof![8 => part(), 1 => Just(String::new())],
        resource in proptest::option::of(part()),
        own in any::<bool>(),
    ) {
        for translator in both() {
            let table = &translator.mappings.addresses;
            let domain = if own { "home.example" } else { "village.example" };
            let user = percent_encode(&user, table);
            let address = match &resource {
                Some(r) => Address::resource_of(&user, &percent_encode(r, table), domain),
                None => Address::user(&user, domain),
            };
            let Ok(there) = translator.jid(&address) else { continue };
            let back = translator.address(&there.clone().into()).unwrap();
            prop_assert_eq!(translator.jid(&back).unwrap(), there);
            if address.as_str().is_ascii() && percent_decode(address.as_str()).is_ascii() {
                prop_assert_eq!(percent_decode(back.as_str()), percent_decode(address.as_str()));
            }
        }
    }

    /// A JID in the form that XEP-0106 gives gets back from its WV address, if it has one.
    #[test]
    fn from_xmpp_and_back(local in part(), which in 0usize..6) {
        for translator in both() {
            let table = &translator.mappings.addresses;
            let domain = ["home.example", "conference.home.example", "conf2.home.example", "e.example", "village.example", "imps.home.example"][which];
            let local = match domain {
                "imps.home.example" => format!("{local}@village.example"),
                _ => local.clone(),
            };
            let Ok(node) = NodePart::new(&escape(&local.to_lowercase(), table)).map(std::borrow::Cow::into_owned) else { continue };
            if escape(&unescape(node.as_str(), table), table) != node.as_str() { continue }
            let there: Jid = BareJid::from_parts(Some(&node), &DomainPart::new(domain).unwrap()).into();
            let Ok(address) = translator.address(&there) else { continue };
            prop_assert_eq!(translator.jid(&address).map(Jid::from), Ok(there));
        }
    }
}

#[test]
fn no_two_users_and_no_two_rooms_have_one_address() {
    let translator = names();
    // A plus that is percent-coded begins no phone number.
    for (wv, xmpp) in [
        ("wv:%2b0-@village.example", "+0-@village.example"),
        ("wv:%2b0-5@home.example", "+0-5@home.example"),
        ("wv:%2b1.2%20(x)@home.example", r"+1.2\20(x)@home.example"),
        ("wv:+05@home.example", "+05@home.example"),
    ] {
        assert_eq!(translator.jid(&Address::new(wv)).unwrap().as_str(), xmpp);
        assert_eq!(translator.address(&jid(xmpp)).unwrap().as_str(), wv);
    }
    let is_bad = |error: AddressError| error.code() == Code::ADDRESS;
    // The room of an owner, and one whose name looks like it.
    let looks = Address::new("wv:/alice%2fclub@home.example");
    assert!(translator.jid(&looks).is_err_and(is_bad));
    for xmpp in [
        // Its name looks like that of a room of a further service.
        r"a\40conf2.home.example@conference.home.example",
        // A group without a name.
        r"a\2f@village.example",
        "conference.home.example",
    ] {
        assert!(translator.address(&jid(xmpp)).is_err_and(is_bad), "{xmpp}");
    }
    let nameless = jid("bob~@village.example");
    assert!(translator.group(&nameless).is_err_and(is_bad));
}

#[test]
fn an_address_that_does_not_map_back_to_itself_is_malformed() {
    let translator = Translator::new("home.example", &["village.example"]);
    for local in [
        "ß",
        "\u{fb01}",
        "a\u{200b}b",
        "a\u{202e}b",
        "a\u{2066}b",
        "%C3%9F",
        "a\u{ad}b",
    ] {
        let address = Address::new(&format!("wv:{local}@village.example"));
        let error = translator.jid(&address).unwrap_err();
        assert_eq!(error.code(), Code::ADDRESS, "{local}");
    }
    for local in ["bob", "Bob", "bo%40b", "%C3%A9ric", "o'neil", "a\\\\b"] {
        let address = Address::new(&format!("wv:{local}@village.example"));
        let jid = translator.jid(&address).unwrap();
        let back = translator.address(&jid.clone().into()).unwrap();
        assert_eq!(translator.jid(&back).unwrap(), jid, "{local}");
    }
}

#[test]
fn a_jid_that_does_not_map_back_to_itself_is_malformed() {
    let translator = Translator::new("home.example", &["village.example"]);
    for (jid, fits) in [
        (r"a\5cb@village.example", false),
        (r"a\5c20b@village.example", true),
        (r"a\b@village.example", true),
        (r"bob\2fparty@village.example", true),
    ] {
        let read = translator.address(&Jid::new(jid).unwrap());
        assert_eq!(read.is_ok(), fits, "{jid}: {read:?}");
    }
}

#[test]
fn an_internationalised_component_is_known_in_both_forms() {
    for written in ["bücher.example", "xn--bcher-kva.example", "BÜCHER.example"] {
        let translator = Translator::new("home.example", &[written]);
        for asked in ["bücher.example", "xn--bcher-kva.example"] {
            let known = translator.component_named(asked);
            assert_eq!(known, Some("bücher.example"), "{written} {asked}");
        }
        let bob = Address::new("wv:bob@xn--bcher-kva.example");
        assert_eq!(translator.component_of(&bob), Some("bücher.example"));
        let jid = translator.jid(&bob).unwrap();
        assert_eq!(jid.as_str(), "bob@bücher.example");
        assert_eq!(translator.address(&jid.into()).unwrap(), bob);
        assert_eq!(translator.component_named("other.example"), None);
    }
}
