//! Users of another home domain to whom this domain provides presence, contact lists and messages.

use super::*;
use crate::imps::primitive::message_store::MessageDelivered;
use crate::sap::{PseTable, ServiceSet};

/// The home domain whose users are guests.
const BRANCH: &str = "branch.test";
const GINA: &str = "gina@branch.test";
const ZOE: &str = "zoe@far.test";

/// Provides these to users of the other home domain.
fn world(names: &[&str]) -> World {
    let mut pse = PseTable::default();
    for name in names {
        pse.add(ServiceSet::named(name).unwrap(), BRANCH, HOME);
    }
    let mut world = World::with(|settings| settings.pse = pse);
    world.add("alice");
    world
}

fn presence_and_messages() -> World {
    world(&["PresenceFeat", "ContactListFeat", "IMFeat"])
}

/// What gina asks, in XML with `META` for who asks; the answer.
fn gina(world: &mut World, xml: &str) -> Primitive {
    asked_by(world, GINA, xml)
}

fn asked_by(world: &mut World, user: &str, xml: &str) -> Primitive {
    let domain = address(user).domain().to_owned();
    let meta = format!(
        r#"<MetaInfo><Requestor serviceID="wv:@{domain}"><User userID="wv:{user}"/></Requestor></MetaInfo>"#
    );
    let request = decode_fragment(xml.replace("META", &meta).as_bytes()).unwrap();
    let answer = world.deliver(&domain, Some(user), request);
    answer.unwrap_or_else(|| panic!("no answer to {xml}"))
}

fn code(answer: &Primitive) -> u16 {
    answer.verdict().unwrap().code.0
}

/// Tells a value of gina's presence.
fn tell(world: &mut World, name: &str, value: &str) -> u16 {
    let xml = format!(
        r#"<UpdatePresenceRequest>META<PresenceValue userID="wv:{GINA}"><PresenceSubList><{name}><Qualifier>T</Qualifier><PresenceValue>{value}</PresenceValue></{name}></PresenceSubList></PresenceValue></UpdatePresenceRequest>"#
    );
    code(&gina(world, &xml))
}

fn subscribe(world: &mut World, to: &str) -> u16 {
    let xml = format!(r#"<SubscribeRequest>META<UserID userID="wv:{to}"/></SubscribeRequest>"#);
    code(&asked_by(world, ZOE, &xml))
}

/// How messages come to gina; by that she is there.
fn deliver_by(world: &mut World, method: &str) {
    let xml = format!(
        r#"<SetDeliveryMethodRequest deliveryMethod="{method}">META</SetDeliveryMethodRequest>"#
    );
    assert_eq!(code(&gina(world, &xml)), 200);
}

fn message(world: &mut World, id: &str) -> u16 {
    let mut request = text(id, ZOE, &[GINA], id);
    request.delivery_report = true;
    let answer = world.deliver("far.test", Some(ZOE), request).unwrap();
    answer.verdict().unwrap().effective().0
}

/// The ids of messages that were handed over since this was last asked.
fn handed_over(world: &mut World) -> Vec<String> {
    let mut ids = Vec::new();
    for primitive in world.sent() {
        if let Primitive::NewMessage(message) = primitive {
            ids.push(message.info.message_id.unwrap());
        }
    }
    ids
}

/// The home domain has given the oldest message to a client.
fn take(world: &mut World, id: &str) {
    let delivered = MessageDelivered {
        message_id: id.to_owned(),
        meta: None,
    };
    world.answer("NewMessage", delivered);
}

/// What was said to zoe of what became of her messages.
fn reports(world: &mut World) -> Vec<(String, u16)> {
    let reports = world
        .sent()
        .into_iter()
        .filter_map(|primitive| match primitive {
            Primitive::DeliveryStatusReport(report) => {
                Some((report.info.message_id.unwrap(), report.result.status.code.0))
            }
            _ => None,
        });
    reports.collect()
}

#[test]
fn only_what_the_service_table_says_is_provided_to_users_of_others() {
    let mut world = world(&["ContactListFeat"]);
    assert_eq!(
        code(&gina(&mut world, "<GetListRequest>META</GetListRequest>")),
        200
    );
    assert_eq!(tell(&mut world, "StatusText", "here"), 501);
    let foreign = "<GetListRequest>META</GetListRequest>";
    assert_eq!(code(&asked_by(&mut world, ZOE, foreign)), 501);
    // A guest is no user of the domain: neither listed, nor let in, nor found.
    assert_eq!(world.home.names().all().collect::<Vec<_>>(), ["alice"]);
    assert_eq!(world.home.password_hash(GINA), None);
    let mut clients = world.home.clients(START);
    let opened = clients.open(ClientKey(1), GINA, Takes::Everything, Delivery::default());
    assert_eq!(opened, Err(UserError::Unknown(GINA.to_owned())));
}

#[test]
fn the_presence_of_a_guest_is_kept_here_and_shown_to_whom_the_guest_allows() {
    let mut world = presence_and_messages();
    assert_eq!(subscribe(&mut world, GINA), 531);
    assert_eq!(tell(&mut world, "OnlineStatus", "T"), 200);
    assert_eq!(tell(&mut world, "StatusText", "at sea"), 200);
    assert_eq!(subscribe(&mut world, GINA), 200);
    // The guest's home domain asks them.
    let question = decode_fragment(
        format!(
            r#"<PresenceAuthRequest userID="wv:{ZOE}"><MetaInfo clientOriginated="No"><Requestor serviceID="wv:@{HOME}"/></MetaInfo><User userID="wv:{GINA}"/></PresenceAuthRequest>"#
        )
        .as_bytes(),
    );
    assert!(world.sent().contains(&question.unwrap()));
    world.restart();
    let allow = format!(
        r#"<PresenceAuthUserRequest userID="wv:{ZOE}" acceptance="Yes">META</PresenceAuthUserRequest>"#
    );
    assert_eq!(code(&gina(&mut world, &allow)), 200);
    let told = world.sent().remove(0).to_xml(None);
    assert!(
        told.contains(&format!(r#"<PresenceValue userID="wv:{GINA}">"#)),
        "{told}"
    );
    assert!(told.contains("at sea"), "{told}");
    tell(&mut world, "OnlineStatus", "F");
    let told = world.sent().remove(0).to_xml(None);
    assert!(
        told.contains("<OnlineStatus><Qualifier>T</Qualifier><PresenceValue>F<"),
        "{told}"
    );
    let watchers = gina(
        &mut world,
        "<GetWatcherListRequest>META</GetWatcherListRequest>",
    );
    assert!(watchers.to_xml(None).contains(ZOE), "{watchers:?}");
}

#[test]
fn a_guest_who_comes_is_asked_what_they_have_not_decided() {
    let mut world = presence_and_messages();
    tell(&mut world, "OnlineStatus", "F");
    subscribe(&mut world, GINA);
    let is_asked = |world: &mut World| {
        let mut sent = world.sent().into_iter();
        sent.any(|primitive| matches!(primitive, Primitive::PresenceAuthRequest(_)))
    };
    assert!(!is_asked(&mut world));
    world.restart();
    tell(&mut world, "OnlineStatus", "T");
    assert!(is_asked(&mut world));
}

#[test]
fn contact_lists_of_a_guest_have_the_address_of_the_guest_and_survive_a_restart() {
    let mut world = presence_and_messages();
    let create = format!(
        r#"<CreateListRequest contactListID="wv:gina/friends@{BRANCH}">META<NickList><NickName name="Zo" userID="wv:{ZOE}"/></NickList></CreateListRequest>"#
    );
    assert_eq!(code(&gina(&mut world, &create)), 200);
    assert_eq!(code(&gina(&mut world, &create.replace(BRANCH, HOME))), 901);
    world.restart();
    let manage = format!(
        r#"<ListManageRequest contactListID="wv:gina/friends@{BRANCH}" receiveList="Yes">META</ListManageRequest>"#
    );
    let members = gina(&mut world, &manage).to_xml(None);
    assert!(
        members.contains(r#"name="Zo" userID="wv:zoe@far.test""#),
        "{members}"
    );
    // Who is on it sees the guest's presence.
    tell(&mut world, "StatusText", "at sea");
    subscribe(&mut world, GINA);
    assert!(world.sent().remove(0).to_xml(None).contains("at sea"));
}

#[test]
fn messages_for_a_guest_wait_until_the_home_domain_says_that_somebody_has_them() {
    let mut world = presence_and_messages();
    assert_eq!(message(&mut world, "m0"), 531);
    deliver_by(&mut world, "P");
    assert_eq!(message(&mut world, "m1"), 200);
    assert!(matches!(&world.outbox[..], [(_, Primitive::NewMessage(_))]));
    take(&mut world, "m1");
    assert_eq!(reports(&mut world), [("m1".to_owned(), 200)]);
    // Nobody is there: it waits, over a restart, until somebody is.
    message(&mut world, "m2");
    world.answer("NewMessage", Status::new(Code::OFFLINE));
    message(&mut world, "m3");
    assert_eq!(world.sent(), []);
    world.restart();
    deliver_by(&mut world, "P");
    assert_eq!(handed_over(&mut world), ["m2", "m3"]);
    // No answer in time: it is not handed over again by itself, and the answer may come late.
    deliver_by(&mut world, "P");
    world.answer("NewMessage", Status::new(Code::TIMEOUT));
    let late = r#"<MessageDelivered messageID="m2">META</MessageDelivered>"#;
    assert_eq!(code(&gina(&mut world, late)), 200);
    world.answer("NewMessage", Status::new(Code::REJECTED));
    let expected = [("m2".to_owned(), 200), ("m3".to_owned(), 538)];
    assert_eq!(reports(&mut world), expected);
    let list = gina(
        &mut world,
        "<GetMessageListRequest>META</GetMessageListRequest>",
    );
    assert!(!list.to_xml(None).contains("<MessageInfo"), "{list:?}");
}

#[test]
fn a_guest_who_wants_it_is_told_that_messages_wait_and_fetches_rejects_and_forwards_them() {
    let mut world = presence_and_messages();
    deliver_by(&mut world, "N");
    for id in ["m1", "m2", "m3"] {
        message(&mut world, id);
        let notice = world.outbox.last().unwrap().1.to_xml(None);
        assert!(notice.starts_with("<MessageNotification>"), "{notice}");
        world.answer("MessageNotification", Status::ok());
    }
    let fetched = gina(
        &mut world,
        r#"<GetMessageRequest messageID="m1">META</GetMessageRequest>"#,
    );
    assert!(fetched.to_xml(None).contains("<ContentData"), "{fetched:?}");
    let has = r#"<MessageDelivered messageID="m1">META</MessageDelivered>"#;
    assert_eq!(code(&gina(&mut world, has)), 200);
    assert_eq!(code(&gina(&mut world, has)), 426);
    let reject = r#"<RejectMessageRequest>META<MessageID messageID="m2"/></RejectMessageRequest>"#;
    assert_eq!(code(&gina(&mut world, reject)), 200);
    let expected = [("m1".to_owned(), 200), ("m2".to_owned(), 538)];
    assert_eq!(reports(&mut world), expected);
    // It is sent on as the guest's own.
    let forward = format!(
        r#"<ForwardMessageRequest messageID="m3"><MetaInfo><Requestor serviceID="wv:@{BRANCH}"><User userID="wv:{GINA}"/></Requestor></MetaInfo><Recipient><User userID="wv:bob@b.test"/></Recipient></ForwardMessageRequest>"#
    );
    let forward = decode_fragment(forward.as_bytes()).unwrap();
    assert_eq!(world.deliver(BRANCH, Some(GINA), forward), None);
    let Primitive::SendMessageRequest(sent) = &world.outbox[0].1 else {
        panic!("{:?}", world.outbox);
    };
    let meta = sent.meta.as_ref().unwrap();
    assert_eq!(meta.requestor.service, Address::service(BRANCH));
    assert_eq!(meta.user().unwrap().user, address(GINA));
}

#[test]
fn whom_a_guest_blocks_does_not_reach_them() {
    let mut world = presence_and_messages();
    deliver_by(&mut world, "P");
    let block = format!(
        r#"<BlockEntityRequest>META<BlockList><AddList><UserID userID="wv:{ZOE}"/></AddList></BlockList></BlockEntityRequest>"#
    );
    assert_eq!(code(&gina(&mut world, &block)), 200);
    assert_eq!(message(&mut world, "m1"), 200);
    assert_eq!(world.sent(), []);
}

#[test]
fn guests_and_users_have_room_together() {
    let mut world = presence_and_messages();
    let most = world.home.names().all().count() + 1;
    world.home.core.settings.max_users = most;
    let lists = "<GetListRequest>META</GetListRequest>";
    assert_eq!(code(&gina(&mut world, lists)), 200);
    let another = asked_by(&mut world, "greg@branch.test", lists);
    assert_eq!(code(&another), 507);
    assert_eq!(code(&gina(&mut world, lists)), 200);
}
