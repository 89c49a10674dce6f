//! Presence: the user's own, that of others, and who may see the user's.

use std::collections::BTreeMap;

use super::super::screen::{self, Sees};
use super::family::{Command, Family, Heard, Meaning, failure, filled, verdict};
use super::memory::Memory;
use crate::home::Known;
use crate::imps::presence::AttributeName;
use crate::imps::{Address, Primitive};

pub(super) const FAMILY: Family = Family {
    help: "\
/subscribe ADDRESS      watch somebody's presence; /unsubscribe ends it
/presence ADDRESS       ask for somebody's presence once
/allow ADDRESS          let somebody see your presence; /deny forbids it
/watchers               who watches you
/away [TEXT]  /busy [TEXT]  /back    your availability
/status TEXT  /mood WORD  /alias NAME   what others see of you",
    understand,
    hear,
};

fn understand(memory: &mut Memory, command: &Command<'_>) -> Option<Meaning> {
    let Command { name, rest } = *command;
    let about = match name {
        "away" => return Some(available(memory, "NOT_AVAILABLE", rest)),
        "busy" => return Some(available(memory, "DISCREET", rest)),
        "back" => return Some(available(memory, "AVAILABLE", rest)),
        "status" => {
            let text = Some(rest.to_owned());
            return Some(own(memory, vec![(AttributeName::StatusText, text)]));
        }
        "mood" => {
            let mood = filled(&rest.to_ascii_uppercase());
            return Some(own(memory, vec![(AttributeName::StatusMood, mood)]));
        }
        "alias" => return Some(own(memory, vec![(AttributeName::Alias, filled(rest))])),
        "watchers" => return Some(watchers(memory)),
        "subscribe" => watch,
        "unsubscribe" => unwatch,
        "presence" => ask_once,
        "allow" => allow,
        "deny" => deny,
        _ => return None,
    };
    if rest.is_empty() {
        return Some(command.needs_address());
    }
    Some(about(memory, memory.requests.address(rest)))
}

fn available(memory: &Memory, availability: &str, text: &str) -> Meaning {
    let mut values = vec![(
        AttributeName::UserAvailability,
        Some(availability.to_owned()),
    )];
    if let Some(text) = filled(text) {
        values.push((AttributeName::StatusText, Some(text)));
    }
    own(memory, values)
}

fn own(memory: &Memory, values: Vec<(AttributeName, Option<String>)>) -> Meaning {
    Meaning::done("presence", None, memory.requests.own_presence(values))
}

fn watch(memory: &Memory, user: Address) -> Meaning {
    let request = memory.requests.subscribe(user.clone());
    Meaning::ask(vec![request], move |memory, answers| {
        let verdict = verdict(answers);
        if verdict.code.is_success() && verdict.effective().is_success() {
            memory.watched.entry(user.clone()).or_default();
        }
        screen::done("subscribe", Some(&user), &verdict)
    })
}

fn unwatch(memory: &Memory, user: Address) -> Meaning {
    let request = memory.requests.unsubscribe(user.clone());
    Meaning::ask(vec![request], move |memory, answers| {
        memory.watched.remove(&user);
        screen::done("unsubscribe", Some(&user), &verdict(answers))
    })
}

fn ask_once(memory: &Memory, of: Address) -> Meaning {
    let request = memory.requests.presence_of(of.clone());
    Meaning::ask(vec![request], move |_, answers| {
        let verdict = verdict(answers);
        match answers {
            [Primitive::GetPresenceResponse(response)] if verdict.effective().is_success() => {
                let mut known = Known::default();
                let value = response.values.iter().find(|value| value.user == of);
                if let Some(list) = value.and_then(|value| value.presence.as_ref()) {
                    known.merge(list);
                }
                screen::presence(&of, &known)
            }
            _ => screen::failed("get presence", Some(&of), &verdict),
        }
    })
}

fn allow(memory: &Memory, user: Address) -> Meaning {
    let request = memory.requests.authorize(user.clone(), true);
    Meaning::done("authorize", Some(user), request)
}

fn deny(memory: &Memory, user: Address) -> Meaning {
    let request = memory.requests.authorize(user.clone(), false);
    Meaning::done("authorize", Some(user), request)
}

fn watchers(memory: &Memory) -> Meaning {
    let requests = &memory.requests;
    let list = requests.contacts(None, None);
    let requests = vec![requests.watchers(), requests.decisions(), list];
    Meaning::ask(requests, |_, answers| match failure(answers) {
        Some(status) => screen::failed("watchers", None, status),
        None => who_watches(answers),
    })
}

/// Who watches, and what each of them sees.
fn who_watches(answers: &[Primitive]) -> String {
    let mut sees: BTreeMap<Address, Sees> = BTreeMap::new();
    for answer in answers {
        if let Primitive::GetWatcherListResponse(list) = answer {
            let watchers = list.watchers.iter();
            sees.extend(watchers.map(|watcher| (watcher.user.clone(), Sees::Nothing)));
        }
    }
    let mut note = |user: &Address, what: Sees| {
        if let Some(sees) = sees.get_mut(user) {
            *sees = what;
        }
    };
    for answer in answers {
        if let Primitive::GetReactiveAuthStatusResponse(decisions) = answer {
            for decision in &decisions.states {
                match decision.state.as_deref() {
                    Some("GRANTED") => note(&decision.user, Sees::Presence),
                    Some("DENIED") => note(&decision.user, Sees::Denied),
                    Some("PENDING") => note(&decision.user, Sees::Pending),
                    _ => {}
                }
            }
        }
    }
    for answer in answers {
        if let Primitive::ListManageResponse(list) = answer {
            for member in list.members.iter().flatten() {
                note(&member.user, Sees::Presence);
            }
        }
    }
    screen::watchers(&sees)
}

fn hear(memory: &mut Memory, primitive: &Primitive) -> Option<Heard> {
    let news = match primitive {
        Primitive::PresenceAuthRequest(question) => {
            vec![screen::question(&question.requesting)]
        }
        Primitive::PresenceNotification(notification) => memory.see(notification),
        // A subscription that had been accepted.
        Primitive::Status(status) => {
            let users = status.details.iter().flat_map(|detail| &detail.users);
            let failed = users.map(|id| {
                memory.watched.remove(&id.user);
                screen::failed("subscribe", Some(&id.user), status)
            });
            failed.collect()
        }
        _ => return None,
    };
    Some((!news.is_empty()).then(|| news.join("\n")))
}
