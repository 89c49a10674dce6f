//! The user's own profile: `/profile`.

use super::super::screen;
use super::family::{Command, Family, Meaning, hears_nothing, verdict};
use super::memory::Memory;
use crate::imps::Primitive;
use crate::imps::common::Property;
use crate::imps::primitive::profile::{
    GetUserProfileRequest, PrivacyCapability, ProfileService, UpdateUserProfileRequest, UserProfile,
};

pub(super) const FAMILY: Family = Family {
    help: "\
/profile                your profile: services, privacy, terminals, properties
/profile city Oslo      tell something: friendly-name, first-name, city, interests, ...
/profile found-by city on   others may find you by that: id, alias, city, ...; off forbids it
/profile service IM off     do without a service; on takes it again",
    understand,
    hear: hears_nothing,
};

fn understand(memory: &mut Memory, command: &Command<'_>) -> Option<Meaning> {
    if command.name != "profile" {
        return None;
    }
    let (first, rest) = command.split();
    let (name, value) = rest.split_once(' ').unwrap_or((rest, ""));
    let is_on = match value.trim() {
        "on" => Some(true),
        "off" => Some(false),
        _ => None,
    };
    let empty = UserProfile {
        user: None,
        modified: None,
        services: None,
        privacy: None,
        terminals: None,
        properties: None,
    };
    let profile = match (first, is_on) {
        ("", _) => return Some(show(memory)),
        ("found-by", Some(on)) => UserProfile {
            privacy: Some(vec![PrivacyCapability {
                name: wire("USER", name),
                status: Some(if on { "Allowed" } else { "Denied" }.to_owned()),
            }]),
            ..empty
        },
        ("service", Some(on)) => UserProfile {
            services: Some(vec![ProfileService {
                name: name.to_owned(),
                status: Some(if on { "Active" } else { "Inactive" }.to_owned()),
                pse: None,
            }]),
            ..empty
        },
        ("found-by" | "service", None) => {
            let how = format!("write /profile {first} NAME on, or off");
            return Some(Meaning::Show(how));
        }
        (property, _) => UserProfile {
            properties: Some(vec![Property {
                name: wire("PP", property),
                value: Some(rest.to_owned()),
            }]),
            ..empty
        },
    };
    let request = UpdateUserProfileRequest {
        user: memory.requests.user().clone(),
        mode: Some("Merge".to_owned()),
        meta: memory.requests.meta(),
        profile: Some(profile),
    };
    Some(Meaning::done("profile", None, request.into()))
}

/// A name as it is typed, on the wire.
fn wire(start: &str, typed: &str) -> String {
    format!("{start}_{}", typed.to_ascii_uppercase().replace('-', "_"))
}

fn show(memory: &Memory) -> Meaning {
    let request = GetUserProfileRequest {
        user: memory.requests.user().clone(),
        meta: memory.requests.meta(),
        parts: None,
    };
    Meaning::ask(vec![request.into()], |_, answers| {
        let verdict = verdict(answers);
        match answers {
            [Primitive::GetUserProfileResponse(response)] if verdict.effective().is_success() => {
                screen::profile(response.profile.as_ref())
            }
            _ => screen::failed("profile", None, &verdict),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::super::Action;
    use super::super::tests::{answer, codec, said};

    #[test]
    fn what_is_told_of_oneself_is_merged_into_the_profile() {
        for (line, part) in [
            (
                "/profile first-name Alice Ann",
                "<Properties><Property><Name>PP_FIRST_NAME</Name><Value>Alice Ann</Value></Property></Properties>",
            ),
            (
                "/profile found-by email-address on",
                r#"<PrivacyStatus><Capability name="USER_EMAIL_ADDRESS" status="Allowed"/></PrivacyStatus>"#,
            ),
            (
                "/profile service IM off",
                r#"<SubscribedServices><Service name="IM" status="Inactive"/></SubscribedServices>"#,
            ),
        ] {
            let requests = said(&mut codec(), line);
            let xml = requests[0].1.to_xml(None);
            assert!(xml.contains(part), "{line}: {xml}");
            assert!(
                xml.contains(r#"userID="wv:alice@home.test" mode="Merge""#),
                "{xml}"
            );
        }
        let action = codec().understand("/profile found-by city");
        assert!(matches!(action, Action::Show(_)), "{action:?}");
    }

    #[test]
    fn a_profile_is_shown_line_by_line() {
        let mut codec = codec();
        let requests = said(&mut codec, "/profile");
        let profile = r#"<GetUserProfileResponse><Status code="200"/><UserProfile><SubscribedServices><Service name="IM" status="Active"/></SubscribedServices><PrivacyStatus><Capability name="USER_CITY" status="Allowed"/></PrivacyStatus><Properties><Property><Name>PP_CITY</Name><Value>Oslo</Value></Property></Properties></UserProfile></GetUserProfileResponse>"#;
        let told = answer(&mut codec, &requests[0].0, profile).unwrap();
        assert_eq!(
            told,
            "* service IM: Active\n* privacy USER_CITY: Allowed\n* PP_CITY: Oslo"
        );
    }
}
