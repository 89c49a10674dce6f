//! What may stand once stands once: a relay that passes a primitive on as it came must not let
//! one reader see one sender, and the next reader another.

use bytes::Bytes;
use wvgate::imps::Primitive;
use wvgate::imps::primitive::facts;
use wvgate::imps::xml::{Forms, Limits, Malformed, Names, Shape};
use wvgate::ssp::Message;
use wvgate::ssp::envelope::{Transaction, scan};

fn around(primitive: &str) -> String {
    format!(
        "<WV-SSP-Message><Session sessionID='1@a.test'><Transaction mode='Request' transactionID='1'>{primitive}</Transaction></Session></WV-SSP-Message>"
    )
}

fn fault(body: String) -> Option<Malformed> {
    scan(&Bytes::from(body), &Limits::default()).err()
}

fn fault_in(primitive: &str) -> Option<Malformed> {
    fault(around(primitive))
}

/// Tries each child of each known element below `path`; gives how many may stand once.
fn try_all(path: &mut Vec<&'static str>, shape: &'static Shape) -> usize {
    let mut once = 0;
    for part in shape.parts() {
        let first = part.elements[0].names[0];
        for known in part.elements {
            for name in known.names {
                let within = |inner: &str| {
                    let open: String = path.iter().map(|name| format!("<{name}>")).collect();
                    let close: String =
                        path.iter().rev().map(|name| format!("</{name}>")).collect();
                    fault_in(&format!("{open}{inner}{close}"))
                };
                assert_eq!(within(&format!("<{first}/>")), None, "{path:?} {first}");
                let twice = [
                    within(&format!("<{first}/><{name}/>")),
                    within(&format!(
                        "<{first}>x</{first}><y/><z:{0}></z:{0}>",
                        name.to_uppercase()
                    )),
                ];
                let expected = part.once.then_some(Malformed::Twice(known.names[0]));
                assert_eq!(
                    twice,
                    [expected.clone(), expected],
                    "{path:?} {first} {name}"
                );
                once += usize::from(part.once);
            }
            path.push(known.names[0]);
            once += try_all(path, known.shape);
            path.pop();
        }
    }
    once
}

#[test]
fn what_may_stand_once_stands_once_in_each_primitive() {
    let mut once = 0;
    for name in Primitive::NAMES {
        let facts = facts(name).unwrap();
        once += try_all(&mut vec![facts.name], facts.shape);
    }
    assert!(once > 700, "only {once} were tried");
}

/// Written by hand, so that a slip in the tables is seen.
#[test]
fn nobody_speaks_for_two() {
    let own = "<User userID='wv:a@a.test'/>";
    let foreign = "<User userID='wv:x@x.test'/>";
    let meta = |users: &str| {
        format!(
            "<MetaInfo clientOriginated='Yes'><Requestor serviceID='wv:@a.test'>{users}</Requestor></MetaInfo>"
        )
    };
    let info = |sender: &str| {
        format!(
            "<MessageInfo messageID='1'><Recipient><User userID='wv:b@b.test'/></Recipient>{sender}</MessageInfo>"
        )
    };
    let sender = |users: &str| format!("<Sender>{users}</Sender>");
    let message = |inner: &str| format!("<SendMessageRequest>{inner}</SendMessageRequest>");
    let good = message(&(meta(own) + &info(&sender(own))));
    assert_eq!(fault_in(&good), None);
    let group = "<GroupID groupID='wv:x/g@x.test'/>";
    let two = format!("{own}{foreign}");
    for (primitive, second) in [
        (message(&(meta(&two) + &info(&sender(own)))), "User"),
        (
            message(&(meta(own) + &meta(foreign) + &info(&sender(own)))),
            "MetaInfo",
        ),
        (
            message(&(meta(own) + &info(&sender(own)) + &info(&sender(foreign)))),
            "MessageInfo",
        ),
        (message(&(meta(own) + &info(&sender(&two)))), "User"),
        (
            message(&(meta(own) + &info(&(sender(own) + &sender(foreign))))),
            "Sender",
        ),
        (
            message(&meta(own).replace(
                "</Requestor>",
                "</Requestor><Requestor serviceID='wv:@x.test'/>",
            )),
            "Requestor",
        ),
        (
            message(&info(&format!("<Recipient>{own}{group}</Recipient>"))),
            "GroupID",
        ),
        (
            format!(
                "<InviteRequest><Inviting>{own}</Inviting><Inviting>{foreign}</Inviting></InviteRequest>"
            ),
            "Inviting",
        ),
        (
            format!("<InviteRequest><Invited>{two}</Invited></InviteRequest>"),
            "User",
        ),
        (
            format!("<InviteResponse><Responding>{two}</Responding></InviteResponse>"),
            "User",
        ),
        (
            format!(
                "<CancelInviteRequest><Canceling>{own}</Canceling><canceling>{foreign}</canceling></CancelInviteRequest>"
            ),
            "Canceling",
        ),
        (
            format!("<PresenceAuthRequest>{two}</PresenceAuthRequest>"),
            "User",
        ),
        // What no table knows.
        (
            format!("<Unheard>{}{}</Unheard>", meta(own), meta(foreign)),
            "MetaInfo",
        ),
        (
            format!(
                "<Unheard>{}</Unheard>",
                info(&(sender(own) + &sender(foreign)))
            ),
            "Sender",
        ),
    ] {
        assert_eq!(
            fault_in(&primitive),
            Some(Malformed::Twice(second)),
            "{primitive}"
        );
        let hidden = primitive.replace(
            "<User userID='wv:x",
            "<!-- --><![CDATA[ ]]><p:uSER userID='wv:x",
        );
        assert_eq!(
            fault_in(&hidden),
            Some(Malformed::Twice(second)),
            "{hidden}"
        );
    }
}

#[test]
fn two_spellings_of_an_attribute_must_agree() {
    let users = |attributes: &str| {
        format!("<DetailedResult code='531'><UserID {attributes}/></DetailedResult>")
    };
    let status = |attributes: &str| format!("<Status code='201'>{}</Status>", users(attributes));
    assert_eq!(
        fault_in(&status("userID='wv:a@a.test' userid='wv:a@a.test'")),
        None
    );
    let other = status("userID='wv:a@a.test' userid='wv:x@x.test'");
    assert_eq!(fault_in(&other), Some(Malformed::Twice("userID")));
    // The one with another prefix is not passed on.
    let body = around("<DeleteGroupRequest groupID='wv:a/g@a.test' x:groupID='wv:x/g@x.test'/>");
    let Ok(Message::Session(session)) = scan(&Bytes::from(body), &Limits::default()) else {
        panic!("refused")
    };
    let raw = std::str::from_utf8(&session.transactions[0].raw).unwrap();
    assert_eq!(raw, "<DeleteGroupRequest groupID=\"wv:a/g@a.test\"/>");
}

#[test]
fn a_transaction_holds_one_primitive_and_a_message_one_session() {
    let status = "<Status code='200'/>";
    assert_eq!(fault_in(status), None);
    let two = fault_in(&format!("{status}{status}"));
    assert_eq!(
        two,
        Some(Malformed::Envelope(
            "more than one primitive in a transaction"
        ))
    );
    let body = around(status);
    for second in ["<Session sessionID='2@a.test'/>", "<Other/>"] {
        let two = body.replace("</WV-SSP-Message>", &format!("{second}</WV-SSP-Message>"));
        let expected = Malformed::Envelope("more than one element in WV-SSP-Message");
        assert_eq!(fault(two), Some(expected));
    }
}

#[test]
fn names_of_a_dialect_make_no_second_one() {
    let body = around(
        "<DeleteGroupRequest groupID='wv:a/g@a.test'><MetaInfo/><Wer/></DeleteGroupRequest>",
    );
    let Ok(Message::Session(session)) = scan(&Bytes::from(body), &Limits::default()) else {
        panic!("refused")
    };
    let names = Names {
        elements: [("Wer".to_owned(), "MetaInfo".to_owned())].into(),
        ..Names::default()
    };
    let transaction: &Transaction = &session.transactions[0];
    assert_eq!(
        transaction.renamed(&names, &Forms::default()),
        Err(Malformed::Twice("MetaInfo"))
    );
}
