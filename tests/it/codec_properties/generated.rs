//! Generated primitives arrive as they were.

use super::*;

fn text() -> impl Strategy<Value = String> {
    let c = prop_oneof![
        4 => proptest::char::range(' ', '~'),
        1 => proptest::sample::select(vec![
            '<', '>', '&', '"', '\'', ']', '\r', '\n', '\t', '\u{1}', '\u{fffe}', '\u{ffff}',
            '\u{7f}', '\u{85}', '\u{a0}', '\u{2028}', '\u{feff}', 'é', '日', '\u{1f600}',
        ]),
        1 => any::<char>(),
    ];
    proptest::collection::vec(c, 0..24).prop_map(|chars| chars.into_iter().collect())
}

/// What arrives of an attribute's value: all but the characters XML cannot carry.
fn carried(text: &str) -> String {
    text.chars()
        .filter(|c| {
            (*c >= ' ' || matches!(c, '\t' | '\n' | '\r')) && !matches!(c, '\u{fffe}' | '\u{ffff}')
        })
        .collect()
}

/// What arrives of a text: the same, without white space at its ends.
fn trimmed(text: &str) -> String {
    carried(text)
        .trim_matches([' ', '\t', '\n', '\r'])
        .to_owned()
}

/// Generated values are made of texts as they arrive, so that the comparison
/// can be exact; `texts_arrive_but_for_…` holds for all others.
fn attribute() -> impl Strategy<Value = String> {
    text().prop_map(|text| carried(&text))
}

fn content() -> impl Strategy<Value = String> {
    text().prop_map(|text| trimmed(&text))
}

fn address() -> impl Strategy<Value = Address> {
    text().prop_map(|text| Address::new(&carried(&text)))
}

fn user() -> impl Strategy<Value = User> {
    (address(), proptest::option::of(attribute())).prop_map(|(user, friendly_name)| User {
        friendly_name,
        ..User::new(user)
    })
}

fn meta() -> impl Strategy<Value = Option<MetaInfo>> {
    let meta = (
        any::<Option<bool>>(),
        address(),
        proptest::option::of(user()),
    )
        .prop_map(|(client_originated, service, user)| MetaInfo {
            client_originated,
            requestor: wvgate::imps::common::Requestor { service, user },
        });
    proptest::option::of(meta)
}

fn status() -> impl Strategy<Value = Status> {
    (
        any::<u16>(),
        proptest::option::of(content()),
        proptest::collection::vec(address(), 0..3),
    )
        .prop_map(|(code, description, users)| Status {
            description,
            ..Status::of_users(3, users.into_iter().map(|u| (Code(code), u)).collect())
        })
}

fn time() -> impl Strategy<Value = DateTime> {
    // The years 0 to 9999, which the form can tell.
    (-62_167_219_200_i64..253_402_300_800).prop_map(DateTime)
}

fn screen_name() -> impl Strategy<Value = ScreenName> {
    (address(), content()).prop_map(|(group, name)| ScreenName { group, name })
}

fn info() -> impl Strategy<Value = MessageInfo> {
    let recipient = prop_oneof![
        user().prop_map(Recipient::User),
        address().prop_map(|group| Recipient::Group(GroupId { group })),
        screen_name().prop_map(Recipient::ScreenName),
    ];
    let recipients = proptest::collection::vec(recipient, 0..4);
    let sender = user().prop_map(Sender::user);
    (
        proptest::option::of(attribute()),
        proptest::option::of(attribute()),
        any::<Option<u64>>(),
        recipients,
        proptest::option::of(sender),
        proptest::option::of(time()),
    )
        .prop_map(
            |(message_id, content_type, size, recipients, sender, date_time)| MessageInfo {
                message_id,
                uri: None,
                content_type,
                content_name: None,
                content_size: size,
                validity: size,
                recipients,
                recipient_display: None,
                sender,
                date_time,
            },
        )
}

fn presence_list() -> impl Strategy<Value = PresenceSubList> {
    let name = proptest::sample::select(vec![
        AttributeName::OnlineStatus,
        AttributeName::StatusText,
        AttributeName::Other("Weather".into()),
    ]);
    let field = ("[A-Za-z_][A-Za-z0-9._-]{0,8}", content(), attribute())
        .prop_filter("the qualifier is no field", |(name, ..)| {
            name != "Qualifier"
        })
        .prop_map(|(name, text, value)| Item {
            attributes: vec![("x".into(), value)],
            children: vec![Item::text("Inner", text.clone())],
            ..Item::text(&name, text)
        });
    let attribute = (
        name,
        any::<Option<bool>>(),
        proptest::collection::vec(field, 0..3),
    )
        .prop_map(|(name, qualifier, fields)| Attribute {
            name,
            qualifier,
            fields,
        });
    proptest::collection::vec(attribute, 0..4).prop_map(|attributes| PresenceSubList { attributes })
}

fn values() -> impl Strategy<Value = Vec<PresenceValue>> {
    let value = (address(), proptest::option::of(presence_list()))
        .prop_map(|(user, presence)| PresenceValue { user, presence });
    proptest::collection::vec(value, 0..3)
}

fn primitives() -> impl Strategy<Value = Primitive> {
    let bytes = || proptest::collection::vec(any::<u8>(), 0..40);
    let users = || proptest::collection::vec(address().prop_map(|user| UserId { user }), 0..4);
    let data = (attribute(), bytes()).prop_map(|(content_type, bytes)| ContentData {
        content_type,
        bytes,
    });
    prop_oneof![
        (any::<bool>(), meta(), info(), proptest::option::of(data)).prop_map(
            |(delivery_report, meta, info, content)| {
                message::SendMessageRequest {
                    delivery_report,
                    meta,
                    info,
                    content,
                }
                .into()
            }
        ),
        (attribute(), status()).prop_map(|(message_id, status)| {
            message::SendMessageResponse { message_id, status }.into()
        }),
        (meta(), status(), proptest::option::of(time()), info()).prop_map(
            |(meta, status, time, info)| {
                let result = message::DeliveryResult { status };
                message::DeliveryStatusReport {
                    meta,
                    result,
                    time,
                    info,
                }
                .into()
            }
        ),
        (meta(), users()).prop_map(|(meta, users)| {
            presence::SubscribeRequest {
                meta,
                users,
                attributes: None,
            }
            .into()
        }),
        (meta(), users())
            .prop_map(|(meta, users)| presence::UnsubscribeRequest { meta, users }.into()),
        (meta(), proptest::collection::vec(user(), 0..3), values()).prop_map(
            |(meta, watchers, values)| {
                presence::PresenceNotification {
                    meta,
                    watchers,
                    values,
                }
                .into()
            }
        ),
        (meta(), address(), proptest::option::of(attribute())).prop_map(|(meta, user, version)| {
            let users = vec![VerUserId { user, version }];
            presence::GetPresenceRequest {
                meta,
                users,
                attributes: None,
            }
            .into()
        }),
        (proptest::option::of(status()), values()).prop_map(|(status, values)| {
            presence::GetPresenceResponse { status, values }.into()
        }),
        (address(), bytes()).prop_map(|(service, mut token)| {
            token.push(b'x');
            let token = session::Token(token);
            session::SendSecretToken {
                service,
                protocol: None,
                version: None,
                token,
            }
            .into()
        }),
        (address(), any::<Option<u32>>(), bytes()).prop_map(|(service, time_to_live, digest)| {
            let digest = session::Digest(digest);
            session::LoginRequest {
                service,
                time_to_live,
                digest,
            }
            .into()
        }),
        (
            proptest::option::of(attribute()),
            any::<Option<u32>>(),
            status()
        )
            .prop_map(|(session, time_to_live, status)| {
                session::LoginResponse {
                    session,
                    time_to_live,
                    status,
                    redirects: None,
                }
                .into()
            }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..Default::default() })]

    #[test]
    fn typed_primitives_arrive_as_they_were(value in primitives(), id in attribute()) {
        let sent = Transaction::new(Mode::Request, id, &value);
        prop_assert_eq!(&decode_fragment(&sent.raw).unwrap(), &value);
        let raw = std::str::from_utf8(&sent.raw).unwrap();
        let printed = wvgate::ssp::envelope::print_session(
            "ns", "1@a", [(sent.mode, sent.id.as_str(), raw)],
        );
        // Setup primitives have no business in a session, but the same envelope around them.
        let message = scan(&Bytes::from(printed), &Limits::default()).unwrap();
        let (session, parts) = transactions(&message);
        prop_assert_eq!(session, Some("1@a"));
        if sent.id.is_empty() {
            prop_assert!(parts.is_empty());
        } else {
            prop_assert_eq!(parts, vec![&sent]);
        }
    }

    #[test]
    fn texts_arrive_but_for_outer_white_space_and_characters_xml_lacks(
        id in text(), description in text(),
    ) {
        let status = Status::new(Code::OK).because(description.clone());
        let value = message::SendMessageResponse { message_id: id.clone(), status };
        let printed = Primitive::from(value).to_xml(None);
        let Primitive::SendMessageResponse(read) = decode_fragment(printed.as_bytes()).unwrap()
        else { panic!("another primitive") };
        prop_assert_eq!(read.message_id, carried(&id));
        prop_assert_eq!(read.status.description, Some(trimmed(&description)));
    }

    #[test]
    fn no_bytes_make_a_reader_panic(data in proptest::collection::vec(any::<u8>(), 0..200)) {
        check::envelope(&data);
        check::repair(&data);
    }
}
