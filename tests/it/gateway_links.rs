//! Several components, several links: what fails alone, two processes under one name, and what
//! domains of XMPP may do, with real servers.

use std::process::Stdio;

use serde_json::json;
use wvgate::node::Core;

use crate::cli_node::{self, Folder, PATIENCE, UNDIVIDED, free_port, output, wvgate};
use crate::gateway_edges::{alice, component, end_of, pair, tell_romeo};
use crate::gateway_servers::{ROMEO, peer, until};
use crate::support::ejabberd::Ejabberd;
use crate::support::prosody::Prosody;
use crate::support::server::{Server, Setup};
use crate::support::talk::Event;

/// A server with two components on one listener; ejabberd gives each connection the routes of both.
const SETUP: Setup = Setup {
    host: "xmpp.test",
    users: &[("romeo", "pw")],
    components: &[("village.test", "secret"), ("town.test", "secret")],
};

const OTHER: &str = "another process is connected";

fn ejabberd() -> Server {
    let Setup {
        host,
        users,
        components,
    } = SETUP;
    Server::Ejabberd(Box::new(Ejabberd::start(host, users, components, true)))
}

/// The configuration of a node that is the component village.test; its folder is another one each
/// time.
fn twin(server: &Server) -> (Folder, std::path::PathBuf) {
    let folder = Folder::new();
    let data = folder.0.join("data");
    let config = format!(
        "{UNDIVIDED}[node]\ndomain = \"village.test\"\ndata = {data:?}\n[ssp]\nlisten = \"127.0.0.1:{}\"\nplain = true\n\
         [admin]\nlisten = \"127.0.0.1:0\"\n[home]\n\
         [xmpp]\nserver = \"{}\"\ndomain = \"xmpp.test\"\nping_interval = \"300ms\"\nreconnect_max = \"2s\"\n{}",
        free_port(),
        server.component_address(),
        component("village.test"),
    );
    let config = folder.file("node.toml", &config);
    (folder, config)
}

/// What `wvgate check` says of the component on a configuration whose node does not run.
fn checked(config: &std::path::Path) -> (bool, String) {
    let output = output(config, &["check"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = said.lines().find(|line| line.contains("XMPP component"));
    let line = line.unwrap_or_else(|| panic!("{said}"));
    (output.status.success(), line.to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_under_one_name_are_noticed_where_the_server_takes_one_alone() {
    let server = SETUP.prosody();
    let (folder, config) = twin(&server);
    let (_other, other) = twin(&server);
    let first = cli_node::Node::start_on(folder, config);
    wait_until(|| first.get("/ready").0 == 200, "the first one to be ready");
    let (is_fine, line) = checked(&other);
    assert!(
        !is_fine && line.starts_with("FAIL") && line.contains(OTHER),
        "{line}"
    );
    // That another one has tried changes nothing for it.
    let ready = first.get("/ready");
    assert_eq!(ready.0, 200, "{}", ready.1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_under_one_name_are_noticed_where_the_server_shares_between_them() {
    let server = ejabberd();
    let (folder, config) = twin(&server);
    let (other_folder, other) = twin(&server);
    // Alone it is accepted.
    let (_, line) = checked(&other);
    assert!(line.starts_with("ok"), "{line}");
    let log = folder.0.join("log");
    let first = cli_node::Node::start_on(folder, config);
    let ready = || first.get("/ready").1;
    wait_until(|| first.get("/ready").0 == 200, "the first one to be ready");
    let (fine, line) = checked(&other);
    assert!(
        !fine && line.starts_with("FAIL") && line.contains(OTHER),
        "{line}"
    );

    let written = std::fs::File::create(&log).unwrap();
    let mut second = wvgate(&other)
        .arg("run")
        .stdout(Stdio::null())
        .stderr(written)
        .spawn()
        .unwrap();
    let reason = "xmpp: another process is connected as component village.test";
    wait_until(|| ready().contains(reason), reason);
    let told = || std::fs::read_to_string(&log).unwrap();
    wait_until(
        || told().contains("is connected to the XMPP server as village.test too"),
        "the second one's log",
    );
    // Beside the node the check says the same.
    let beside = output(&first.config, &["check"]);
    let beside = String::from_utf8_lossy(&beside.stdout).into_owned();
    assert!(beside.contains(OTHER), "{beside}");
    second.kill().unwrap();
    second.wait().unwrap();
    drop(other_folder);
}

fn wait_until(mut is_so: impl FnMut() -> bool, what: &str) {
    let deadline = std::time::Instant::now() + PATIENCE;
    while !is_so() {
        assert!(std::time::Instant::now() < deadline, "{what} did not come");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_ends_touches_its_components_alone_and_a_reload_changes_what_a_domain_may_do()
{
    let server = SETUP.prosody();
    let mut second = Prosody::build()
        .host("elsewhere.test")
        .component("hamlet.test", "secret")
        .start();
    let components = component("village.test")
        + &component("hamlet.test")
        + &format!("server = \"{}\"\n", second.component_address());
    let mut cluster = pair("village.test", &server.component_address(), &components).await;
    let mut romeo = server.login(ROMEO, "pw").await;
    romeo.tell(&json!({"do": "presence"}));
    let mut alice = alice(&cluster, "village.test").await;
    let both = |core: &mut Core| core.components.values().filter(|up| **up).count() == 2;
    cluster.until("xmpp.test", "both components", both).await;
    second.kill();
    let down = |core: &mut Core| !core.components["hamlet.test"];
    cluster
        .until("xmpp.test", "the end of hamlet.test", down)
        .await;
    let up = |core: &mut Core| core.components["village.test"];
    cluster.until("xmpp.test", "village.test", up).await;
    tell_romeo(&mut alice, "m1", "O Romeo".into()).await;
    romeo.wait_message("O Romeo").await;
    assert_eq!(end_of(&mut alice, "m1").await, 200);

    // Nothing passes any more, in either direction; then it does again.
    let xmpp = format!(
        "{}[xmpp]\nserver = \"{}\"\nsettle = \"200ms\"\nreconnect_max = \"1s\"\n{components}",
        peer("village.test", ""),
        server.component_address()
    );
    let denied = "[[xmpp.policy]]\ndomain = \"xmpp.test\"\naccess = \"deny\"\n";
    cluster.reload("xmpp.test", &(xmpp.clone() + denied)).await;
    tell_romeo(&mut alice, "m2", "Romeo?".into()).await;
    assert_eq!(end_of(&mut alice, "m2").await, 403);
    romeo.message("alice@village.test", "Speak again", "r1");
    let refused = romeo.wait("the refusal", |e| e["id"] == "r1" && e["type"] == "error");
    assert_eq!(refused.await["error"], "forbidden");
    cluster.reload("xmpp.test", &xmpp).await;
    romeo.message("alice@village.test", "bright angel", "r2");
    until(&mut alice, "romeo's message", |event| match event {
        Event::Message { text, .. } if text == "bright angel" => Some(()),
        _ => None,
    })
    .await;
}
