//! What a server may call otherwise that is built from the same family of documents: the dialect
//! `oma-1.3`, row by row of `docs/spec/ssp-syntax-facts.md`.

use std::sync::Arc;

use wvgate::imps::Primitive;
use wvgate::imps::common::Party;
use wvgate::imps::primitive::service::{Features, Functions, ServiceRequest};
use wvgate::imps::xml::Limits;
use wvgate::sap::{Dialect, Peer, ServiceSet};
use wvgate::ssp::envelope::{Transaction, decode_fragment, print_session, scan};
use wvgate::ssp::{Message, Mode};

use super::{Between, asks};
use crate::support::alone::dialect;

/// A spelling: what it is, as the peer writes it, and as we do.
struct Row {
    what: &'static str,
    theirs: &'static str,
    ours: &'static str,
    /// The peer gets the same.
    is_written: bool,
}

const fn row(what: &'static str, theirs: &'static str, ours: &'static str) -> Row {
    Row {
        what,
        theirs,
        ours,
        is_written: true,
    }
}

/// One that is read, where another is written.
const fn older(what: &'static str, theirs: &'static str, ours: &'static str) -> Row {
    Row {
        is_written: false,
        ..row(what, theirs, ours)
    }
}

const ROWS: &[Row] = &[
    row(
        "an authorization without Request in its name",
        r#"<PresenceAuthUser userID="wv:b@b.test" acceptance="Yes"/>"#,
        r#"<PresenceAuthUserRequest userID="wv:b@b.test" acceptance="Yes"/>"#,
    ),
    older(
        "an authorization with the hyphen of the client protocol",
        r#"<PresenceAuth-User userID="wv:b@b.test" acceptance="Yes"/>"#,
        r#"<PresenceAuthUserRequest userID="wv:b@b.test" acceptance="Yes"/>"#,
    ),
    row(
        "a list for each criterion of a search",
        "<SearchRequest><SearchPairList><SearchElement>USER_ALIAS</SearchElement>\
         <SearchString>Ann</SearchString></SearchPairList><SearchPairList>\
         <SearchElement>USER_COUNTRY</SearchElement><SearchString>FI</SearchString>\
         </SearchPairList></SearchRequest>",
        SEARCH,
    ),
    older(
        "criteria that are numbered in one list",
        "<SearchRequest><SearchPairList><SearchElement>USER_ALIAS</SearchElement>\
         <SearchString>Ann</SearchString><PairID>1</PairID>\
         <SearchElement>USER_COUNTRY</SearchElement><SearchString>FI</SearchString>\
         <PairID>2</PairID></SearchPairList></SearchRequest>",
        SEARCH,
    ),
    older(
        "a list for each criterion, with our attributes",
        r#"<SearchRequest><SearchPairList><SearchPair element="USER_ALIAS" string="Ann"/></SearchPairList><SearchPairList><SearchPair element="USER_COUNTRY" string="FI"/></SearchPairList></SearchRequest>"#,
        SEARCH,
    ),
    row(
        "what is not available as Functions, what is as AllFunctions",
        r#"<ServiceResponse agreementID="1"><Status code="201"/><AllFunctions><WVCSPFeat><IMFeat/></WVCSPFeat></AllFunctions><Functions><WVCSPFeat><GroupFeat/></WVCSPFeat></Functions></ServiceResponse>"#,
        r#"<ServiceResponse agreementID="1"><Status code="201"/><AgreedFunctions><WVSSPFeat><IMFeat/></WVSSPFeat></AgreedFunctions><NotAvailableFunctions><WVSSPFeat><GroupFeat/></WVSSPFeat></NotAvailableFunctions></ServiceResponse>"#,
    ),
    row(
        "functions that are wanted are Functions on both sides",
        "<ServiceRequest><Functions><WVCSPFeat><GroupFeat/></WVCSPFeat></Functions></ServiceRequest>",
        "<ServiceRequest><Functions><WVSSPFeat><GroupFeat/></WVSSPFeat></Functions></ServiceRequest>",
    ),
    row(
        "the fundamental features",
        "<ServiceRequest><Functions><WVCSPFeat><FundamentalFeat><SearchFunc/></FundamentalFeat></WVCSPFeat></Functions></ServiceRequest>",
        "<ServiceRequest><Functions><WVSSPFeat><CommonFeat><SearchFunc/></CommonFeat></WVSSPFeat></Functions></ServiceRequest>",
    ),
    row(
        "delivery as one function",
        "<ServiceRequest><Functions><WVCSPFeat><IMFeat><IMSendFunc><MDELIV/></IMSendFunc></IMFeat></WVCSPFeat></Functions></ServiceRequest>",
        "<ServiceRequest><Functions><WVSSPFeat><IMFeat><IMSendFunc><SENDM/><MDELIV/></IMSendFunc></IMFeat></WVSSPFeat></Functions></ServiceRequest>",
    ),
    row(
        "presence that is asked for and subscribed to as one function",
        "<ServiceRequest><Functions><WVCSPFeat><PresenceFeat><PresenceDeliverFunc><GETPR/></PresenceDeliverFunc></PresenceFeat></WVCSPFeat></Functions></ServiceRequest>",
        "<ServiceRequest><Functions><WVSSPFeat><PresenceFeat><PresenceDeliverFunc><SUBPR/><GETPR/></PresenceDeliverFunc></PresenceFeat></WVSSPFeat></Functions></ServiceRequest>",
    ),
    row(
        "a watcher with user and state in elements",
        r#"<GetWatcherListResponse watcherCount="1"><Status code="200"/><Watcher><FriendlyName>Bo</FriendlyName><WatcherStatus>CURRENT_SUBSCRIBER</WatcherStatus><User userID="wv:b@b.test"/></Watcher></GetWatcherListResponse>"#,
        WATCHERS,
    ),
    older(
        "a watcher whose id is a text",
        r#"<GetWatcherListResponse watcherCount="1"><Status code="200"/><Watcher><User><UserID>wv:b@b.test</UserID></User><FriendlyName>Bo</FriendlyName><WatcherStatus>CURRENT_SUBSCRIBER</WatcherStatus></Watcher></GetWatcherListResponse>"#,
        WATCHERS,
    ),
    row(
        "whether a list is in use, beside the list",
        r#"<GetBlockedListResponse><Status code="200"/><BlockList><UserID userID="wv:b@b.test"/></BlockList><GrantList/><BlockListInUse>T</BlockListInUse><GrantListInUse>F</GrantListInUse></GetBlockedListResponse>"#,
        BLOCKED,
    ),
    older(
        "whether a list is in use, in the list",
        r#"<GetBlockedListResponse><Status code="200"/><BlockList><InUse>T</InUse><UserID userID="wv:b@b.test"/></BlockList><GrantList><InUse>F</InUse></GrantList></GetBlockedListResponse>"#,
        BLOCKED,
    ),
    older(
        "whether a list is in use, in our words and their place",
        r#"<GetBlockedListResponse><Status code="200"/><BlockListInUse>Yes</BlockListInUse><BlockList><UserID userID="wv:b@b.test"/></BlockList><GrantListInUse>No</GrantListInUse></GetBlockedListResponse>"#,
        BLOCKED,
    ),
    row(
        "whether lists are to be in use, beside the lists",
        r#"<BlockEntityRequest><BlockList><AddList><UserID userID="wv:b@b.test"/></AddList></BlockList><GrantList/><BlockListInUse>F</BlockListInUse><GrantListInUse>T</GrantListInUse></BlockEntityRequest>"#,
        BLOCK,
    ),
    older(
        "whether lists are to be in use, in the lists",
        r#"<BlockEntityRequest><BlockList><InUse>F</InUse><AddList><UserID userID="wv:b@b.test"/></AddList></BlockList><GrantList><InUse>T</InUse></GrantList></BlockEntityRequest>"#,
        BLOCK,
    ),
    older(
        "the parties of an invitation's response as sender and recipient",
        r#"<InviteResponse inviteID="i" acceptance="Yes"><Recipient><User userID="wv:a@a.test"/></Recipient><Sender><User userID="wv:b@b.test"/></Sender></InviteResponse>"#,
        RESPONSE,
    ),
    row(
        "the parties of an invitation's response as version 1.3 has them",
        r#"<InviteResponse inviteID="i" acceptance="Yes"><Inviting><User userID="wv:a@a.test"/></Inviting><Responding><User userID="wv:b@b.test"/></Responding></InviteResponse>"#,
        RESPONSE,
    ),
];

const SEARCH: &str = r#"<SearchRequest><SearchPairList><SearchPair element="USER_ALIAS" string="Ann"/><SearchPair element="USER_COUNTRY" string="FI"/></SearchPairList></SearchRequest>"#;
const WATCHERS: &str = r#"<GetWatcherListResponse watcherCount="1"><Status code="200"/><Watcher userID="wv:b@b.test" friendlyName="Bo" status="CURRENT_SUBSCRIBER"/></GetWatcherListResponse>"#;
const BLOCKED: &str = r#"<GetBlockedListResponse><Status code="200"/><BlockList inUse="Yes"><UserID userID="wv:b@b.test"/></BlockList><GrantList inUse="No"/></GetBlockedListResponse>"#;
const BLOCK: &str = r#"<BlockEntityRequest><BlockList inUse="No"><AddList><UserID userID="wv:b@b.test"/></AddList></BlockList><GrantList inUse="Yes"/></BlockEntityRequest>"#;
const RESPONSE: &str = r#"<InviteResponse inviteID="i" acceptance="Yes"><Inviting><User userID="wv:a@a.test"/></Inviting><Responding><User userID="wv:b@b.test"/></Responding></InviteResponse>"#;

fn decoded(xml: &str) -> Primitive {
    decode_fragment(xml.as_bytes()).unwrap_or_else(|error| panic!("{xml}: {error}"))
}

/// What is meant by a primitive of such a peer, read as in a message of theirs.
fn understood(dialect: &Dialect, theirs: &str) -> Primitive {
    let body = print_session("x", "1@a.test", [(Mode::Request, "t1", theirs)]);
    let message = scan(&body.into(), &Limits::default());
    let Ok(Message::Session(session)) = message else {
        panic!("{theirs}: {message:?}")
    };
    let came = &session.transactions[0];
    let renamed = dialect.in_our_names(came).unwrap();
    renamed.as_ref().unwrap_or(came).primitive().unwrap()
}

/// The functions in it mean the same, in whatever order.
fn same(a: &Primitive, b: &Primitive) -> bool {
    let functions = |features: &Features| ServiceSet::of_features(features);
    match (a, b) {
        (Primitive::ServiceRequest(a), Primitive::ServiceRequest(b)) => {
            let set = |wanted: &Functions| wanted.features.as_ref().map(functions);
            a.functions.as_ref().map(set) == b.functions.as_ref().map(set)
        }
        _ => a == b,
    }
}

#[test]
fn every_other_spelling_is_read() {
    let dialect = dialect("oma-1.3");
    let mut wrong = Vec::new();
    for Row {
        what, theirs, ours, ..
    } in ROWS
    {
        let read = understood(&dialect, theirs);
        if !same(&read, &decoded(ours)) {
            wrong.push(format!("{what}: {read:?}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn each_is_written_as_the_dialect_says() {
    let dialect = dialect("oma-1.3");
    let mut wrong = Vec::new();
    for row in ROWS.iter().filter(|row| row.is_written) {
        let written = dialect.print(&decoded(row.ours));
        if written != row.theirs {
            wrong.push(format!("{}\n  {written}\n  {}", row.what, row.theirs));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn what_is_written_in_the_dialect_is_read_in_it() {
    let dialect = dialect("oma-1.3");
    for row in ROWS {
        let ours = decoded(row.ours);
        let again = understood(&dialect, &dialect.print(&ours));
        assert!(same(&again, &ours), "{}: {again:?}", row.what);
    }
}

#[test]
fn functions_that_nobody_knows_cost_nothing_but_themselves() {
    let dialect = dialect("oma-1.3");
    let theirs = "<GetServiceResponse><Status code='200'/><ServiceTree serviceID='wv:@a.test'><WVCSPFeat>\
        <HologramFeat><HOLO/></HologramFeat><IMFeat><IMSendFunc><MDELIV/><TELEPATHY/></IMSendFunc></IMFeat>\
        </WVCSPFeat></ServiceTree></GetServiceResponse>";
    let Primitive::GetServiceResponse(read) = understood(&dialect, theirs) else {
        panic!("{theirs}")
    };
    let features = read.trees[0].features.as_ref().unwrap();
    let set = ServiceSet::of_features(features);
    assert_eq!(set, ServiceSet::of_names(["SENDM", "MDELIV"]).unwrap());
}

#[test]
fn every_set_of_functions_is_read_as_no_more_than_was_written() {
    let dialect = dialect("oma-1.3");
    let names = ServiceSet::known_names();
    let all = names.iter().map(|name| ServiceSet::named(name).unwrap());
    let pairs = names.iter().map(|name| {
        let without = ServiceSet::named(name).unwrap();
        ServiceSet::ALL.difference(without)
    });
    for set in all.chain(pairs) {
        let request = ServiceRequest {
            agreement: None,
            time_to_live: None,
            cancel: None,
            meta: None,
            functions: Some(Functions {
                features: Some(set.features()),
            }),
            served: None,
        };
        let written = dialect.print(&request.into());
        let Primitive::ServiceRequest(read) = understood(&dialect, &written) else {
            panic!("{written}")
        };
        let read = read.functions.and_then(|functions| functions.features);
        let read = read.map_or(ServiceSet::NONE, |read| ServiceSet::of_features(&read));
        // A code that stands for two cannot say one of them.
        let lost = set.difference(read);
        let one = ServiceSet::of_names(["MDELIV", "GETPR"]).unwrap();
        assert!(set.includes(read) && one.includes(lost), "{written}");
    }
}

/// Through a relay: what such a peer asks reaches one of our own kind in our form, and what that
/// one asks reaches such a peer in its form.
#[test]
fn other_spellings_are_put_right_on_the_way_and_back() {
    let quiet = Dialect {
        discovery: false,
        ..(*dialect("oma-1.3")).clone()
    };
    let mut between = Between::with(Peer::new("a.test", Arc::new(quiet)));
    let parties = "<Recipient><User userID=\"wv:rob@r.test\"/></Recipient>\
        <Sender><User userID=\"wv:alice@a.test\"/></Sender>";
    let theirs = format!(
        "<InviteResponse inviteID=\"i\" acceptance=\"Yes\">{}{parties}</InviteResponse>",
        asks(super::ALICE)
    );
    let relayed: Transaction = between.relayed_from_it(&theirs);
    let Ok(Primitive::InviteResponse(read)) = relayed.primitive() else {
        panic!("{relayed:?}")
    };
    let user = |party: Option<Party>| party.unwrap().address().to_string();
    assert_eq!(user(read.inviting), "wv:rob@r.test");
    assert_eq!(user(read.responding), "wv:alice@a.test");
    // What has no other spelling passes as it came.
    let message = super::message(super::ROB, &super::user(super::ALICE));
    let relayed = between.relayed_to_it(&message);
    assert_eq!(super::text(&relayed), message);
}
