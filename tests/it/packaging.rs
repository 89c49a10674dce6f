//! What comes along with the program and is not compiled: documents, make targets, the
//! service unit, the containers. Each must name only things that exist.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use wvgate::config::Config;

use crate::support::cluster::Folder;

#[test]
fn the_test_command_is_the_same_everywhere() {
    let run = read(".ci/run");
    let commands: Vec<&str> = run
        .lines()
        .filter(|line| !line.starts_with('#') && !line.starts_with("cd "))
        .collect();
    assert_eq!(commands, ["set -euo pipefail", "make test"]);
    assert!(read("README.md").contains("\nmake test"));
    assert!(read("README.md").contains("\nmake demo"));
}

#[test]
fn make_has_the_targets_it_promises() {
    let text = read("Makefile");
    for target in [
        "demo",
        "test",
        "lint",
        "audit",
        "fuzz",
        "bench",
        "man",
        "deb",
        "image",
        "package-tools",
        "fmt",
        "install-tools",
    ] {
        assert!(text.contains(&format!("\n{target}:")), "{target}");
        assert!(text.contains(&format!("'make {target} ")), "help: {target}");
    }
    for script in text
        .split_whitespace()
        .filter(|word| word.starts_with("scripts/"))
    {
        assert!(root().join(script).is_file(), "{script}");
    }
}

#[test]
fn files_named_in_the_documents_exist() {
    let folders = [
        "src/",
        "crates/",
        "config/",
        "mappings/",
        "docs/",
        "scripts/",
        "tests/",
        "certs/",
        "packaging/",
        "benches/",
    ];
    let mut seen = 0;
    for file in documents() {
        let text = fs::read_to_string(&file).unwrap();
        for word in code_words(&text) {
            let path = word.trim_end_matches(['.', ',', ':', ';']);
            let is_path = folders.iter().any(|folder| path.starts_with(folder))
                && !path.contains(['*', '<', '{', '…']);
            if is_path {
                seen += 1;
                assert!(
                    root().join(path).exists(),
                    "{} names {path}",
                    file.display()
                );
            }
        }
    }
    assert!(seen > 30, "{seen}");
}

#[test]
fn commands_named_in_the_documents_exist() {
    let mut commands = BTreeSet::new();
    for file in documents() {
        let text = fs::read_to_string(&file).unwrap();
        for piece in code_pieces(&text) {
            for rest in piece.split("wvgate ").skip(1) {
                let word: String = rest
                    .chars()
                    .take_while(|c| c.is_ascii_lowercase())
                    .collect();
                // "wvgate --help", or a sentence inside a picture.
                let follows = rest[word.len()..].starts_with([' ', '\n', '`']);
                let ends = rest.len() == word.len();
                if (word.len() > 1 && follows) || (!word.is_empty() && ends) {
                    commands.insert(word);
                }
            }
        }
    }
    for expected in [
        "run", "check", "reload", "chat", "explain", "status", "user",
    ] {
        assert!(commands.contains(expected), "{commands:?}");
    }
    for command in &commands {
        let help = Command::new(env!("CARGO_BIN_EXE_wvgate"))
            .args([command, "--help"])
            .output()
            .unwrap();
        assert!(help.status.success(), "wvgate {command} is not a command");
    }
}

#[test]
fn metrics_named_in_the_documents_exist() {
    let mut sources = String::new();
    for folder in ["src/node", "src/admin", "src/admin/metrics"] {
        for entry in fs::read_dir(root().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                sources.push_str(&fs::read_to_string(path).unwrap());
            }
        }
    }
    let mut seen = 0;
    for file in documents() {
        let text = fs::read_to_string(&file).unwrap();
        for word in code_words(&text) {
            let name: String = word
                .chars()
                .take_while(|c| c.is_ascii_lowercase() || *c == '_')
                .collect();
            if name.starts_with("wvgate_") {
                seen += 1;
                assert!(sources.contains(&name), "{} names {name}", file.display());
            }
        }
    }
    assert!(seen >= 10, "{seen}");
}

#[test]
fn every_dependency_is_explained() {
    let text = read("docs/dependencies.md");
    for manifest in ["Cargo.toml", "crates/wvgate-wire/Cargo.toml"] {
        let manifest: toml_edit::DocumentMut = read(manifest).parse().unwrap();
        for section in ["dependencies", "dev-dependencies"] {
            for (name, _) in manifest[section].as_table().unwrap() {
                assert!(text.contains(&format!("| `{name}` |")), "{name}");
            }
        }
    }
}

#[test]
fn what_is_installed_has_no_debug_information() {
    let manifest: toml_edit::DocumentMut = read("Cargo.toml").parse().unwrap();
    assert!(manifest["profile"]["release"].get("debug").is_none());
    assert!(read("Dockerfile").contains("cargo build --release --locked"));
}

#[test]
fn the_containers_name_only_what_is_there() {
    let compose = read("docker-compose.yml");
    let services = children(&compose, "services");
    let volumes = children(&compose, "volumes");
    assert_eq!(services, ["certs", "village", "relay", "xmpp", "prosody"]);
    let lists: Vec<&str> = compose
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- "))
        .collect();
    for line in &lists {
        if let Some((source, target)) = line.split_once(":/") {
            let known = match source.strip_prefix("./") {
                Some(file) => root().join(file).is_file(),
                None => volumes.iter().any(|volume| volume == source),
            };
            assert!(known, "{source} is mounted at /{target}");
        }
    }
    for domain in ["village.test", "relay.test", "xmpp.test"] {
        assert!(lists.contains(&domain), "{domain} has no alias");
        assert!(compose.contains(&format!("\"{domain}\"")), "no certificate");
    }
    // Tagged, so that it is known what runs; unhealthy as soon as it is not ready.
    let version = env!("CARGO_PKG_VERSION");
    let images = compose
        .lines()
        .filter_map(|line| line.trim().strip_prefix("image: "));
    let images: BTreeSet<&str> = images.collect();
    let expected = [
        format!("wvgate-prosody:{version}"),
        format!("wvgate:{version}"),
    ];
    assert!(images.iter().eq(expected.iter()), "{images:?}");
    let image = read("Dockerfile");
    assert!(image.contains(&format!("docker build -t wvgate:{version} ")));
    for file in [&compose, &image] {
        assert!(file.contains("\"status\", \"--ready\", \"--config\""));
    }
    for line in image.lines().filter(|line| line.starts_with("COPY config")) {
        let source = line.split_whitespace().nth(1).unwrap();
        assert!(root().join(source).is_file(), "{source}");
    }
    for stage in ["prosody", "wvgate"] {
        assert!(image.contains(&format!(" AS {stage}\n")));
        assert!(compose.contains(&format!("target: {stage}\n")));
    }
}

#[test]
fn the_containers_configurations_load_and_reach_each_other() {
    let folder = Folder::new("containers");
    let certificates = folder.0.join("certs");
    let made = Command::new(env!("CARGO_BIN_EXE_wvgate"))
        .arg("certs")
        .arg(&certificates)
        .args(["village.test", "relay.test", "xmpp.test"])
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let compose = read("docker-compose.yml");
    for name in ["village", "relay", "xmpp"] {
        let mount = format!("./config/docker/{name}.toml:/etc/wvgate/wvgate.toml:ro");
        assert!(compose.contains(&mount));
        let text = read(&format!("config/docker/{name}.toml"))
            .replace("/etc/wvgate/", &format!("{}/", folder.0.display()))
            .replace(
                "/var/lib/wvgate",
                &folder.0.join(name).display().to_string(),
            );
        let file = folder.0.join(format!("{name}.toml"));
        fs::write(&file, text).unwrap();
        let loaded = Config::load(&file, Vec::new()).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(loaded.warnings, Vec::new());
        assert_eq!(loaded.config.node.domain, format!("{name}.test"));
        // Metrics are reached from outside, by the port that is let out.
        let admin = loaded.config.admin.listen.unwrap();
        assert!(admin.ip().is_unspecified() && loaded.config.admin.public);
        assert!(compose.contains(&format!(":{}\"", admin.port())));
        for peer in &loaded.config.peer {
            let url = format!(
                "https://{}:{}/",
                peer.domain,
                loaded.config.ssp.listen.port()
            );
            assert_eq!(peer.url.as_deref(), Some(url.as_str()));
        }
        if let Some(xmpp) = &loaded.config.xmpp {
            assert_eq!(xmpp.server, "prosody:5347");
            let server = read("config/docker/prosody.cfg.lua");
            assert!(server.contains("component_ports = { 5347 }"));
            for component in &xmpp.component {
                let (domain, secret) = (&component.domain, component.secret.expose());
                assert!(server.contains(&format!("Component \"{domain}\"\n")));
                assert!(server.contains(&format!("component_secret = \"{secret}\"\n")));
            }
        }
    }
}

/// Names one level below a key of the top level.
fn children(yaml: &str, key: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut inside = false;
    for line in yaml.lines() {
        assert!(!line.contains('\t'), "a tab in: {line}");
        let depth = line.len() - line.trim_start().len();
        assert!(depth.is_multiple_of(2), "odd indentation: {line}");
        let text = line.trim();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        match depth {
            0 => inside = text == format!("{key}:"),
            2 if inside => {
                let name = text.strip_suffix(':');
                names.push(name.unwrap_or_else(|| panic!("{line}")).to_owned());
            }
            _ => {}
        }
    }
    names
}

/// The README and everything in docs/ and packaging/.
fn documents() -> Vec<PathBuf> {
    let pages = ["README", "CHANGELOG", "CONTRIBUTING", "SECURITY"];
    let mut files: Vec<PathBuf> = pages.map(|page| root().join(format!("{page}.md"))).to_vec();
    for folder in ["docs", "packaging"] {
        let entries = fs::read_dir(root().join(folder)).unwrap();
        files.extend(
            entries
                .map(|entry| entry.unwrap().path())
                .filter(|path| path.extension().is_some_and(|extension| extension == "md")),
        );
    }
    files.sort();
    assert!(files.len() >= 8, "{files:?}");
    files
}

/// What stands in back-ticks or in a fenced block.
fn code_pieces(text: &str) -> Vec<String> {
    let mut pieces = Vec::new();
    for (number, block) in text.split("```").enumerate() {
        if number % 2 == 1 {
            pieces.push(block.to_owned());
        } else {
            pieces.extend(block.split('`').skip(1).step_by(2).map(str::to_owned));
        }
    }
    pieces
}

/// The words of all pieces of code.
fn code_words(text: &str) -> Vec<String> {
    code_pieces(text)
        .iter()
        .flat_map(|piece| piece.split_whitespace().map(str::to_owned))
        .collect()
}

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_path_buf()
}

pub(crate) fn read(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}
