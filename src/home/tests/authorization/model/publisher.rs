//! A publisher and those who watch, as WVFF 5.3 has them.

use super::*;

/// The publisher as the specification has them.
#[derive(Debug, Default)]
pub(super) struct Publisher {
    /// Members of each contact list, and its attribute list.
    pub(super) lists: BTreeMap<usize, (BTreeSet<usize>, Option<Set>)>,
    /// The default attribute list: everything, until somebody touches it.
    pub(super) default: Option<Set>,
    pub(super) individual: BTreeMap<usize, Set>,
    pub(super) granted: BTreeMap<usize, Set>,
    pub(super) denied: BTreeMap<usize, Set>,
    /// Those who watch, with what they want.
    pub(super) watchers: BTreeMap<usize, Set>,
    /// Those of whom the publisher was told that they ask.
    pub(super) asked: BTreeSet<usize>,
    pub(super) values: BTreeMap<&'static str, String>,
    pub(super) online: bool,
}

impl Publisher {
    pub(super) fn new() -> Self {
        Self {
            default: Some(everything()),
            ..Self::default()
        }
    }

    /// 5.3.2: authorized before anyone asks.
    pub(super) fn proactive(&self, user: usize) -> Set {
        if let Some(own) = self.individual.get(&user) {
            return own.clone();
        }
        let default = &self.default;
        let mut all = Set::new();
        for (members, own) in self.lists.values() {
            if members.contains(&user) {
                all.extend(own.clone().or(default.clone()).unwrap_or_default());
            }
        }
        all
    }

    /// 5.3.6: what is granted on request counts only where nothing is authorized before.
    pub(super) fn sees(&self, user: usize) -> Set {
        let proactive = self.proactive(user);
        if proactive.is_empty() {
            return self.granted.get(&user).cloned().unwrap_or_default();
        }
        proactive
    }

    /// 5.3.3: what was requested and neither granted nor denied.
    pub(super) fn undecided(&self, user: usize, requested: &Set) -> Set {
        if !self.proactive(user).is_empty() {
            return Set::new();
        }
        let said = |sets: &BTreeMap<usize, Set>| sets.get(&user).cloned().unwrap_or_default();
        let (granted, denied) = (said(&self.granted), said(&self.denied));
        let open = requested.iter().filter(|name| !granted.contains(*name));
        open.filter(|name| !denied.contains(*name))
            .copied()
            .collect()
    }

    pub(super) fn pending(&self, user: usize) -> Set {
        match self.watchers.get(&user) {
            Some(wanted) if self.asked.contains(&user) => self.undecided(user, wanted),
            _ => Set::new(),
        }
    }

    /// What a watcher knows once they were told all.
    pub(super) fn view(&self, user: usize) -> BTreeMap<String, String> {
        let Some(wanted) = self.watchers.get(&user) else {
            return BTreeMap::new();
        };
        self.seen(user, wanted)
    }

    pub(super) fn seen(&self, user: usize, wanted: &Set) -> BTreeMap<String, String> {
        let sees = self.sees(user);
        let mut values = self.values.clone();
        let online = if self.online { "T" } else { "F" };
        values.insert("OnlineStatus", online.to_owned());
        let seen = values.into_iter().filter(|(name, _)| sees.contains(name));
        let seen = seen.filter(|(name, _)| wanted.contains(name));
        seen.map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// Does a step. Says whom the publisher is asked about.
    pub(super) fn step(&mut self, step: &Step) -> BTreeSet<usize> {
        let mut asked = BTreeSet::new();
        match step.clone() {
            Step::NewList(list) => {
                self.lists.entry(list).or_default();
            }
            Step::DeleteList(list) => {
                self.lists.remove(&list);
            }
            Step::Member(list, user, true) => {
                if let Some((members, _)) = self.lists.get_mut(&list) {
                    members.insert(user);
                    // Whoever is authorized now has no question left.
                    if !self.proactive(user).is_empty() {
                        self.asked.remove(&user);
                    }
                }
            }
            Step::Member(list, user, false) => {
                if let Some((members, _)) = self.lists.get_mut(&list) {
                    members.remove(&user);
                }
            }
            Step::OfList(list, mask) => {
                if let Some((_, own)) = self.lists.get_mut(&list) {
                    *own = mask.map(|mask| set(Some(mask)));
                }
            }
            Step::OfUser(user, Some(mask)) => {
                self.individual.insert(user, set(Some(mask)));
            }
            Step::OfUser(user, None) => {
                self.individual.remove(&user);
            }
            Step::Default(mask) => self.default = mask.map(|mask| set(Some(mask))),
            Step::Decide(user, accept, mask) => {
                let (more, less) = if accept {
                    (&mut self.granted, &mut self.denied)
                } else {
                    (&mut self.denied, &mut self.granted)
                };
                more.entry(user).or_default().extend(set(mask));
                less.entry(user)
                    .or_default()
                    .retain(|name| !set(mask).contains(name));
            }
            Step::Cancel(user) => {
                self.granted.remove(&user);
                self.denied.remove(&user);
                self.asked.remove(&user);
            }
            Step::Watch(user, mask) => {
                let (wanted, known) = (set(mask), self.pending(user));
                let new = self.undecided(user, &wanted);
                if !new.is_subset(&known) {
                    self.asked.insert(user);
                    asked.insert(user);
                }
                self.watchers.insert(user, wanted);
            }
            Step::Unwatch(user) => {
                self.watchers.remove(&user);
                self.asked.remove(&user);
            }
            Step::Tell(at, value) => {
                let name = NAMED.into_iter().chain([BEYOND]).nth(at).unwrap();
                match value {
                    Some(value) => self.values.insert(name, VALUES[value].to_owned()),
                    None => self.values.remove(name),
                };
            }
            Step::Open if !self.online => {
                self.online = true;
                let users = 0..WATCHERS.len();
                asked.extend(users.filter(|user| !self.pending(*user).is_empty()));
            }
            Step::Close | Step::Restart => self.online = false,
            Step::Get(..) | Step::Open | Step::Rest => {}
        }
        if self.online { asked } else { BTreeSet::new() }
    }
}
