use super::*;

fn arrival(id: &str, content: &[u8]) -> Arrival {
    Arrival {
        id: id.to_owned(),
        sender: Address::new("a@b"),
        until: Time(1),
        blocked: None,
        waiting: Some(Letter::of(&body(content), Time(0), None, false)),
    }
}

fn body(content: &[u8]) -> Body {
    Body {
        name: None,
        content_type: "text/plain".to_owned(),
        content: content.to_vec(),
        uri: None,
        content_name: None,
    }
}

#[test]
fn counts_follow_what_comes_and_goes() {
    let mut inbox = Inbox::default();
    let named = 1 + "wv:a@b".len() + "text/plain".len();
    inbox.insert(1, arrival("1", b"abc"));
    inbox.insert(2, arrival("2", b"de"));
    assert_eq!((inbox.waiting(), inbox.bytes()), (2, 5 + 2 * named));
    assert_eq!(inbox.waiting_of("b"), (2, 5 + 2 * named));
    assert_eq!(inbox.next(0).map(|(number, _)| number), Some(1));
    assert_eq!(inbox.take(1).unwrap().size, 3);
    assert!(inbox.take(1).is_none());
    assert_eq!(
        (inbox.waiting(), inbox.bytes(), inbox.remembered()),
        (1, 2 + named, 1)
    );
    assert!(inbox.knows(&Address::new("a@b"), "1"));
    inbox.remove(1);
    inbox.remove(2);
    assert!(!inbox.knows(&Address::new("a@b"), "1"));
    assert_eq!(
        (inbox.waiting(), inbox.bytes(), inbox.remembered()),
        (0, 0, 0)
    );
    assert_eq!(inbox.waiting_of("b"), (0, 0));
    assert!(inbox.of_domain.is_empty() && inbox.remembered.is_empty());
}

#[test]
fn a_copy_lives_until_everybody_was_told() {
    let mut inbox = Inbox::default();
    for number in 1..=3 {
        inbox.insert(number, arrival(&number.to_string(), b"abc"));
    }
    let letter = inbox.take(2).unwrap();
    inbox.copy(2, letter);
    assert_eq!((inbox.waiting(), inbox.copies().0), (2, 1));
    let numbers = |inbox: &Inbox| {
        let mut from = 0;
        let mut all = Vec::new();
        while let Some((number, _)) = inbox.next(from) {
            all.push(number);
            from = number + 1;
        }
        all
    };
    assert_eq!(numbers(&inbox), [1, 2, 3]);
    assert_eq!(inbox.forget_copy(2), None);
    assert_eq!(inbox.forget_copy(3), Some(2));
    assert_eq!(inbox.forget_copy(3), None);
    assert_eq!(inbox.copies(), (0, 0));
    assert_eq!(numbers(&inbox), [1, 3]);
}

#[test]
fn a_flood_of_one_domain_does_not_displace_what_is_remembered_of_another() {
    let mut inbox = Inbox::default();
    for number in 0..5 {
        let mut trace = arrival(&number.to_string(), b"");
        trace.waiting = None;
        if number == 0 {
            trace.sender = Address::new("honest@far");
        }
        inbox.insert(number, trace);
    }
    for expected in [1, 2, 3] {
        assert_eq!(inbox.first_remembered(), Some(expected));
        inbox.remove(expected);
    }
    assert!(inbox.knows(&Address::new("honest@far"), "0"));
}

#[test]
fn an_arrival_survives_its_record() {
    let arrival = arrival("1", &[0, 255, 7]);
    let record = serde_json::to_vec(&arrival).unwrap();
    assert_eq!(serde_json::from_slice::<Arrival>(&record).unwrap(), arrival);
}

#[test]
fn a_record_of_an_older_version_has_the_body_in_it() {
    let record = br#"{"id":"1","sender":"wv:a@b","until":1,"waiting":{"name":"Al","content_type":"text/plain","content":"AP8H","arrived":0,"report":true}}"#;
    let arrival = serde_json::from_slice::<Arrival>(record).unwrap();
    let letter = arrival.waiting.unwrap();
    assert!(letter.has_body);
    let body = Body {
        name: Some("Al".to_owned()),
        ..body(&[0, 255, 7])
    };
    assert_eq!((letter.size, letter.bytes), (3, body.bytes()));
    assert_eq!(Arrival::body_of(record).unwrap(), body);
    let broken = br#"{"id":"1","sender":"wv:a@b","until":1,"waiting":{"content_type":"text/plain","content":"?","arrived":0,"report":true}}"#;
    assert!(serde_json::from_slice::<Arrival>(broken).is_err());
}
