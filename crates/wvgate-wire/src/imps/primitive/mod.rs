//! Primitives, one file per family, each headed by its section of the wire
//! profile. [`Primitive`] is any of them.

pub mod access;
mod any_name;
pub mod common;
pub mod contact_list;
pub mod group;
pub mod group_admin;
pub mod invitation;
pub mod message;
pub mod message_store;
mod outline;
mod places;
pub mod presence;
pub mod presence_admin;
pub mod profile;
pub mod service;
pub mod session;

pub use any_name::AnyName;
pub(crate) use outline::{Info, Outline, Walk, outline};
pub(crate) use places::Noted;
pub use places::{Place, Role, places, speaking};

use super::status::Status;
use super::xml::element::part;
use super::xml::{Content, DecodeError, Listener, Node, Shape, Style, Writer};

/// Where a request is sent: what in it decides who serves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Routing {
    /// To each user, group or list named as recipient.
    Recipients,
    /// To the domain of the group.
    Group,
    /// To the domain of the user the primitive is about.
    Subject,
    /// To the domain that provides the service to the requesting user.
    Requestor,
    /// To the service asked about, else to the receiving SAP.
    Service,
    /// To the receiving SAP: session, service and agreement management.
    Hop,
}

macro_rules! primitives {
    ($( $module:ident :: $name:ident $kind:ident $leaf:literal $routing:ident ; )*) => {
        /// Any primitive. Those this crate does not know keep their XML.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Primitive {
            $(
                #[doc = concat!("`", stringify!($name), "`")]
                $name(Box<$module::$name>),
            )*
            /// `Status` alone: the general answer (9.6).
            Status(Box<Status>),
            /// A primitive this crate does not know.
            Unknown(Unknown),
        }

        /// The name of a primitive that this crate knows.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Name {
            $(
                #[doc = concat!("`", stringify!($name), "`")]
                $name,
            )*
            /// `Status` alone, without a response of its own.
            Status,
        }

        impl Name {
            /// All names, in the order of the table.
            pub const ALL: &[Self] = &[ $( Self::$name, )* Self::Status ];

            /// The text on the wire.
            pub fn as_str(self) -> &'static str {
                self.facts().name
            }

            /// The name of this text, in any case; `None` if it is not known.
            pub fn parse(text: &str) -> Option<Self> {
                let same = |name: &&Self| name.as_str().eq_ignore_ascii_case(text);
                Self::ALL.iter().find(same).copied()
            }

            /// What is known of the primitive.
            pub fn facts(self) -> &'static Facts {
                &FACTS[self as usize]
            }
        }

        impl Primitive {
            /// Names of all known primitives.
            pub const NAMES: &[&str] = &[ $( stringify!($name), )* "Status" ];

            /// The element's name.
            pub fn name(&self) -> &str {
                match self {
                    $( Self::$name(_) => stringify!($name), )*
                    Self::Status(_) => "Status",
                    Self::Unknown(unknown) => &unknown.name,
                }
            }

            /// The element's name, as one that is known or as it came.
            pub fn any_name(&self) -> AnyName {
                match self {
                    $( Self::$name(_) => Name::$name.into(), )*
                    Self::Status(_) => Name::Status.into(),
                    Self::Unknown(unknown) => AnyName::new(&unknown.name),
                }
            }

            /// Reads any primitive.
            ///
            /// # Errors
            /// Something the primitive requires is missing or unusable.
            pub fn read(node: &Node<'_>) -> Result<Self, DecodeError> {
                $( if node.name.eq_ignore_ascii_case(stringify!($name)) {
                    return $module::$name::read(node).map(|p| Self::$name(Box::new(p)));
                } )*
                if node.name.eq_ignore_ascii_case("Status") {
                    return Status::read(node).map(|p| Self::Status(Box::new(p)));
                }
                Ok(Self::Unknown(Unknown::read(node)))
            }

            /// The status in an answer; `None` if it has none.
            pub fn verdict(&self) -> Option<&Status> {
                match self {
                    $( Self::$name(primitive) => primitive.verdict(), )*
                    Self::Status(status) => Some(status),
                    Self::Unknown(_) => None,
                }
            }

            fn write(&self, out: &mut Writer<'_>) {
                match self {
                    $( Self::$name(primitive) => primitive.write(stringify!($name), out), )*
                    Self::Status(status) => status.write("Status", out),
                    Self::Unknown(unknown) => unknown.item.write(out),
                }
            }
        }

        $(
            impl From<$module::$name> for Primitive {
                fn from(primitive: $module::$name) -> Self { Self::$name(Box::new(primitive)) }
            }
        )*

        const FACTS: &[Facts] = &[ $(
            Facts {
                is: Name::$name,
                name: stringify!($name),
                family: stringify!($module),
                kind: Kind::$kind,
                leaf: $leaf,
                routing: Routing::$routing,
                shape: <$module::$name as Content>::SHAPE,
            },
        )* Facts {
            is: Name::Status,
            name: "Status",
            family: "common",
            kind: Kind::Response,
            leaf: "",
            routing: Routing::Hop,
            shape: Status::SHAPE,
        } ];

        /// What each primitive declares, in the order of [`FACTS`]; see [`places`].
        const PLACES: &[places::Declared] = &[
            $( <$module::$name as Content>::places, )*
            <Status as Content>::places,
        ];
    };
}

// name, kind, leaf of the service tree it belongs to (11.2), routing.
primitives! {
    session::SendSecretToken Setup "" Hop;
    session::LoginRequest Setup "" Hop;
    session::LoginResponse Setup "" Hop;
    session::KeepAliveRequest Request "KEEPA" Hop;
    session::KeepAliveResponse Response "KEEPA" Hop;
    session::LogoutRequest Request "LOGOU" Hop;
    session::Disconnect Notice "LOGOU" Hop;
    service::GetServiceRequest Request "GETSV" Service;
    service::GetServiceResponse Response "GETSV" Service;
    service::ServiceRequest Request "NEGSV" Hop;
    service::ServiceResponse Response "NEGSV" Hop;
    profile::GetUserProfileRequest Request "GETUP" Subject;
    profile::GetUserProfileResponse Response "GETUP" Subject;
    profile::UpdateUserProfileRequest Request "UPDUP" Requestor;
    common::GetSPInfoRequest Request "GETSPI" Service;
    common::GetSPInfoResponse Response "GETSPI" Service;
    common::SearchRequest Request "SRCH" Requestor;
    common::SearchResponse Response "SRCH" Requestor;
    common::StopSearchRequest Request "STSRC" Requestor;
    common::VerifyIDRequest Request "VRID" Recipients;
    invitation::InviteRequest Request "INVIT" Recipients;
    invitation::InviteResponse Notice "INVIT" Recipients;
    invitation::CancelInviteRequest Request "CAINV" Recipients;
    contact_list::GetListRequest Request "GCLI" Requestor;
    contact_list::GetListResponse Response "GCLI" Requestor;
    contact_list::CreateListRequest Request "CCLI" Requestor;
    contact_list::DeleteListRequest Request "DCLI" Requestor;
    contact_list::ListManageRequest Request "MCLS" Requestor;
    contact_list::ListManageResponse Response "MCLS" Requestor;
    presence::SubscribeRequest Request "SUBPR" Recipients;
    presence::UnsubscribeRequest Request "SUBPR" Recipients;
    presence::PresenceNotification Notice "SUBPR" Recipients;
    presence::GetPresenceRequest Request "GETPR" Recipients;
    presence::GetPresenceResponse Response "GETPR" Recipients;
    presence_admin::UpdatePresenceRequest Request "UPDPR" Requestor;
    presence_admin::GetWatcherListRequest Request "GETWL" Requestor;
    presence_admin::GetWatcherListResponse Response "GETWL" Requestor;
    presence_admin::PresenceAuthRequest Request "REACT" Recipients;
    presence_admin::PresenceAuthUserRequest Request "REACT" Requestor;
    presence_admin::CancelAuthRequest Request "CAAUT" Requestor;
    presence_admin::GetReactiveAuthStatusRequest Request "GETAUT" Requestor;
    presence_admin::GetReactiveAuthStatusResponse Response "GETAUT" Requestor;
    presence_admin::CreateAttributeListRequest Request "CALI" Requestor;
    presence_admin::DeleteAttributeListRequest Request "DALI" Requestor;
    presence_admin::GetAttributeListRequest Request "GALS" Requestor;
    presence_admin::GetAttributeListResponse Response "GALS" Requestor;
    message::SendMessageRequest Request "SENDM" Recipients;
    message::SendMessageResponse Response "SENDM" Recipients;
    message::DeliveryStatusReport Notice "MDELIV" Recipients;
    message_store::ForwardMessageRequest Request "FWMSG" Requestor;
    message_store::ForwardMessageResponse Response "FWMSG" Requestor;
    message_store::SetDeliveryMethodRequest Request "SETD" Requestor;
    message_store::GetMessageListRequest Request "GETLM" Requestor;
    message_store::GetMessageListResponse Response "GETLM" Requestor;
    message_store::GetMessageRequest Request "GETM" Requestor;
    message_store::GetMessageResponse Response "GETM" Requestor;
    message_store::RejectMessageRequest Request "REJCM" Requestor;
    message_store::MessageNotification Request "NOTIF" Recipients;
    message_store::NewMessage Request "NEWM" Recipients;
    message_store::MessageDelivered Response "NEWM" Requestor;
    access::GetBlockedListRequest Request "GLBLU" Requestor;
    access::GetBlockedListResponse Response "GLBLU" Requestor;
    access::BlockEntityRequest Request "BLENT" Requestor;
    group_admin::CreateGroupRequest Request "CREAG" Group;
    group_admin::DeleteGroupRequest Request "DELGR" Group;
    group_admin::GetGroupPropsRequest Request "GETGP" Group;
    group_admin::GetGroupPropsResponse Response "GETGP" Group;
    group_admin::SetGroupPropsRequest Request "SETGP" Group;
    group_admin::GetGroupMemberRequest Request "GETGM" Group;
    group_admin::GetGroupMemberResponse Response "GETGM" Group;
    group_admin::AddGroupMemberRequest Request "ADDGM" Group;
    group_admin::RemoveGroupMemberRequest Request "RMVGM" Group;
    group_admin::MemberAccessRequest Request "MBRAC" Group;
    group_admin::RejectListRequest Request "REJEC" Group;
    group_admin::RejectListResponse Response "REJEC" Group;
    group::JoinGroupRequest Request "JOING" Group;
    group::JoinGroupResponse Response "JOING" Group;
    group::LeaveGroupRequest Request "JOING" Group;
    group::LeaveGroupIndication Notice "JOING" Recipients;
    group::GetJoinedUsersRequest Request "GETJU" Group;
    group::GetJoinedUsersResponse Response "GETJU" Group;
    group::SubscribeGroupChangeRequest Request "SUBGCN" Group;
    group::UnsubscribeGroupChangeRequest Request "SUBGCN" Group;
    group::GetGroupSubStatusRequest Request "SUBGCN" Group;
    group::GetGroupSubStatusResponse Response "SUBGCN" Group;
    group::GroupChangeNotice Notice "GRCHN" Recipients;
}

/// What a primitive is in a dialogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Part of session establishment.
    Setup,
    /// Asks and is answered.
    Request,
    /// Tells and is not answered (7.3).
    Notice,
    /// Answers a request.
    Response,
}

/// What is known of a primitive without looking inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// Which primitive it is.
    pub is: Name,
    /// Name of the element on the wire.
    pub name: &'static str,
    /// The module that declares it.
    pub family: &'static str,
    /// Place in a dialogue.
    pub kind: Kind,
    /// Leaf of the service tree (11.2), empty where no agreement is needed.
    pub leaf: &'static str,
    /// What decides where it goes.
    pub routing: Routing,
    /// What may stand in it.
    pub shape: &'static Shape,
}

/// What may stand in a primitive that is not known.
const UNKNOWN: &Shape = &Shape::new(
    &[
        part!(true, ["MetaInfo"], super::common::MetaInfo::SHAPE),
        part!(true, ["MessageInfo"], super::common::MessageInfo::SHAPE),
    ],
    &[],
);

/// Facts about the primitive called `name`, in any case; `None` if it is unknown.
pub fn facts(name: &str) -> Option<&'static Facts> {
    Name::parse(name).map(Name::facts)
}

/// Facts about all primitives of one module.
pub fn family(family: &str) -> impl Iterator<Item = &'static Facts> {
    FACTS.iter().filter(move |facts| facts.family == family)
}

/// A primitive of an unknown name, as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    /// Name of the element on the wire.
    pub name: String,
    /// All of it, as it came.
    pub item: super::presence::Item,
}

impl Unknown {
    fn read(node: &Node<'_>) -> Self {
        Self {
            name: node.name.to_owned(),
            item: super::presence::Item::read(node),
        }
    }
}

impl Primitive {
    /// Prints the primitive alone, in a peer's style if one is given.
    pub fn to_xml(&self, style: Option<&Style>) -> String {
        let mut out = style.map_or_else(Writer::new, Writer::styled);
        self.write(&mut out);
        out.finish()
    }

    /// The same in our own style; `listener` hears what is written.
    pub(crate) fn to_xml_heard(&self, listener: &mut dyn Listener) -> String {
        let mut out = Writer::heard(listener);
        self.write(&mut out);
        out.finish()
    }

    /// `listener` hears what would be written in our own style.
    pub(crate) fn tell(&self, listener: &mut dyn Listener) {
        self.write(&mut Writer::silent(listener));
    }

    /// A `Status` alone with this code.
    pub fn status(code: super::Code) -> Self {
        Status::new(code).into()
    }
}

impl From<Status> for Primitive {
    fn from(status: Status) -> Self {
        Self::Status(Box::new(status))
    }
}
