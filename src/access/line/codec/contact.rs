//! Contacts: `/who`, `/add`, `/remove`.

use std::collections::BTreeMap;

use super::super::screen::{self, Contact};
use super::family::{Command, Family, Meaning, failure, filled, hears_nothing};
use super::memory::Memory;
use crate::imps::common::ContactList;
use crate::imps::primitive::contact_list::NickName;
use crate::imps::{Address, Primitive};

pub(super) const FAMILY: Family = Family {
    help: "\
/who                    who is on your contact lists, and their presence
/add ADDRESS [NAME]     add a contact, who may then see your presence
/remove ADDRESS         remove a contact",
    understand,
    hear: hears_nothing,
};

fn understand(memory: &mut Memory, command: &Command<'_>) -> Option<Meaning> {
    let requests = &memory.requests;
    match command.name {
        "who" => {
            let asked = vec![requests.lists(), requests.blocked()];
            Some(Meaning::then(asked, |memory, answers| {
                with_members(memory, "contacts", answers, contacts)
            }))
        }
        "add" | "remove" if command.rest.is_empty() => Some(command.needs_address()),
        "add" => {
            let (typed, name) = command.split();
            let user = requests.address(typed);
            let member = NickName {
                name: filled(name),
                user: user.clone(),
            };
            let request = requests.contacts(Some(member), None);
            Some(Meaning::done("add contact", Some(user), request))
        }
        "remove" => {
            let user = requests.address(command.rest);
            let request = requests.contacts(None, Some(user.clone()));
            Some(Meaning::done("remove contact", Some(user), request))
        }
        _ => None,
    }
}

/// Says what answers tell together with who is on each of the contact lists that one of them names.
pub(super) fn with_members(
    memory: &Memory,
    what: &'static str,
    answers: Vec<Primitive>,
    tell: fn(&Memory, &[Primitive]) -> String,
) -> Meaning {
    if let Some(status) = failure(&answers) {
        return Meaning::Show(screen::failed(what, None, status));
    }
    let lists = answers.iter().filter_map(|answer| match answer {
        Primitive::GetListResponse(response) => Some(&response.lists),
        _ => None,
    });
    let members = |id: &ContactList| memory.requests.members(id.list.clone());
    let requests: Vec<Primitive> = lists.flatten().map(members).collect();
    if requests.is_empty() {
        return Meaning::Show(tell(memory, &answers));
    }
    Meaning::ask(requests, move |memory, members| {
        // A list that has gone meanwhile has nobody on it.
        if let Some(status) = failure(members) {
            return screen::failed(what, None, status);
        }
        tell(memory, &[&answers[..], members].concat())
    })
}

/// Contacts, and those who are blocked or watched.
fn contacts(memory: &Memory, answers: &[Primitive]) -> String {
    let mut contacts: BTreeMap<Address, Contact> = BTreeMap::new();
    for answer in answers {
        match answer {
            Primitive::ListManageResponse(list) => {
                for member in list.members.iter().flatten() {
                    let contact = contacts.entry(member.user.clone()).or_default();
                    if contact.name.is_none() {
                        contact.name.clone_from(&member.name);
                    }
                }
            }
            Primitive::GetBlockedListResponse(lists) => {
                for id in lists.blocked.iter().flat_map(|list| &list.users) {
                    contacts.entry(id.user.clone()).or_default().blocked = true;
                }
            }
            _ => {}
        }
    }
    for (user, known) in &memory.watched {
        contacts.entry(user.clone()).or_default().watched = Some(known.clone());
    }
    screen::contacts(&contacts)
}
