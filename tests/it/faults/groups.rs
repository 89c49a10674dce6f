//! Groups over real nodes, with members on three domains; the group's node is killed.
//!
//! ```text
//!             group.test
//!            /    |     \
//!      a.test   b.test   c.test
//! ```

use std::time::Duration;

use wvgate::imps::common::{MetaInfo, Property, ScreenName};
use wvgate::imps::primitive::group::{GroupProperties, JoinGroupRequest, LeaveGroupRequest};
use wvgate::imps::primitive::group_admin::{CreateGroupRequest, SetGroupPropsRequest};
use wvgate::imps::{Address, Primitive};

use super::{Heard, home, login, names, send};
use crate::support::client::Client;
use crate::support::process::World;
use crate::support::talk::{Command, Event};

const GROUP: &str = "group.test";
const NEWS: &str = "wv:/news@group.test";
const DOMAINS: [(&str, &str); 3] = [("a.test", "alice"), ("b.test", "bob"), ("c.test", "carol")];
const COUNT: usize = 100;
const PACE: Duration = Duration::from_millis(10);

/// The domain of the group between three others. Nothing is started.
fn around() -> World {
    let mut world = World::new(&[GROUP, "a.test", "b.test", "c.test"]);
    let ssp = "response_timeout = \"4s\"";
    let mut sections = String::new();
    for (domain, user) in DOMAINS {
        sections += &world.peer(domain, &[]);
        let section = world.peer(GROUP, &[]) + &home(user, GROUP);
        world.configure(domain, ssp, &section);
    }
    sections += "[home]\n[[home.user]]\nname = \"gina\"\npassword = \"secret\"\n";
    sections += "[[home.group]]\nname = \"news\"\nhistory = true\nadmins = [\"alice@a.test\"]\n";
    world.configure(GROUP, ssp, &sections);
    world
}

fn meta(user: &str) -> Option<MetaInfo> {
    let user = Address::new(user);
    Some(MetaInfo::of_user(user.domain(), user.clone()))
}

fn join(user: &str, group: &str, name: &str) -> Primitive {
    let group = Address::new(group);
    let request = JoinGroupRequest {
        joined_list: true,
        subscribe: true,
        meta: meta(user),
        screen_name: Some(ScreenName {
            group: group.clone(),
            name: name.to_owned(),
        }),
        own: None,
        group,
    };
    request.into()
}

/// Asks, and waits for the answer's code; what else is heard meanwhile is noted.
async fn ask(client: &mut Client, primitive: Primitive, heard: &mut Heard) -> u16 {
    client.request("asked", primitive).await.unwrap();
    let answered = async {
        loop {
            match client.take().await.expect("the session lives") {
                Event::Answer { primitive, .. } => {
                    return primitive.verdict().map_or(0, |status| status.code.0);
                }
                event => heard.note(event),
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(40), answered)
        .await
        .expect("an answer")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_on_three_domains_talk_in_a_group_of_a_fourth() {
    let mut world = around();
    world.start(GROUP).await;
    let mut gina = login(&world, "gina", GROUP).await;
    let club = "wv:gina/club@group.test";
    let create = CreateGroupRequest {
        group: Address::new(club),
        join: true,
        subscribe: true,
        meta: meta("gina@group.test"),
        properties: Some(GroupProperties {
            properties: vec![Property {
                name: "Topic".to_owned(),
                value: Some("Books".to_owned()),
            }],
            welcome: None,
        }),
        own: None,
        screen_name: None,
    };
    let mut heard = Heard::default();
    assert_eq!(ask(&mut gina, create.into(), &mut heard).await, 200);
    let mut clients = Vec::new();
    for (domain, user) in DOMAINS {
        world.start(domain).await;
        let mut client = login(&world, user, domain).await;
        let address = format!("{user}@{domain}");
        let mut heard = Heard::default();
        let code = ask(&mut client, join(&address, club, user), &mut heard).await;
        assert_eq!(code, 200, "{address}");
        let again = ask(&mut client, join(&address, club, "again"), &mut heard).await;
        assert_eq!(again, 807, "{address}");
        clients.push((client, heard, address));
    }
    // Each says something, and the group reports that it has it.
    for (number, (client, heard, _)) in clients.iter_mut().enumerate() {
        let message = Command::Message {
            to: Address::new(club),
            text: format!("from {number}"),
            report: true,
            id: Some(format!("m{number}")),
        };
        client.command(message).await.unwrap();
        let is_reported = |heard: &Heard| !heard.sent.is_empty() && !heard.reports.is_empty();
        heard.until(client, is_reported).await;
        assert_eq!(heard.sent, [(format!("m{number}"), 200)]);
        assert_eq!(heard.reports, [(format!("m{number}"), 200)]);
    }
    send(&gina, club, "from gina", "g1").await;
    heard
        .until(&mut gina, |heard| {
            heard.texts.len() == 3 && heard.sent.len() == 1
        })
        .await;
    for (number, (client, heard, _)) in clients.iter_mut().enumerate() {
        heard.until(client, |heard| heard.texts.len() == 3).await;
        let others = (0..3).filter(|other| *other != number);
        let mut expected: Vec<String> = others.map(|other| format!("from {other}")).collect();
        expected.push("from gina".to_owned());
        assert_eq!(heard.texts, expected);
    }
    // Who has no say in it changes nothing, and who leaves hears no more.
    let (client, heard, address) = &mut clients[0];
    let topic = SetGroupPropsRequest {
        group: Address::new(club),
        meta: meta(address),
        properties: Some(GroupProperties {
            properties: Vec::new(),
            welcome: None,
        }),
        own: None,
    };
    assert_eq!(ask(client, topic.into(), heard).await, 816);
    let leave = LeaveGroupRequest {
        group: Address::new(club),
        meta: meta(address),
    };
    assert_eq!(ask(client, leave.clone().into(), heard).await, 200);
    assert_eq!(ask(client, leave.into(), heard).await, 808);
    send(&gina, club, "after", "g2").await;
    for (client, heard, _) in &mut clients[1..] {
        let is_last = |heard: &Heard| heard.texts.last().is_some_and(|last| last == "after");
        heard.until(client, is_last).await;
    }
    world.rest().await;
    let (client, heard, address) = &mut clients[0];
    assert_eq!(ask(client, join(address, club, "back"), heard).await, 200);
    assert_eq!(heard.texts.len(), 3, "{heard:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_node_of_a_group_loses_and_doubles_nothing() {
    let mut world = around();
    world.spawn(GROUP);
    let mut clients = Vec::new();
    for (domain, user) in DOMAINS {
        world.start(domain).await;
        let mut client = login(&world, user, domain).await;
        let address = format!("{user}@{domain}");
        let mut heard = Heard::default();
        let code = ask(&mut client, join(&address, NEWS, user), &mut heard).await;
        assert_eq!(code, 200, "{address}");
        clients.push((client, heard));
    }
    let said: Vec<Vec<String>> = ['a', 'b', 'c'].map(|letter| names(letter, COUNT)).into();
    for n in 0..COUNT {
        for ((client, _), texts) in clients.iter().zip(&said) {
            send(client, NEWS, &texts[n], &texts[n]).await;
        }
        tokio::time::sleep(PACE).await;
        match n {
            30 | 65 => world.kill(GROUP),
            40 | 75 => world.spawn(GROUP),
            _ => {}
        }
    }
    for (number, (client, heard)) in clients.iter_mut().enumerate() {
        let all = 2 * COUNT;
        heard
            .until(client, |heard| {
                heard.texts.len() >= all && heard.sent.len() >= COUNT
            })
            .await;
        heard.assert_all_taken(&said[number]);
        // Of each of the others everything, once, in order.
        for (other, texts) in said.iter().enumerate() {
            let from_them = heard.texts.iter().filter(|text| texts.contains(text));
            let from_them: Vec<&String> = from_them.collect();
            if other == number {
                assert_eq!(from_them, Vec::<&String>::new());
            } else {
                assert_eq!(from_them, texts.iter().collect::<Vec<_>>());
            }
        }
    }
    world.rest().await;
    // Nothing more comes.
    for (number, (client, _)) in clients.iter().enumerate() {
        send(
            client,
            NEWS,
            &format!("last {number}"),
            &format!("last{number}"),
        )
        .await;
    }
    for (client, heard) in &mut clients {
        heard
            .until(client, |heard| heard.texts.len() >= 2 * COUNT + 2)
            .await;
        let last = heard.texts.iter().filter(|text| text.starts_with("last"));
        assert_eq!(last.count(), 2);
        assert_eq!(heard.texts.len(), 2 * COUNT + 2);
    }
}
