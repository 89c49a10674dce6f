//! Common features: provider information, search, verification of ids
//! (wire profile, 11.5).

use crate::imps::Address;
use crate::imps::Status;
use crate::imps::common::{ContactList, ContentData, GroupId, MetaInfo, ScreenName, User, UserId};
use crate::imps::xml::element::{choice, element};

element! {
    /// Asks who runs a domain.
    GetSPInfoRequest {
        /// Which domain; absent means the peer.
        attr opt "serviceID" service: Address,
        /// Who asks: a user, or a domain for itself.
        child opt "MetaInfo" meta: MetaInfo,
    }

    /// Who runs the service.
    GetSPInfoResponse {
        /// The domain asked about.
        attr opt "serviceID" service: Address,
        /// Whether it was done, and what of it was not.
        child one "Status" status: Status,
        /// Name of the provider.
        child opt "Name" name: String,
        /// A picture that stands for it.
        child opt "Logo" logo: Logo,
        /// What it offers, for people.
        child opt "Description" description: String,
        /// Address of its web site.
        child opt "URL" url: String,
    }

    /// A picture, here or elsewhere.
    Logo {
        /// Where the picture is.
        attr opt "url" url: String,
        /// The picture itself.
        child opt "ContentData" content: ContentData,
    }

    /// A new search (with pairs) or the next page of one (with `searchID`).
    SearchRequest {
        /// Results per answer.
        attr opt "searchLimit" limit: u32,
        /// The search to go on with.
        attr opt "searchID" search_id: String,
        /// The next result wanted, from 1.
        attr opt "searchIndex" index: u32,
        /// Who asks: a user, or a domain for itself.
        child opt "MetaInfo" meta: MetaInfo,
        /// Criteria, all of which must hold.
        list many "SearchPairList" / "SearchPair" pairs: SearchPair,
    }

    /// One criterion: what is looked at, and for what.
    SearchPair {
        /// `USER_ALIAS`, `GROUP_TOPIC`, ...
        attr one "element" element: String,
        /// What it must contain.
        attr one "string" string: String,
    }

    /// A page of results.
    SearchResponse {
        /// The id under which the search goes on.
        attr opt "searchID" search_id: String,
        /// How many there are altogether.
        attr opt "searchFindings" findings: u32,
        /// Whether this was the last page.
        attr opt "completion" completion: bool,
        /// Index of the next result; absent after the last page.
        attr opt "searchIndex" index: u32,
        /// Whether it was done, and what of it was not.
        child one "Status" status: Status,
        /// The results of this page.
        child opt "SearchResult" result: SearchResult,
    }

    /// Users or groups found.
    SearchResult {
        /// Users found; absent if groups were looked for.
        list of "UserList" / "User" users: User,
        /// Groups found; absent if users were looked for.
        list of "GroupList" / "GroupID" groups: GroupId,
    }

    /// Ends a search before its last page. Answered by `Status`.
    StopSearchRequest {
        /// The search to end.
        attr one "searchID" search_id: String,
        /// Who asks: a user, or a domain for itself.
        child opt "MetaInfo" meta: MetaInfo,
    }

    /// Asks whether ids exist.
    VerifyIDRequest {
        /// Who asks: a user, or a domain for itself.
        child opt "MetaInfo" meta: MetaInfo,
        /// The ids, of any kinds together.
        child one "IDList" ids: IdList,
    }

    /// Users, lists, groups and domains, mixed.
    IdList {
        /// Each of them, in order.
        choice many ids: Id,
    }
}

choice! {
    /// An id of whose owner it is asked whether they exist.
    Id {
        /// Whether there is such a user.
        "UserID" => User(UserId),
        /// Whether there is such a group.
        "GroupID" => Group(GroupId),
        /// Whether a participant of a group is called so.
        "ScreenName" => ScreenName(ScreenName),
        /// Whether there is such a contact list.
        "ContactList" => ContactList(ContactList),
        /// Whether the domain is served.
        "Domain" => Domain(String),
    }
}

impl Id {
    /// The address that decides where it is verified.
    pub fn whereabouts(&self) -> Address {
        match self {
            Self::User(id) => id.user.clone(),
            Self::Group(id) => id.group.clone(),
            Self::ScreenName(name) => name.group.clone(),
            Self::ContactList(list) => list.list.clone(),
            Self::Domain(domain) => Address::service(domain.trim()),
        }
    }
}
