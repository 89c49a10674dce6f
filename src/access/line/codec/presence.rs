//! Presence: the user's own, that of others, and who may see the user's.

use std::collections::BTreeMap;

use super::super::screen::{self, Sees};
use super::contact::with_members;
use super::family::{Command, Family, Heard, Meaning, filled, verdict};
use super::list::attributes;
use super::memory::Memory;
use crate::home::Known;
use crate::imps::presence::AttributeName;
use crate::imps::{Address, Primitive};

pub(super) const FAMILY: Family = Family {
    help: "\
/subscribe ADDRESS      watch somebody's presence; /unsubscribe ends it
/presence ADDRESS       ask for somebody's presence once
/allow ADDRESS [ATTRIBUTE...]   let somebody see your presence, all or these; /deny forbids it
/forget ADDRESS         take that back: when they ask again, so are you
/watchers               who watches you
/away [TEXT]  /busy [TEXT]  /back    your availability
/status TEXT  /mood WORD  /alias NAME   what others see of you
/tell ATTRIBUTE [TEXT]  FreeTextLocation, PreferredLanguage or PLMN; without text it is unknown again",
    understand,
    hear,
};

/// Attributes of plain text without a command of their own.
const TOLD: [AttributeName; 3] = [
    AttributeName::FreeTextLocation,
    AttributeName::PreferredLanguage,
    AttributeName::PLMN,
];

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
        "tell" => return Some(tell(memory, command)),
        "watchers" => return Some(watchers(memory)),
        "subscribe" => watch,
        "unsubscribe" => unwatch,
        "presence" => ask_once,
        "allow" | "deny" if !rest.is_empty() => return Some(authorize(memory, command)),
        "allow" | "deny" | "forget" => forget,
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
                let list = value.and_then(|value| value.presence.as_ref());
                if let Some(list) = list {
                    known.merge(list);
                }
                screen::presence(&of, &known) + &screen::more(list)
            }
            _ => screen::failed("get presence", Some(&of), &verdict),
        }
    })
}

/// Grants or denies somebody attributes, or all.
fn authorize(memory: &Memory, command: &Command<'_>) -> Meaning {
    let (typed, words) = command.split();
    let words: Vec<&str> = words.split_whitespace().collect();
    let names = match &words[..] {
        [] => Ok(None),
        words => attributes(words),
    };
    match names {
        Ok(names) => {
            let user = memory.requests.address(typed);
            let accepts = command.name == "allow";
            let request = memory.requests.authorize(user.clone(), accepts, names);
            Meaning::done("authorize", Some(user), request)
        }
        Err(why) => Meaning::Show(why),
    }
}

fn forget(memory: &Memory, user: Address) -> Meaning {
    let request = memory.requests.forget(user.clone());
    Meaning::done("forget", Some(user), request)
}

/// An attribute that has no command of its own.
fn tell(memory: &Memory, command: &Command<'_>) -> Meaning {
    let (name, text) = command.split();
    let mut names = TOLD.iter();
    match names.find(|told| told.as_str().eq_ignore_ascii_case(name)) {
        Some(name) => own(memory, vec![(name.clone(), filled(text))]),
        None => Meaning::Show("/tell needs one of the attributes that /help names".to_owned()),
    }
}

fn watchers(memory: &Memory) -> Meaning {
    let requests = &memory.requests;
    let requests = vec![requests.watchers(), requests.decisions(), requests.lists()];
    Meaning::then(requests, |memory, answers| {
        with_members(memory, "watchers", answers, who_watches)
    })
}

/// Who watches, and what each of them sees.
fn who_watches(_: &Memory, answers: &[Primitive]) -> String {
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
            // What was granted of several attributes says most.
            for (state, sees) in [
                ("DENIED", Sees::Denied),
                ("PENDING", Sees::Pending),
                ("GRANTED", Sees::Presence),
            ] {
                let states = decisions.states.iter();
                for decision in states.filter(|d| d.state.as_deref() == Some(state)) {
                    note(&decision.user, sees);
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
            let attributes = question.attributes.as_ref();
            let attributes = attributes.and_then(|list| list.presence.as_ref());
            vec![screen::question(&question.requesting, attributes)]
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
