//! What `docs/xmpp` tells people to write and to type, as it stands there, beside the real servers.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::json;

use crate::cli_node::{Folder, Node};
use crate::support::cluster::free_port;
use crate::support::divided::divide_into;
use crate::support::ejabberd::Ejabberd;
use crate::support::prosody::Prosody;
use crate::support::server::Server;

const USERS: &[(&str, &str)] = &[("romeo", "pw")];

/// A guide.
struct Guide(String);

impl Guide {
    fn of(name: &str) -> Self {
        let file = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("docs/xmpp")
            .join(name);
        Self(fs::read_to_string(file).unwrap())
    }

    /// The text of the only block of a kind.
    fn block(&self, kind: &str) -> String {
        let start = format!("\n```{kind}\n");
        let mut blocks = self.0.split(&start).skip(1);
        let block = blocks
            .next()
            .unwrap_or_else(|| panic!("no block of {kind}"));
        assert_eq!(blocks.next(), None, "two blocks of {kind}");
        format!("{}\n", block.split("\n```").next().unwrap())
    }
}

/// Types a line, as in a shell in which the program is found; what it says.
fn typed(line: &str, config: &Path) -> String {
    let program = Path::new(env!("CARGO_BIN_EXE_wvgate"));
    let path = std::env::var("PATH").unwrap_or_default();
    let folder = program.parent().unwrap().display();
    let mut shell = Command::new("sh");
    shell
        .args(["-c", line])
        .env("PATH", format!("{folder}:{path}"))
        .env("WVGATE_CONFIG", config)
        .env_remove("WVGATE_SOCKET")
        .env_remove("WVGATE_PASSWORD")
        .stdin(Stdio::null());
    divide_into(&mut shell, 1);
    let output = shell.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{line}: {said}{errors}");
    said
}

/// Does what a guide says of the node, and sees that it is so.
async fn follow(guide: &Guide, server: &Server) {
    let folder = Folder::new();
    let component_port = server.component_address();
    let secret = folder.file("village.secret", guide.block("text").trim());
    let ours = folder.0.display().to_string();
    let config = guide
        .block("toml")
        .replace("/etc/wvgate", &ours)
        .replace("/var/lib/wvgate", &format!("{ours}/data"))
        .replace("127.0.0.1:5347", &component_port)
        .replace("127.0.0.1:5280", &format!("127.0.0.1:{}", free_port()));
    let config = folder.file(
        "wvgate.toml",
        &format!("{}{config}", crate::cli_node::UNDIVIDED),
    );
    restrict(&secret);

    let said = typed(guide.block("sh before").trim(), &config);
    let accepted = "XMPP component village.example is accepted";
    assert!(
        said.lines()
            .any(|line| line.starts_with("ok") && line.contains(accepted)),
        "{said}"
    );

    let node = Node::start_on(folder, config);
    let mut romeo = server.login("romeo@xmpp.example", "pw").await;
    romeo.tell(&json!({"do": "presence"}));
    for line in guide.block("sh").lines() {
        let said = typed(line, &node.config);
        if line.contains("wvgate send") {
            assert!(said.contains("delivered"), "{said}");
        }
    }
    let message = romeo.wait_message("Hello from the village").await;
    assert!(
        message["from"]
            .as_str()
            .unwrap()
            .starts_with("alice@village.example"),
        "{message}"
    );
    romeo.message("echo@village.example", "is anybody there", "e-1");
    romeo.wait_message("is anybody there").await;
    // The village is among the services of the server, and says what it is.
    romeo.raw(
        "<iq type='get' id='items' to='xmpp.example'><query xmlns='http://jabber.org/protocol/disco#items'/></iq>",
    );
    let items = romeo.wait("the services", |e| e["id"] == "items").await;
    assert!(
        items["xml"].as_str().unwrap().contains("village.example"),
        "{items}"
    );
    romeo.tell(&json!({"do": "disco_info", "to": "village.example", "id": "info"}));
    let info = romeo.wait("what it is", |e| e["id"] == "info").await;
    let told = info["xml"].as_str().unwrap();
    for part in ["category=\"server\"", "name=\"village.example\""] {
        assert!(told.contains(part), "{told}");
    }
}

#[cfg(unix)]
fn restrict(file: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
}

#[cfg(not(unix))]
fn restrict(_file: &Path) {}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_guide_for_prosody_works_as_it_is_written() {
    let guide = Guide::of("prosody.md");
    let mut builder = Prosody::build().lines(&guide.block("lua"));
    for (user, password) in USERS {
        builder = builder.user(user, "xmpp.example", password);
    }
    let http = format!(
        "http_ports = {{ {} }}\nhttp_interfaces = {{ \"127.0.0.1\" }}",
        free_port()
    );
    let prosody = builder.setting(&http).start();
    follow(&guide, &Server::Prosody(prosody)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_guide_for_ejabberd_works_as_it_is_written() {
    let guide = Guide::of("ejabberd.md");
    let (listener, modules) = (guide.block("yaml listen"), guide.block("yaml modules"));
    let ejabberd = Ejabberd::start_with("xmpp.example", USERS, &listener, &modules);
    follow(&guide, &Server::Ejabberd(Box::new(ejabberd))).await;
}
