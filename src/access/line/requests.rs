//! What a user can ask, as primitives of that user.

use crate::imps::Primitive;
use crate::imps::address::{Address, Kind};
use crate::imps::common::{
    AttributeList, ContactList, ContentData, GroupId, MessageId, MessageInfo, MetaInfo,
    PresenceValue, Property, Recipient, ScreenName, User, UserId, VerUserId,
};
use crate::imps::presence::{Attribute, AttributeName, PresenceSubList};
use crate::imps::primitive::access::{
    BlockEntityRequest, EntityChanges, EntityList, GetBlockedListRequest,
};
use crate::imps::primitive::common::{Id, IdList, VerifyIDRequest};
use crate::imps::primitive::contact_list::{
    CreateListRequest, DeleteListRequest, GetListRequest, ListManageRequest, NickName,
};
use crate::imps::primitive::message::SendMessageRequest;
use crate::imps::primitive::message_store::{
    ForwardMessageRequest, GetMessageListRequest, GetMessageRequest, RejectMessageRequest,
    SetDeliveryMethodRequest,
};
use crate::imps::primitive::presence::{GetPresenceRequest, SubscribeRequest, UnsubscribeRequest};
use crate::imps::primitive::presence_admin::{
    CancelAuthRequest, CreateAttributeListRequest, DeleteAttributeListRequest,
    GetAttributeListRequest, GetReactiveAuthStatusRequest, GetWatcherListRequest,
    PresenceAuthUserRequest, UpdatePresenceRequest,
};

/// The two lists that say who may reach the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Listing {
    Block,
    Grant,
}

/// Makes requests of one user.
pub(crate) struct Requests {
    user: Address,
}

impl Requests {
    pub(crate) fn of(user: Address) -> Self {
        Self { user }
    }

    /// Whose requests they are.
    pub(super) fn user(&self) -> &Address {
        &self.user
    }

    /// An address as it was typed, with the user's domain where it names none.
    pub(crate) fn address(&self, typed: &str) -> Address {
        Address::new(typed).or_domain(self.user.domain())
    }

    /// The address of a contact list of the user, as it was typed.
    pub(super) fn contact_list(&self, typed: &str) -> Address {
        let typed = Address::new(typed);
        match typed.resource_part() {
            Some(_) => typed.or_domain(self.user.domain()),
            None => Address::resource_of(self.user.user_part(), typed.bare(), self.user.domain()),
        }
    }

    /// A text for all who are on a contact list.
    pub(super) fn message_to_list(&self, list: Address, text: &str, report: bool) -> Primitive {
        let recipient = Recipient::ContactList(ContactList { list });
        self.text(recipient, text, report, None)
    }

    /// A text. Without an id the domain makes one up.
    pub(crate) fn message(
        &self,
        to: Address,
        text: &str,
        report: bool,
        id: Option<String>,
    ) -> Primitive {
        self.text(recipient(to), text, report, id)
    }

    fn text(
        &self,
        recipient: Recipient,
        text: &str,
        report: bool,
        id: Option<String>,
    ) -> Primitive {
        SendMessageRequest {
            delivery_report: report,
            meta: self.meta(),
            info: MessageInfo {
                message_id: id,
                uri: None,
                content_type: None,
                content_name: None,
                content_size: None,
                validity: None,
                recipients: vec![recipient],
                recipient_display: None,
                sender: None,
                date_time: None,
            },
            content: Some(ContentData::text(text)),
        }
        .into()
    }

    /// Which messages wait.
    pub(super) fn messages(&self) -> Primitive {
        GetMessageListRequest {
            count: None,
            group: None,
            meta: self.meta(),
        }
        .into()
    }

    /// Which messages a group has kept, the last of them.
    pub(super) fn history(&self, group: Address, most: u32) -> Primitive {
        GetMessageListRequest {
            count: Some(most),
            group: Some(group),
            meta: self.meta(),
        }
        .into()
    }

    /// A message that a group has kept.
    pub(super) fn fetch_of(&self, group: Address, message_id: String) -> Primitive {
        GetMessageRequest {
            message_id,
            group: Some(group),
            meta: self.meta(),
        }
        .into()
    }

    pub(super) fn fetch(&self, message_id: String) -> Primitive {
        GetMessageRequest {
            message_id,
            group: None,
            meta: self.meta(),
        }
        .into()
    }

    pub(super) fn reject(&self, id: String) -> Primitive {
        RejectMessageRequest {
            meta: self.meta(),
            messages: vec![MessageId { id }],
        }
        .into()
    }

    pub(super) fn forward(&self, message_id: String, to: Address) -> Primitive {
        ForwardMessageRequest {
            message_id,
            meta: self.meta(),
            recipients: vec![recipient(to)],
            sender: None,
        }
        .into()
    }

    /// `P` or `N`, and how many bytes are pushed at most; nothing leaves that as it is.
    pub(super) fn delivery(&self, method: &str, most: Option<u64>) -> Primitive {
        SetDeliveryMethodRequest {
            method: method.to_owned(),
            content_length: most,
            group: None,
            meta: self.meta(),
        }
        .into()
    }

    /// The contact list, after somebody was put on it or taken off, if anybody.
    pub(crate) fn contacts(&self, add: Option<NickName>, remove: Option<Address>) -> Primitive {
        match (add, remove) {
            (None, None) => self.members(self.contact_list("contacts")),
            (add, remove) => self.change_members(self.contact_list("contacts"), add, remove),
        }
    }

    /// Which contact lists there are.
    pub(super) fn lists(&self) -> Primitive {
        GetListRequest { meta: self.meta() }.into()
    }

    pub(super) fn new_list(&self, list: Address, display: Option<String>) -> Primitive {
        let property = |value| Property {
            name: "DisplayName".to_owned(),
            value: Some(value),
        };
        CreateListRequest {
            list,
            meta: self.meta(),
            members: None,
            properties: display.map(|display| vec![property(display)]),
        }
        .into()
    }

    pub(super) fn delete_list(&self, list: Address) -> Primitive {
        DeleteListRequest {
            list,
            meta: self.meta(),
        }
        .into()
    }

    /// Who is on a contact list.
    pub(super) fn members(&self, list: Address) -> Primitive {
        self.manage(list, true, None, None, None)
    }

    pub(super) fn change_members(
        &self,
        list: Address,
        add: Option<NickName>,
        remove: Option<Address>,
    ) -> Primitive {
        self.manage(list, false, add, remove, None)
    }

    pub(super) fn list_property(&self, list: Address, name: &str, value: &str) -> Primitive {
        let property = Property {
            name: name.to_owned(),
            value: Some(value.to_owned()),
        };
        self.manage(list, false, None, None, Some(vec![property]))
    }

    fn manage(
        &self,
        list: Address,
        receive: bool,
        add: Option<NickName>,
        remove: Option<Address>,
        properties: Option<Vec<Property>>,
    ) -> Primitive {
        ListManageRequest {
            list,
            receive,
            meta: self.meta(),
            add: add.map(|add| vec![add]),
            remove: remove.map(|user| vec![UserId { user }]),
            properties,
        }
        .into()
    }

    /// Which attribute lists there are.
    pub(super) fn attribute_lists(&self) -> Primitive {
        GetAttributeListRequest {
            default: true,
            meta: self.meta(),
            users: Vec::new(),
            lists: Vec::new(),
        }
        .into()
    }

    /// Attaches an attribute list to a user or a contact list, or as the default one.
    pub(super) fn attach(
        &self,
        names: Vec<AttributeName>,
        user: Option<Address>,
        list: Option<Address>,
    ) -> Primitive {
        CreateAttributeListRequest {
            default: user.is_none() && list.is_none(),
            meta: self.meta(),
            attributes: Some(AttributeList {
                presence: Some(PresenceSubList::request(names)),
            }),
            users: user.into_iter().map(|user| UserId { user }).collect(),
            lists: list.into_iter().map(|list| ContactList { list }).collect(),
        }
        .into()
    }

    /// Detaches the attribute list of a user or a contact list, or the default one.
    pub(super) fn detach(&self, user: Option<Address>, list: Option<Address>) -> Primitive {
        DeleteAttributeListRequest {
            default: user.is_none() && list.is_none(),
            meta: self.meta(),
            users: user.into_iter().map(|user| UserId { user }).collect(),
            lists: list.into_iter().map(|list| ContactList { list }).collect(),
        }
        .into()
    }

    pub(crate) fn subscribe(&self, to: Address) -> Primitive {
        SubscribeRequest {
            meta: self.meta(),
            users: vec![UserId { user: to }],
            attributes: None,
        }
        .into()
    }

    pub(super) fn unsubscribe(&self, from: Address) -> Primitive {
        UnsubscribeRequest {
            meta: self.meta(),
            users: vec![UserId { user: from }],
        }
        .into()
    }

    pub(super) fn presence_of(&self, user: Address) -> Primitive {
        GetPresenceRequest {
            meta: self.meta(),
            users: vec![VerUserId {
                user,
                version: None,
            }],
            attributes: None,
        }
        .into()
    }

    /// Grants or denies somebody these attributes, or all.
    pub(crate) fn authorize(
        &self,
        watcher: Address,
        acceptance: bool,
        names: Option<Vec<AttributeName>>,
    ) -> Primitive {
        PresenceAuthUserRequest {
            watcher,
            acceptance,
            meta: self.meta(),
            attributes: names.map(|names| AttributeList {
                presence: Some(PresenceSubList::request(names)),
            }),
        }
        .into()
    }

    /// Takes all decisions about somebody back.
    pub(super) fn forget(&self, watcher: Address) -> Primitive {
        CancelAuthRequest {
            watcher,
            meta: self.meta(),
        }
        .into()
    }

    /// What the user has decided about those who want to see their presence.
    pub(super) fn decisions(&self) -> Primitive {
        GetReactiveAuthStatusRequest {
            meta: self.meta(),
            users: Vec::new(),
        }
        .into()
    }

    pub(super) fn watchers(&self) -> Primitive {
        GetWatcherListRequest {
            history: None,
            max: None,
            meta: self.meta(),
        }
        .into()
    }

    /// The user's own presence; without text a value is not known any more.
    pub(crate) fn own_presence(&self, values: Vec<(AttributeName, Option<String>)>) -> Primitive {
        let attribute = |(name, value)| match value {
            Some(value) => Attribute::value(name, value),
            None => Attribute::unknown(name),
        };
        UpdatePresenceRequest {
            meta: self.meta(),
            value: PresenceValue {
                user: self.user.clone(),
                presence: Some(PresenceSubList {
                    attributes: values.into_iter().map(attribute).collect(),
                }),
            },
        }
        .into()
    }

    /// Puts somebody on the block list or the grant list, or takes them off.
    pub(super) fn list(&self, list: Listing, who: EntityList, is_on: bool) -> Primitive {
        let (add, remove) = if is_on {
            (Some(who), None)
        } else {
            (None, Some(who))
        };
        let changes = EntityChanges {
            in_use: None,
            add,
            remove,
        };
        self.change(list, changes)
    }

    /// Puts one of the two lists in force, or out of it.
    pub(super) fn list_in_use(&self, list: Listing, is_used: bool) -> Primitive {
        let changes = EntityChanges {
            in_use: Some(is_used),
            add: None,
            remove: None,
        };
        self.change(list, changes)
    }

    fn change(&self, list: Listing, changes: EntityChanges) -> Primitive {
        let (blocked, granted) = match list {
            Listing::Block => (Some(changes), None),
            Listing::Grant => (None, Some(changes)),
        };
        BlockEntityRequest {
            meta: self.meta(),
            blocked,
            granted,
        }
        .into()
    }

    /// Who is typed to stand on a list: a user; a group, or who is called so in it; `list` and the
    /// name of a contact list. Nothing if it is none.
    pub(super) fn entity(&self, typed: &str) -> Option<EntityList> {
        let mut who = EntityList {
            in_use: None,
            users: Vec::new(),
            screen_names: Vec::new(),
            groups: Vec::new(),
            lists: Vec::new(),
        };
        let (first, rest) = typed.split_once(' ').unwrap_or((typed, ""));
        let (address, rest) = (self.address(first), rest.trim());
        let (own, domain) = (self.user.user_part(), self.user.domain());
        match (address.kind(), rest) {
            _ if first == "list" && !rest.is_empty() => {
                let list = Address::resource_of(own, rest, domain);
                who.lists.push(ContactList { list });
            }
            (Kind::User, "") => who.users.push(UserId { user: address }),
            (Kind::Resource, "") => who.groups.push(GroupId { group: address }),
            (Kind::Resource, name) => who.screen_names.push(ScreenName {
                group: address,
                name: name.to_owned(),
            }),
            _ => return None,
        }
        Some(who)
    }

    pub(super) fn blocked(&self) -> Primitive {
        GetBlockedListRequest { meta: self.meta() }.into()
    }

    pub(super) fn verify(&self, user: Address) -> Primitive {
        VerifyIDRequest {
            meta: self.meta(),
            ids: IdList {
                ids: vec![Id::User(UserId { user })],
            },
        }
        .into()
    }

    #[expect(clippy::unnecessary_wraps, reason = "as primitives have it")]
    pub(super) fn meta(&self) -> Option<MetaInfo> {
        Some(MetaInfo::of_user(self.user.domain(), self.user.clone()))
    }
}

fn recipient(to: Address) -> Recipient {
    if to.kind() == Kind::Resource {
        Recipient::Group(GroupId { group: to })
    } else {
        Recipient::User(User::new(to))
    }
}
