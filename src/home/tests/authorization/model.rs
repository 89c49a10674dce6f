//! Random lists, grants, denials, cancellations and updates against a small model of WVFF 5.3.

mod publisher;

use proptest::prelude::*;
use std::collections::BTreeSet;

use super::*;
use crate::imps::presence::Attribute;
use publisher::Publisher;

const WATCHERS: [&str; 3] = ["w0@d0.test", "w1@d0.test", "w2@d1.test"];
const LISTS: [&str; 2] = ["friends", "work"];
/// What can be named; besides there is `X-Tune`, which only everything has in it.
const NAMED: [&str; 4] = [
    "OnlineStatus",
    "StatusText",
    "StatusMood",
    "PreferredLanguage",
];
const BEYOND: &str = "X-Tune";
const VALUES: [&str; 2] = ["HAPPY", "SAD"];

/// Names of attributes.
type Set = BTreeSet<&'static str>;

/// Numbers name watchers, lists and values; `None` for a set is everything.
#[derive(Debug, Clone)]
enum Step {
    NewList(usize),
    DeleteList(usize),
    Member(usize, usize, bool),
    /// The attribute list of a contact list, `None` to detach it.
    OfList(usize, Option<u8>),
    OfUser(usize, Option<u8>),
    Default(Option<u8>),
    Decide(usize, bool, Option<u8>),
    Cancel(usize),
    Watch(usize, Option<u8>),
    Unwatch(usize),
    Tell(usize, Option<usize>),
    Get(usize, Option<u8>),
    Open,
    Close,
    Restart,
    /// Alice goes to rest, if she can.
    Rest,
}

fn step() -> impl Strategy<Value = Step> {
    let watcher = || 0..WATCHERS.len();
    let list = || 0..LISTS.len();
    let set = || proptest::option::of(0..16_u8);
    // As a request, no names at all are everything.
    let asked = || proptest::option::of(1..16_u8);
    prop_oneof![
        2 => list().prop_map(Step::NewList),
        1 => list().prop_map(Step::DeleteList),
        4 => (list(), watcher(), any::<bool>()).prop_map(|(a, b, c)| Step::Member(a, b, c)),
        2 => (list(), set()).prop_map(|(a, b)| Step::OfList(a, b)),
        2 => (watcher(), set()).prop_map(|(a, b)| Step::OfUser(a, b)),
        1 => set().prop_map(Step::Default),
        4 => (watcher(), any::<bool>(), asked()).prop_map(|(a, b, c)| Step::Decide(a, b, c)),
        1 => watcher().prop_map(Step::Cancel),
        4 => (watcher(), asked()).prop_map(|(a, b)| Step::Watch(a, b)),
        1 => watcher().prop_map(Step::Unwatch),
        4 => (1..5_usize, proptest::option::of(0..2_usize)).prop_map(|(a, b)| Step::Tell(a, b)),
        2 => (watcher(), asked()).prop_map(|(a, b)| Step::Get(a, b)),
        1 => Just(Step::Open),
        1 => Just(Step::Close),
        1 => Just(Step::Restart),
        2 => Just(Step::Rest),
    ]
}

fn everything() -> Set {
    NAMED.into_iter().chain([BEYOND]).collect()
}

fn set(mask: Option<u8>) -> Set {
    match mask {
        None => everything(),
        Some(mask) => {
            let named = NAMED.into_iter().enumerate();
            let named = named.filter(|(at, _)| mask & (1 << at) != 0);
            named.map(|(_, name)| name).collect()
        }
    }
}

fn names(mask: Option<u8>) -> Vec<&'static str> {
    mask.map_or_else(Vec::new, |mask| set(Some(mask)).into_iter().collect())
}

/// The real one, and what the watchers know by what they were told.
struct Run {
    world: World,
    views: Vec<BTreeMap<String, String>>,
    /// Those who may be told again what they know: since a restart nobody knows what they were told.
    anew: BTreeSet<usize>,
    clients: u64,
}

impl Run {
    fn new() -> Self {
        Self {
            world: World::peopled(),
            views: vec![BTreeMap::new(); WATCHERS.len()],
            anew: BTreeSet::new(),
            clients: 0,
        }
    }

    fn ask(&mut self, xml: &str) {
        code(&mut self.world, "alice", xml);
    }

    fn step(&mut self, step: &Step, online: bool) {
        let create = |mask: Option<u8>| if mask.is_some() { "Create" } else { "Delete" };
        match step.clone() {
            Step::NewList(at) => {
                let id = format!("wv:alice/{}@home.test", LISTS[at]);
                self.ask(&format!(
                    r#"<CreateListRequest contactListID="{id}">META</CreateListRequest>"#
                ));
            }
            Step::DeleteList(at) => {
                let id = format!("wv:alice/{}@home.test", LISTS[at]);
                self.ask(&format!(
                    r#"<DeleteListRequest contactListID="{id}">META</DeleteListRequest>"#
                ));
            }
            Step::Member(at, who, add) => {
                let (id, who) = (LISTS[at], WATCHERS[who]);
                let change = if add {
                    format!(r#"<AddNickList><NickName userID="wv:{who}"/></AddNickList>"#)
                } else {
                    format!("<RemoveNickList>{}</RemoveNickList>", user(who))
                };
                self.ask(&format!(
                    r#"<ListManageRequest contactListID="wv:alice/{id}@home.test">META{change}</ListManageRequest>"#
                ));
            }
            Step::OfList(at, mask) => {
                self.ask(&attach(create(mask), false, &names(mask), &list(LISTS[at])));
            }
            Step::OfUser(who, mask) => {
                self.ask(&attach(
                    create(mask),
                    false,
                    &names(mask),
                    &user(WATCHERS[who]),
                ));
            }
            Step::Default(mask) => self.ask(&attach(create(mask), true, &names(mask), "")),
            Step::Decide(who, accept, mask) => {
                self.ask(&decide(WATCHERS[who], accept, &names(mask)));
            }
            Step::Cancel(who) => {
                let who = WATCHERS[who];
                self.ask(&format!(
                    r#"<CancelAuthRequest userID="wv:{who}">META</CancelAuthRequest>"#
                ));
            }
            Step::Watch(who, mask) => {
                // Who asks anew knows nothing.
                self.views[who].clear();
                self.anew.insert(who);
                assert_eq!(watch(&mut self.world, WATCHERS[who], &names(mask)), 200);
            }
            Step::Unwatch(who) => {
                self.views[who].clear();
                let request = format!(
                    "<UnsubscribeRequest>{}</UnsubscribeRequest>",
                    user("alice@home.test")
                );
                let request = decode_fragment(request.as_bytes()).unwrap();
                let domain = address(WATCHERS[who]).domain().to_owned();
                self.world.deliver(&domain, Some(WATCHERS[who]), request);
            }
            Step::Tell(at, value) => {
                let name = NAMED.into_iter().chain([BEYOND]).nth(at).unwrap();
                let value = match value {
                    Some(value) => update(&[(name, VALUES[value])]),
                    None => update(&[(name, "")]).replace("<Qualifier>T", "<Qualifier>F"),
                };
                self.ask(&value);
            }
            Step::Open if !online => {
                self.clients += 1;
                self.world.open(self.clients, "alice");
            }
            Step::Close if online => self.world.close(self.clients),
            Step::Restart => {
                self.world.restart();
                self.anew = (0..WATCHERS.len()).collect();
                self.world.wait(1);
            }
            Step::Rest => self.world.put_to_rest(),
            Step::Open | Step::Close | Step::Get(..) => {}
        }
    }

    /// Takes what the watchers are told: only what they may see, and only what is new to them.
    fn notifications(&mut self, model: &Publisher) {
        for primitive in self.world.sent() {
            let Primitive::PresenceNotification(notice) = primitive else {
                panic!("{primitive:?}");
            };
            for watcher in &notice.watchers {
                let at = WATCHERS
                    .iter()
                    .position(|w| *w == watcher.user.bare())
                    .unwrap();
                let values = notice.values.iter().flat_map(|value| &value.presence);
                for attribute in values.flat_map(|list| &list.attributes) {
                    self.hear(at, attribute, model);
                }
                self.anew.remove(&at);
            }
        }
    }

    fn hear(&mut self, watcher: usize, attribute: &Attribute, model: &Publisher) {
        let name = attribute.name.as_str();
        // The others are in everything, like what nobody knows.
        let class = if NAMED.contains(&name) { name } else { BEYOND };
        let wanted = &model.watchers[&watcher];
        let may_see = model.sees(watcher).contains(class) && wanted.contains(class);
        let is_again = self.anew.contains(&watcher);
        let before = self.views[watcher].get(name).cloned();
        if attribute.is_valid() {
            let value = match attribute.simple() {
                Some(text) => text.to_owned(),
                None => format!("{:?}", attribute.fields),
            };
            assert!(may_see, "{watcher} may not see {name}");
            let is_new = before.as_ref() != Some(&value);
            assert!(is_new || is_again, "{watcher} knows {name}");
            self.views[watcher].insert(name.to_owned(), value);
        } else {
            // That nothing is to be seen, and nobody will be asked, is told once.
            let is_last_word =
                model.view(watcher).is_empty() && model.undecided(watcher, wanted).is_empty();
            // That somebody who may see it finds no value is told with the others.
            let is_news = before.is_some() || is_again || is_last_word || may_see;
            assert!(is_news, "{watcher} told nothing new: no {name}");
            self.views[watcher].remove(name);
        }
    }

    /// What a watcher knows of what can be named.
    fn known(&self, watcher: usize) -> BTreeMap<String, String> {
        let view = self.views[watcher].iter();
        let named = view.filter(|(name, _)| everything().contains(name.as_str()));
        named
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    }

    fn states(&mut self) -> BTreeMap<(usize, String), Set> {
        let request = "<GetReactiveAuthStatusRequest>META</GetReactiveAuthStatusRequest>";
        let answer = ask(&mut self.world, "alice", request);
        let Primitive::GetReactiveAuthStatusResponse(response) = answer else {
            panic!("{answer:?}");
        };
        let mut states = BTreeMap::new();
        for state in response.states {
            let at = WATCHERS
                .iter()
                .position(|w| *w == state.user.bare())
                .unwrap();
            let names = match state.attributes.and_then(|list| list.presence) {
                None => everything(),
                Some(list) => {
                    let all = NAMED.into_iter();
                    let is_in =
                        |name: &&str| list.attributes.iter().any(|a| a.name.as_str() == *name);
                    all.filter(is_in).collect()
                }
            };
            states.insert((at, state.state.unwrap()), names);
        }
        states
    }

    fn get(&mut self, watcher: usize, mask: Option<u8>) -> BTreeMap<String, String> {
        let inside = elements(&names(mask));
        let xml = format!(
            r#"<GetPresenceRequest><VerUserID userID="wv:alice@home.test"/><AttributeList><PresenceSubList>{inside}</PresenceSubList></AttributeList></GetPresenceRequest>"#
        );
        let request = decode_fragment(xml.as_bytes()).unwrap();
        let domain = address(WATCHERS[watcher]).domain().to_owned();
        let answer = self
            .world
            .deliver(&domain, Some(WATCHERS[watcher]), request);
        let Some(Primitive::GetPresenceResponse(response)) = answer else {
            panic!("{answer:?}");
        };
        let lists = response
            .values
            .into_iter()
            .filter_map(|value| value.presence);
        let values = lists.flat_map(|list| list.attributes);
        let values = values.filter(Attribute::is_valid);
        let values = values.filter(|a| everything().contains(a.name.as_str()));
        values
            .map(|a| {
                (
                    a.name.as_str().to_owned(),
                    a.simple().unwrap_or_default().to_owned(),
                )
            })
            .collect()
    }

    fn questions(&mut self) -> BTreeSet<usize> {
        let events = self.world.heard(self.clients).into_iter();
        let asked = events.filter_map(|event| match event {
            Event::AuthorizationRequest { user, .. } => {
                WATCHERS.iter().position(|w| *w == user.bare())
            }
            _ => None,
        });
        asked.collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn presence_goes_only_to_those_who_may_see_it_and_all_of_it_does(
        steps in proptest::collection::vec(step(), 1..60)
    ) {
        let (mut run, mut model) = (Run::new(), Publisher::new());
        for step in &steps {
            let was_online = model.online;
            let asked = model.step(step);
            run.step(step, was_online);
            run.notifications(&model);
            prop_assert_eq!(run.questions(), asked, "{:?}", step);
            for watcher in 0..WATCHERS.len() {
                prop_assert_eq!(run.known(watcher), model.view(watcher), "{:?}", step);
            }
            let mut states = BTreeMap::new();
            for watcher in 0..WATCHERS.len() {
                for (state, set) in [
                    ("GRANTED", model.granted.get(&watcher).cloned().unwrap_or_default()),
                    ("DENIED", model.denied.get(&watcher).cloned().unwrap_or_default()),
                    ("PENDING", model.pending(watcher)),
                ] {
                    if !set.is_empty() {
                        states.insert((watcher, state.to_owned()), set);
                    }
                }
            }
            // What is beyond the named ones has no name of its own.
            let named = |states: BTreeMap<(usize, String), Set>| {
                let without = |mut set: Set| { set.remove(BEYOND); set };
                states.into_iter().map(|(k, set)| (k, without(set))).collect::<BTreeMap<_, _>>()
            };
            prop_assert_eq!(named(run.states()), named(states), "{:?}", step);
            if let Step::Get(watcher, mask) = step {
                let seen = model.seen(*watcher, &set(*mask));
                prop_assert_eq!(run.get(*watcher, *mask), seen);
            }
        }
    }
}
