//! Random comings and goings, roles and messages against a small model: who gets what.

use proptest::prelude::*;
use std::collections::BTreeSet;

use super::*;

const USERS: [&str; 6] = [
    "u0@d0.test",
    "u1@d0.test",
    "u2@d1.test",
    "u3@d1.test",
    "u4@d2.test",
    ALICE,
];

#[derive(Debug, Clone)]
enum Step {
    Join(usize),
    Leave(usize),
    Say(usize),
    Member(usize, bool),
    Admin(usize, usize),
    Reject(usize, usize, bool),
    Restrict(usize, bool),
    Restart,
    Wait,
}

fn step() -> impl Strategy<Value = Step> {
    let user = || 0..USERS.len();
    prop_oneof![
        5 => user().prop_map(Step::Join),
        2 => user().prop_map(Step::Leave),
        6 => user().prop_map(Step::Say),
        2 => (user(), any::<bool>()).prop_map(|(a, b)| Step::Member(a, b)),
        2 => (user(), user()).prop_map(|(a, b)| Step::Admin(a, b)),
        2 => (user(), user(), any::<bool>()).prop_map(|(a, b, c)| Step::Reject(a, b, c)),
        1 => (user(), any::<bool>()).prop_map(|(a, b)| Step::Restrict(a, b)),
        2 => Just(Step::Restart),
        1 => Just(Step::Wait),
    ]
}

/// What should be.
#[derive(Debug, Default)]
struct Model {
    members: BTreeSet<usize>,
    admins: BTreeSet<usize>,
    rejected: BTreeSet<usize>,
    joined: BTreeSet<usize>,
    restricted: bool,
    /// Messages each user should have got, in order.
    due: [Vec<String>; 6],
}

impl Model {
    fn is_member(&self, user: usize) -> bool {
        user == 5 || self.members.contains(&user)
    }

    fn is_admin(&self, user: usize) -> bool {
        user == 5 || self.admins.contains(&user)
    }

    /// The code of the answer.
    fn step(&mut self, step: &Step, said: usize) -> u16 {
        match *step {
            Step::Join(user) if self.joined.contains(&user) => 807,
            Step::Join(user) if self.rejected.contains(&user) => 809,
            Step::Join(user) if self.restricted && !self.is_member(user) => 816,
            Step::Join(user) => {
                self.joined.insert(user);
                200
            }
            Step::Leave(user) => {
                if self.joined.remove(&user) {
                    200
                } else {
                    808
                }
            }
            Step::Say(user) if self.joined.contains(&user) => {
                for other in self.joined.iter().filter(|other| **other != user) {
                    self.due[*other].push(said.to_string());
                }
                200
            }
            Step::Say(_) => 808,
            Step::Member(5, false) => 816,
            Step::Member(user, false) if !self.is_member(user) => 531,
            Step::Member(user, false) => {
                self.members.remove(&user);
                self.admins.remove(&user);
                self.admit();
                200
            }
            Step::Member(user, true) => {
                self.members.insert(user);
                200
            }
            Step::Admin(by, user) if self.is_admin(by) && user != 5 => {
                self.members.insert(user);
                self.admins.insert(user);
                200
            }
            Step::Admin(by, _) if self.is_admin(by) || self.is_member(by) => 816,
            Step::Admin(by, _) if self.joined.contains(&by) => 816,
            Step::Admin(..) => 810,
            Step::Reject(by, user, add) if self.is_admin(by) => match add {
                true if user == 5 => 816,
                true => {
                    self.rejected.insert(user);
                    self.joined.remove(&user);
                    200
                }
                false if self.rejected.remove(&user) => 200,
                false => 531,
            },
            Step::Restrict(by, on) if self.is_admin(by) => {
                self.restricted = on;
                self.admit();
                200
            }
            Step::Reject(..) | Step::Restrict(..) => 816,
            Step::Restart | Step::Wait => 0,
        }
    }

    /// Nobody is joined to a restricted group but its members.
    fn admit(&mut self) {
        if self.restricted {
            let members = self.members.clone();
            self.joined
                .retain(|user| *user == 5 || members.contains(user));
        }
    }
}

fn carry_out(world: &mut World, step: &Step, said: usize) -> u16 {
    let id = said.to_string();
    match *step {
        Step::Join(user) => world.does(USERS[user], join(CLUB, "")),
        Step::Leave(user) => world.does(USERS[user], leave(CLUB)),
        Step::Say(user) => world.does(USERS[user], to_group(&id, USERS[user], CLUB, &id)),
        Step::Member(user, true) => world.does(ALICE, add(CLUB, &[USERS[user]])),
        Step::Member(user, false) => world.does(ALICE, remove(CLUB, &[USERS[user]])),
        Step::Admin(by, user) => world.does(USERS[by], access(CLUB, &[USERS[user]], &[], &[])),
        Step::Reject(by, user, true) => world.does(USERS[by], reject(CLUB, &[USERS[user]], &[])),
        Step::Reject(by, user, false) => world.does(USERS[by], reject(CLUB, &[], &[USERS[user]])),
        Step::Restrict(by, on) => {
            let access = if on { "Restricted" } else { "Open" };
            world.does(USERS[by], set(CLUB, &[("AccessType", access)]))
        }
        Step::Restart => {
            world.restart();
            0
        }
        Step::Wait => {
            world.wait(1);
            0
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn each_user_gets_each_message_once_and_in_order(steps in prop::collection::vec(step(), 1..60)) {
        let mut world = World::with(|settings| settings.groups.max_recipients = 1000);
        world.add("alice");
        world.open(1, "alice");
        world.club(&[]);
        let mut model = Model { joined: [5].into(), ..Model::default() };
        let mut got: [Vec<String>; 6] = Default::default();
        for (said, step) in steps.iter().enumerate() {
            let expected = model.step(step, said);
            let code = carry_out(&mut world, step, said);
            prop_assert_eq!(code, expected, "{:?}", step);
            for (to, _, said) in world.told() {
                let user = USERS.iter().position(|user| *user == to).unwrap();
                got[user].push(said);
            }
            if matches!(step, Step::Restart) {
                world.open(1, "alice");
            }
            got[5].extend(texts(&world.heard(1)).into_iter().map(|(_, said)| said));
        }
        prop_assert_eq!(got, model.due);
    }
}
