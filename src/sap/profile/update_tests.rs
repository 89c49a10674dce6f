use super::*;
use crate::imps::Primitive;
use crate::ssp::envelope::decode_fragment;

/// A profile of these parts.
fn profile(parts: &str) -> UserProfile {
    let text = format!(
        "<UpdateUserProfileRequest userID=\"a@b\"><UserProfile>{parts}</UserProfile>\
         </UpdateUserProfileRequest>"
    );
    match decode_fragment(text.as_bytes()) {
        Ok(Primitive::UpdateUserProfileRequest(request)) => request.profile.unwrap(),
        other => panic!("{other:?}"),
    }
}

const HELD: &str = "<SubscribedServices><Service name=\"IM\" status=\"Active\"/>\
    <Service name=\"Presence\" status=\"Active\"/></SubscribedServices>\
    <Properties><Property><Name>PP_CITY</Name><Value>Oslo</Value></Property>\
    <Property><Name>PP_AGE</Name><Value>40</Value></Property></Properties>";

fn after(mode: UpdateMode, given: &str) -> (UserProfile, Changes) {
    let mut held = profile(HELD);
    let changes = update(&mut held, mode, profile(given), |_| Ok(()));
    (held, changes)
}

#[test]
fn a_merge_replaces_entries_of_the_same_name_and_adds_the_others() {
    let (held, changes) = after(
        UpdateMode::Merge,
        "<SubscribedServices><Service name=\"im\" status=\"inactive\"/></SubscribedServices>\
         <Properties><Property><Name>PP_COUNTRY</Name><Value>NO</Value></Property></Properties>\
         <PrivacyStatus><Capability name=\"UserLocation\" status=\"ask\"/></PrivacyStatus>",
    );
    let expected = profile(
        "<SubscribedServices><Service name=\"IM\" status=\"Inactive\"/>\
         <Service name=\"Presence\" status=\"Active\"/></SubscribedServices>\
         <PrivacyStatus><Capability name=\"UserLocation\" status=\"Ask\"/></PrivacyStatus>\
         <Properties><Property><Name>PP_CITY</Name><Value>Oslo</Value></Property>\
         <Property><Name>PP_AGE</Name><Value>40</Value></Property>\
         <Property><Name>PP_COUNTRY</Name><Value>NO</Value></Property></Properties>",
    );
    assert_eq!(held, expected);
    assert!(changes.changed);
    assert_eq!(changes.status(), Status::ok());
}

#[test]
fn a_replacement_takes_the_place_of_the_parts_it_gives() {
    let (held, _) = after(
        UpdateMode::Replace,
        "<Properties><Property><Name>PP_COUNTRY</Name><Value>NO</Value></Property></Properties>",
    );
    assert_eq!(held.services, profile(HELD).services);
    let names: Vec<&str> = held.properties.iter().flatten().map(|p| &*p.name).collect();
    assert_eq!(names, ["PP_COUNTRY"]);
    let (held, changes) = after(UpdateMode::Replace, "<Properties/>");
    assert_eq!((held.properties, changes.changed), (Some(Vec::new()), true));
}

#[test]
fn a_deletion_removes_what_it_names() {
    let (held, changes) = after(
        UpdateMode::Delete,
        "<SubscribedServices><Service name=\"IM\"/></SubscribedServices>\
         <PrivacyStatus><Capability name=\"UserLocation\"/></PrivacyStatus>\
         <Properties><Property><Name>PP_CITY</Name></Property></Properties>",
    );
    let expected = profile(
        "<SubscribedServices><Service name=\"Presence\" status=\"Active\"/></SubscribedServices>\
         <Properties><Property><Name>PP_AGE</Name><Value>40</Value></Property></Properties>",
    );
    assert_eq!((held, changes.status()), (expected, Status::ok()));
}

#[test]
fn what_changes_nothing_is_no_change() {
    let (held, changes) = after(UpdateMode::Merge, HELD);
    assert_eq!(held, profile(HELD));
    assert!(!changes.changed);
}

#[test]
fn modes_are_read_in_any_case_and_merge_is_the_default() {
    assert_eq!(UpdateMode::read(None), Some(UpdateMode::Merge));
    assert_eq!(UpdateMode::read(Some("")), Some(UpdateMode::Merge));
    assert_eq!(
        UpdateMode::read(Some(" REPLACE")),
        Some(UpdateMode::Replace)
    );
    assert_eq!(UpdateMode::read(Some("delete")), Some(UpdateMode::Delete));
    assert_eq!(UpdateMode::read(Some("Append")), None);
}

#[test]
fn entries_that_cannot_be_are_refused_one_by_one_and_the_others_taken() {
    let long = "x".repeat(2000);
    let (held, changes) = after(
        UpdateMode::Merge,
        &format!(
            "<SubscribedServices><Service name=\"Video\"/><Service name=\"Group\" status=\"Off\"/>\
             <Service name=\"Common\" pse=\"bob@b.test\"/><Service name=\"Content\"/></SubscribedServices>\
             <PrivacyStatus><Capability name=\"UserLocation\"/><Capability name=\"\" status=\"Ask\"/></PrivacyStatus>\
             <TerminalCapabilities><Terminal><ClientType>PDA</ClientType></Terminal>\
             <Terminal url=\"a\"><InitialDeliveryMethod>X</InitialDeliveryMethod></Terminal>\
             <Terminal url=\"b\"><AcceptedContentLength>long</AcceptedContentLength></Terminal>\
             <Terminal url=\"c\"><ClientType>{long}</ClientType></Terminal></TerminalCapabilities>\
             <Properties><Property><Name>PP_FREE_TEXT</Name><Value>{long}</Value></Property></Properties>"
        ),
    );
    let names: Vec<&str> = held.services.iter().flatten().map(|s| &*s.name).collect();
    assert_eq!(names, ["IM", "Presence", "Content"]);
    assert_eq!((held.privacy, held.terminals), (None, None));
    let status = changes.status();
    assert_eq!((status.code, status.details.len()), (Code::PARTIAL, 10));
    assert!(status.details.iter().all(|detail| detail.code.0 == 702));
    let words = status.details[0].description.as_deref();
    assert_eq!(words, Some("Service Video: there is no such service"));
}

#[test]
fn if_nothing_is_taken_the_refusal_is_the_answer_and_all_stays() {
    let one = "<SubscribedServices><Service name=\"Video\"/></SubscribedServices>";
    let (held, changes) = after(UpdateMode::Replace, one);
    assert_eq!(held, profile(HELD));
    assert_eq!(changes.status().code.0, 702);
    let two = "<SubscribedServices><Service name=\"Video\"/><Service name=\"Radio\"/>\
               </SubscribedServices>";
    let (_, changes) = after(UpdateMode::Replace, two);
    assert_eq!(changes.status().code, Code::MULTIPLE);
}

#[test]
fn parts_are_bounded_in_number_and_size() {
    let many = |count: usize, bytes: usize| -> String {
        let value = "x".repeat(bytes);
        let entry = |n| format!("<Property><Name>P{n}</Name><Value>{value}</Value></Property>");
        let entries: String = (0..count).map(entry).collect();
        format!("<Properties>{entries}</Properties>")
    };
    let (held, changes) = after(UpdateMode::Replace, &many(70, 1));
    assert_eq!((held.properties.unwrap().len(), changes.done), (64, 64));
    assert_eq!(changes.status().details.len(), 6);
    let (held, changes) = after(UpdateMode::Replace, &many(20, 1000));
    assert_eq!(changes.status().code, Code::PARTIAL);
    assert!(size(&held) <= MAX_PART + 100);
    let (_, changes) = after(UpdateMode::Replace, &many(500, 1));
    assert_eq!(changes.status().details.len(), MAX_DETAILS);
}

#[test]
fn parts_asked_for_are_those_given() {
    let all = Parts::ALL.select(profile(HELD));
    assert_eq!(all, profile(HELD));
    let parts = ProfileParts {
        services: None,
        privacy: Some(crate::imps::xml::element::Empty),
        terminals: None,
        properties: Some(crate::imps::xml::element::Empty),
    };
    let some = Parts::asked(Some(&parts)).select(profile(HELD));
    assert_eq!(some.services, None);
    assert_eq!(some.properties, profile(HELD).properties);
    let nothing = ProfileParts {
        privacy: None,
        properties: None,
        ..parts
    };
    assert_eq!(Parts::asked(Some(&nothing)), Parts::ALL);
    assert_eq!(Parts::asked(None), Parts::ALL);
    assert!(Parts::ALL.include(Parts::of(&some)));
    assert!(!Parts::of(&some).include(Parts::ALL));
}
