//! Whom the user hears: the block list and the grant list.

use crate::csp;
use crate::csp::primitive::access as client;
use crate::imps::Primitive;
use crate::imps::common::{ContactList, GroupId, ScreenName, UserId};
use crate::imps::primitive::access::{
    BlockEntityRequest, EntityChanges, EntityList, GetBlockedListRequest,
};

use super::answers::failure;
use super::contact_list;
use super::terms::Terms;

pub(super) fn get(terms: &Terms) -> Primitive {
    GetBlockedListRequest { meta: terms.meta() }.into()
}

pub(super) fn got(answer: &Primitive) -> csp::Primitive {
    let Primitive::GetBlockedListResponse(response) = answer else {
        return failure(answer);
    };
    if !response.status.code.is_success() {
        return failure(answer);
    }
    let list = |list: &EntityList| client::EntityList {
        in_use: list.in_use,
        entities: Some(entities(list)),
        add: None,
        remove: None,
    };
    csp::Primitive::GetBlockedListResponse(Box::new(client::GetBlockedListResponse {
        lists: client::Lists {
            blocked: response.blocked.as_ref().map(list),
            granted: response.granted.as_ref().map(list),
        },
    }))
}

pub(super) fn change(request: &client::BlockEntityRequest, terms: &Terms) -> Primitive {
    let changes = |list: &client::EntityList| {
        // A list as a whole is put on the one there is: nobody is let in by what is not said.
        let add = list.add.as_ref().or(list.entities.as_ref());
        EntityChanges {
            in_use: list.in_use,
            add: add.map(|add| entity_list(add, terms)),
            remove: list.remove.as_ref().map(|one| entity_list(one, terms)),
        }
    };
    BlockEntityRequest {
        meta: terms.meta(),
        blocked: request.lists.blocked.as_ref().map(changes),
        granted: request.lists.granted.as_ref().map(changes),
    }
    .into()
}

fn entities(list: &EntityList) -> client::Entities {
    client::Entities {
        users: list.users.iter().map(|id| id.user.clone()).collect(),
        screen_names: list.screen_names.clone(),
        groups: list.groups.iter().map(|id| id.group.clone()).collect(),
        lists: list.lists.iter().map(|one| one.list.clone()).collect(),
        applications: Vec::new(),
    }
}

/// Entities as a client names them. Applications have no word in the other protocol.
pub(super) fn entity_list(entities: &client::Entities, terms: &Terms) -> EntityList {
    let users = entities.users.iter().map(|user| terms.address(user));
    let groups = entities.groups.iter().map(|group| terms.address(group));
    let names = entities.screen_names.iter().map(|name| ScreenName {
        group: terms.address(&name.group),
        name: name.name.clone(),
    });
    let lists = entities.lists.iter();
    let lists = lists.map(|list| contact_list::address(list, terms));
    EntityList {
        in_use: None,
        users: users.map(|user| UserId { user }).collect(),
        screen_names: names.collect(),
        groups: groups.map(|group| GroupId { group }).collect(),
        lists: lists.map(|list| ContactList { list }).collect(),
    }
}
