//! Contact lists in the pretended world.

mod expansion;
mod lists;

use super::*;
use crate::ssp::envelope::decode_fragment;

/// A request of a user of this domain, written with `META` where it says who asks; its answer.
pub(super) fn ask(world: &mut World, user: &str, xml: &str) -> Primitive {
    let meta = format!(
        r#"<MetaInfo><Requestor serviceID="wv:@home.test"><User userID="wv:{user}@home.test"/></Requestor></MetaInfo>"#
    );
    let primitive = decode_fragment(xml.replace("META", &meta).as_bytes()).unwrap();
    let user = format!("{user}@home.test");
    world.deliver(HOME, Some(&user), primitive).unwrap()
}

/// The code of the answer.
pub(super) fn code(world: &mut World, user: &str, xml: &str) -> u16 {
    ask(world, user, xml).verdict().unwrap().code.0
}

/// A list of alice's with members.
pub(super) fn make(world: &mut World, name: &str, members: &[&str]) {
    let members = members
        .iter()
        .map(|m| format!(r#"<NickName userID="wv:{m}"/>"#));
    let members: String = members.collect();
    let create = format!(
        r#"<CreateListRequest contactListID="wv:alice/{name}@home.test">META<NickList>{members}</NickList></CreateListRequest>"#
    );
    assert_eq!(code(world, "alice", &create), 200);
}

/// Who is on a list of alice's.
pub(super) fn members(world: &mut World, name: &str) -> Vec<String> {
    let read = format!(
        r#"<ListManageRequest contactListID="wv:alice/{name}@home.test" receiveList="Yes">META</ListManageRequest>"#
    );
    match ask(world, "alice", &read) {
        Primitive::ListManageResponse(list) => {
            let members = list.members.unwrap_or_default().into_iter();
            members
                .map(|member| member.user.bare().to_owned())
                .collect()
        }
        other => panic!("{other:?}"),
    }
}

pub(super) fn delete(name: &str) -> String {
    format!(
        r#"<DeleteListRequest contactListID="wv:alice/{name}@home.test">META</DeleteListRequest>"#
    )
}

pub(super) fn manage(name: &str, change: &str) -> String {
    format!(
        r#"<ListManageRequest contactListID="wv:alice/{name}@home.test" receiveList="Yes">META{change}</ListManageRequest>"#
    )
}
