//! The configuration as an operator meets it: every shipped file loads, the reference is
//! complete and tells the true defaults, and each mistake yields the line that helps.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use wvgate::config::{Config, ConfigError, Duration, Loaded};

/// A directory of its own for each test, removed afterwards.
struct Dir(PathBuf);

impl Dir {
    fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!(
            "wvgate-config-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn load(&self, text: &str, env: &[(&str, &str)]) -> Result<Loaded, ConfigError> {
        let path = self.0.join("a.toml");
        fs::write(&path, text).unwrap();
        let env = env
            .iter()
            .map(|(name, value)| ((*name).to_string(), (*value).to_string()));
        Config::load(path, env)
    }

    /// What is printed for this text, without the directory's name; empty if it is fine.
    fn mistakes(&self, text: &str, env: &[(&str, &str)]) -> String {
        let error = self.load(text, env).err();
        self.shown(&error.map_or_else(String::new, |error| error.to_string()))
    }

    fn warnings(&self, text: &str) -> String {
        let loaded = self.load(text, &[]).unwrap();
        let lines: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
        self.shown(&lines.join("\n"))
    }

    fn shown(&self, text: &str) -> String {
        text.replace(&format!("{}/", self.0.display()), "")
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn every_shipped_file_loads_without_warnings() {
    let files = shipped();
    assert!(files.len() >= 8, "{files:?}");
    for file in files {
        let dir = Dir::new();
        let text = at_home(&dir, &fs::read_to_string(&file).unwrap());
        assert_eq!(dir.mistakes(&text, &[]), "", "{}", file.display());
        assert_eq!(dir.warnings(&text), "", "{}", file.display());
    }
}

#[test]
fn an_unknown_key_in_any_table_of_any_file_is_found_on_its_line() {
    for file in shipped() {
        let dir = Dir::new();
        let text = at_home(&dir, &fs::read_to_string(&file).unwrap());
        let headers: Vec<usize> = lines_where(&text, |line| line.starts_with('['));
        assert!(!headers.is_empty());
        for header in headers {
            let mut lines: Vec<&str> = text.lines().collect();
            lines.insert(header, "quux = 1");
            let section = lines[header - 1].trim_matches(['[', ']']);
            let line = header + 1;
            let printed = dir.mistakes(&lines.join("\n"), &[]);
            let start = format!("a.toml:{line}: {section}.quux: unknown key; known keys here: ");
            assert!(printed.starts_with(&start), "{}: {printed}", file.display());
            assert_eq!(printed.lines().count(), 1, "{printed}");
        }
    }
}

#[test]
fn the_demo_is_three_nodes_on_ports_of_their_own() {
    let mut ports = Vec::new();
    for (name, domain) in [
        ("village", "village.test"),
        ("relay", "relay.test"),
        ("xmpp", "xmpp.test"),
    ] {
        let dir = Dir::new();
        let file = root().join(format!("config/demo/{name}.toml"));
        let text = at_home(&dir, &fs::read_to_string(file).unwrap());
        let config = dir.load(&text, &[]).unwrap().config;
        assert_eq!(config.node.domain, domain);
        assert!(config.node.data.ends_with(format!("demo/{name}")));
        ports.push(config.ssp.listen.port());
        ports.push(config.admin.listen.unwrap().port());
    }
    assert_eq!(ports, [15281, 15291, 15282, 15292, 15283, 15293]);
}

#[test]
fn the_reference_shows_every_key_and_its_true_default() {
    let dir = Dir::new();
    let text = fs::read_to_string(root().join("config/reference.toml")).unwrap();
    let shown = keys(&text.parse::<toml_edit::DocumentMut>().unwrap());
    let all_text: Vec<&str> = text.lines().map(uncommented).collect();
    let all = all_text.join("\n");
    let complete = keys(&all.parse::<toml_edit::DocumentMut>().unwrap());

    let example = serde_json::to_value(Config::example()).unwrap();
    let mut known = BTreeMap::new();
    flatten("", &example, &mut known);
    let names = |keys: &BTreeMap<String, String>| keys.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&complete), known.keys().cloned().collect::<Vec<_>>());

    // What is commented out is the default, unless there is none.
    for (key, value) in complete.iter().filter(|(key, _)| !shown.contains_key(*key)) {
        let default = &known[key];
        let has_none = default.is_null();
        let value = value.trim_matches('"');
        let default_text = default.to_string().trim_matches('"').to_string();
        let time = |text: &str| text.parse::<Duration>().ok();
        let is_same_time = time(value).is_some() && time(value) == time(&default_text);
        let same = value == default_text || is_same_time;
        assert!(has_none || same, "{key}: shown {value}, is {default}");
    }

    // Each key stands below words that explain it.
    let lines: Vec<&str> = text.lines().collect();
    for line in lines_where(&text, |line| {
        uncommented(line).contains(" = ") && !line.starts_with("# ")
    }) {
        let block = lines[..line - 1].iter().rev();
        let above = block.take_while(|line| !line.is_empty() && !line.starts_with('['));
        let is_explained = above.into_iter().any(|line| line.starts_with("# "));
        let is_named_well = ["max_users"]
            .iter()
            .any(|key| lines[line - 1].contains(key));
        assert!(
            is_explained || is_named_well,
            "line {line} is not explained"
        );
    }

    // With every key set, the file is still a valid configuration.
    let all = all.replace(
        "client_certificates = \"none\"",
        "client_certificates = \"request\"",
    );
    assert_eq!(dir.mistakes(&at_home(&dir, &all), &[]), "");
}

#[test]
fn the_example_is_valid() {
    let (problems, warnings) = Config::example().validate(&wvgate::config::Located::default());
    assert_eq!((problems, warnings), (vec![], vec![]));
}

const BASE: &str = r#"[node]
domain = "relay.test"
[ssp]
listen = "127.0.0.1:5280"
plain = true
[[peer]]
domain = "village.test"
allow_plain = true
[[route]]
domain = "*"
via = "village.test"
[admin]
listen = "127.0.0.1:9280"
"#;

/// What is replaced in `BASE` (nothing: appended), by what, and the line that is printed.
const MISTAKES: &[(&str, &str, &str)] = &[
    // shape
    (
        "listen = \"127.0.0.1:5280\"",
        "lisen = \"127.0.0.1:5280\"",
        "a.toml:4: ssp.lisen: unknown key; did you mean \"listen\"?",
    ),
    (
        "[[route]]",
        "[[routes]]",
        "a.toml:9: routes: unknown key; did you mean \"route\"?",
    ),
    (
        "[[peer]]",
        "[peer]",
        "a.toml:6: peer: must be a list of tables, not a table; write [[peer]] instead of [peer]",
    ),
    (
        "[ssp]",
        "[[ssp]]",
        "a.toml:3: ssp: must be one table, not a list; write [ssp] instead of [[ssp]]",
    ),
    (
        "plain = true\n[[",
        "plain = 1\n[[",
        "a.toml:5: ssp.plain: must be true or false, not 1; write plain = true or plain = false",
    ),
    (
        "plain = true\n[[",
        "plain = true\nmax_depth = \"32\"\n[[",
        "a.toml:6: ssp.max_depth: must be a whole number from 0 upwards, not \"32\"; write max_depth = 100, without quotes",
    ),
    (
        "plain = true\n[[",
        "plain = true\nmax_depth = -1\n[[",
        "a.toml:6: ssp.max_depth: must be a whole number from 0 upwards, not -1; write max_depth = 100, without quotes",
    ),
    (
        "plain = true\n[[",
        "plain = true\nidle_timeout = 60\n[[",
        "a.toml:6: ssp.idle_timeout: must be a time with its unit, such as \"30s\", not 60; write idle_timeout = \"60s\"",
    ),
    (
        "plain = true\n[[",
        "plain = true\nidle_timeout = \"60 sec\"\n[[",
        "a.toml:6: ssp.idle_timeout: \"60 sec\" is not a time; write it like \"30s\" (units: ms, s, m, h, d, w)",
    ),
    (
        "plain = true\n[[",
        "plain = true\nidle_timeout = true\n[[",
        "a.toml:6: ssp.idle_timeout: must be a time with its unit, such as \"30s\", not true; put it in double quotes",
    ),
    (
        "plain = true\n[[",
        "plain = true\nmax_message = \"1M\"\n[[",
        "a.toml:6: ssp.max_message: \"1M\" is not a size; write it like \"1MiB\" (units: B, KiB, MiB, GiB)",
    ),
    (
        "127.0.0.1:5280",
        "localhost:5280",
        "a.toml:4: ssp.listen: \"localhost:5280\" is not an IP address with its port; write it like \"127.0.0.1:5280\"",
    ),
    (
        "plain = true\n[[",
        "plain = true\nclient_certificates = \"required\"\n[[",
        "a.toml:6: ssp.client_certificates: \"required\" is not known; write \"none\" or \"request\" or \"require\"",
    ),
    (
        "allow_plain = true",
        "allow_plain = true\naliases = \"v.test\"",
        "a.toml:9: peer.aliases: must be a list, not \"v.test\"; write aliases = [\"...\"]",
    ),
    (
        "allow_plain = true",
        "allow_plain = true\naliases = [\n \"v.test\",\n 7]",
        "a.toml:11: peer.aliases: must be text, not 7; put it in double quotes",
    ),
    (
        "allow_plain = true",
        "allow_plain = true\npassword = 7",
        "a.toml:9: peer.password: must be a secret: \"text\" or { file = \"path\" }; put it in double quotes",
    ),
    (
        "allow_plain = true",
        "allow_plain = true\npassword = { fil = \"x\" }",
        "a.toml:9: peer.password.fil: unknown key; did you mean \"file\"?",
    ),
    // syntax
    (
        "\"relay.test\"",
        "relay.test",
        "a.toml:2: node.domain: invalid string, expected `\"`, `'`; put text in double quotes",
    ),
    (
        "plain = true\n[[",
        "plain = true\nplain = true\n[[",
        "a.toml:6: ssp.plain: duplicate key `plain` in table `ssp`; remove one of them",
    ),
    (
        "[ssp]",
        "[ssp",
        "a.toml:3: syntax: invalid table header, expected `.`, `]`; write key = value, or a [section]",
    ),
    // node and domains
    (
        "domain = \"relay.test\"\n",
        "",
        "a.toml:1: node.domain: missing; add domain = \"...\"",
    ),
    (
        "\"relay.test\"",
        "\"Relay.Test\"",
        "a.toml:2: node.domain: \"Relay.Test\" has capital letters; write \"relay.test\"",
    ),
    (
        "\"relay.test\"",
        "\"wv:@relay.test\"",
        "a.toml:2: node.domain: \"wv:@relay.test\" is not a domain; write \"relay.test\"",
    ),
    (
        "\"relay.test\"",
        "\"bücher.test\"",
        "a.toml:2: node.domain: \"bücher.test\" is not in its ASCII form; write \"xn--bcher-kva.test\"",
    ),
    // ssp
    (
        "plain = true\n[[",
        "[[",
        "a.toml:3: ssp.certificate: missing, and plain HTTP is off: nothing could be served; add certificate and key, or plain = true",
    ),
    (
        "plain = true\n[[",
        "plain = true\ncertificate = \"DIR/a.toml\"\n[[",
        "a.toml:6: ssp.certificate: needs key as well; add key = \"...\"",
    ),
    (
        "plain = true\n[[",
        "plain = true\ncertificate = \"DIR/a.toml\"\nkey = \"DIR/x.key\"\n[[",
        "a.toml:7: ssp.key: there is no file \"x.key\"; put the private key (PEM) there; for tests, make one with: wvgate init",
    ),
    (
        "plain = true\n[[",
        "plain = true\nidle_timeout = \"0s\"\n[[",
        "a.toml:6: ssp.idle_timeout: must be longer than nothing; write it like \"30s\"",
    ),
    (
        "plain = true\n[[",
        "plain = true\nmax_message = \"1KiB\"\n[[",
        "a.toml:6: ssp.max_message: \"1KiB\" is too small; write \"4KiB\" or more",
    ),
    (
        "plain = true\n[[",
        "plain = true\nmax_queue = 0\n[[",
        "a.toml:6: ssp.max_queue: 0 is too small; write 1 or more",
    ),
    (
        "plain = true\n[[",
        "plain = true\nclient_ca = \"DIR/a.toml\"\n[[",
        "a.toml:6: ssp.client_ca: is never used: peers are not asked for certificates; add client_certificates = \"request\" or \"require\"",
    ),
    // peers
    (
        "\"village.test\"\nallow",
        "\"relay.test\"\nallow",
        "a.toml:7: peer.domain: \"relay.test\" is this node's own domain (node.domain); name the other side's domain\na.toml:11: route.via: there is no peer \"village.test\"; add a [[peer]] with domain = \"village.test\"",
    ),
    (
        "[[route]]",
        "[[peer]]\ndomain = \"village.test\"\nallow_plain = true\n[[route]]",
        "a.toml:10: peer.domain: \"village.test\" is a peer already (line 7); remove one of them",
    ),
    (
        "allow_plain = true",
        "allow_plain = true\nspeaks_for = [\"relay.test\"]",
        "a.toml:9: peer.speaks_for: \"relay.test\" is this node's own domain; remove it",
    ),
    (
        "allow_plain = true",
        "allow_plain = true\nclient_certificate = \"DIR/a.toml\"",
        "a.toml:9: peer.client_certificate: needs client_key as well; add client_key = \"...\"",
    ),
    (
        "allow_plain = true",
        "allow_plain = true\nurl = \"village.test:5280\"",
        "a.toml:9: peer.url: \"village.test:5280\" is not an http or https address; write it like \"https://village.test:5280/\"",
    ),
    (
        "allow_plain = true",
        "url = \"http://village.test/\"",
        "a.toml:8: peer.url: is plain HTTP, which this peer is not allowed; write https://, or add allow_plain = true",
    ),
    (
        "allow_plain = true",
        "allow_plain = true\nca = \"DIR/ca.pem\"",
        "a.toml:9: peer.ca: there is no file \"ca.pem\"; put the CA's certificate (PEM) there, or name another file",
    ),
    (
        "allow_plain = true",
        "allow_plain = true\npassword = { file = \"DIR/pw\" }",
        "a.toml:9: peer.password: there is no file \"pw\"; make it with: (umask 077; printf %s SECRET > pw)",
    ),
    (
        "allow_plain = true",
        "allow_plain = true\ndialect = \"../x\"",
        "a.toml:9: peer.dialect: \"../x\" is not a dialect's name; write the name of a file in mappings/dialects without its ending",
    ),
    (
        "allow_plain = true",
        "allow_plain = true\nclient_name = \"village.test\"",
        "a.toml:9: peer.client_name: is never checked: peers are not asked for certificates; add client_certificates = \"request\" and client_ca to [ssp]",
    ),
    // routes
    (
        "via = \"village.test\"",
        "via = \"vilage.test\"",
        "a.toml:11: route.via: there is no peer \"vilage.test\"; did you mean \"village.test\"?",
    ),
    (
        "via = \"village.test\"",
        "via = \"local\"",
        "a.toml:11: route.via: \"local\" needs the home domain; add [home], or name a peer",
    ),
    (
        "via = \"village.test\"",
        "via = \"xmpp\"",
        "a.toml:11: route.via: \"xmpp\" needs the gateway; add [xmpp], or name a peer",
    ),
    (
        "via = \"village.test\"\n",
        "",
        "a.toml:9: route.via: missing; add via = \"...\": a peer's domain, \"local\" or \"xmpp\"",
    ),
    (
        "domain = \"*\"",
        "domain = \"*.test\"",
        "a.toml:10: route.domain: \"*.test\" is not a domain; write each domain, or \"*\" for all others",
    ),
    (
        "[admin]",
        "[[route]]\ndomain = \"*\"\nvia = \"village.test\"\n[admin]",
        "a.toml:13: route.domain: \"*\" has a route already (line 10); remove one of them",
    ),
    (
        "domain = \"*\"",
        "domain = \"relay.test\"",
        "a.toml:10: route.domain: \"relay.test\" is this node's own domain and cannot be routed elsewhere; remove the route",
    ),
    // home
    (
        "",
        "[home]\noffline_validity = \"0d\"\n",
        "a.toml:15: home.offline_validity: must be longer than nothing; write it like \"30s\"",
    ),
    (
        "",
        "[[home.user]]\nname = \"wv:alice@relay.test\"\npassword = \"a\"\n",
        "a.toml:15: home.user.name: \"wv:alice@relay.test\" is not the part before the @ alone; write \"alice\"",
    ),
    (
        "",
        "[[home.user]]\nname = \"alice\"\n",
        "a.toml:14: home.user.password: missing; add password = \"...\"",
    ),
    (
        "",
        "[[home.user]]\nname = \"a\"\npassword = \"a\"\n[[home.user]]\nname = \"a\"\npassword = \"a\"\n",
        "a.toml:18: home.user.name: \"a\" is listed twice (line 15); remove one of them",
    ),
    // xmpp
    (
        "",
        "[xmpp]\n",
        "a.toml:14: xmpp.component: missing: the XMPP server knows no domain of this node; add [[xmpp.component]] with domain and secret",
    ),
    (
        "",
        "[xmpp]\nserver = \"localhost\"\n[[xmpp.component]]\ndomain = \"village.test\"\nsecret = \"s\"\n",
        "a.toml:15: xmpp.server: \"localhost\" is not a host with its port; write it like \"127.0.0.1:5347\"",
    ),
    (
        "",
        "[xmpp]\nserver = \"127.0.0.1:5280\"\n[[xmpp.component]]\ndomain = \"village.test\"\nsecret = \"s\"\n",
        "a.toml:15: xmpp.server: \"127.0.0.1:5280\" is this node's own ssp.listen (line 4); write the XMPP server's component port, or give the listener another",
    ),
    (
        "",
        "[xmpp]\nmode = \"gateway\"\n[[xmpp.component]]\ndomain = \"a.test\"\nsecret = \"s\"\n[[xmpp.component]]\ndomain = \"b.test\"\nsecret = \"s\"\n",
        "a.toml:15: xmpp.mode: mode \"gateway\" has exactly one component, not 2; remove the others, or write mode = \"names\"",
    ),
    (
        "",
        "[[xmpp.component]]\ndomain = \"relay.test\"\nsecret = \"s\"\n",
        "a.toml:15: xmpp.component.domain: \"relay.test\" is the XMPP server's own domain; name the domain that users of the other side appear under",
    ),
    (
        "",
        "[[xmpp.component]]\ndomain = \"village.test\"\n",
        "a.toml:14: xmpp.component.secret: missing; add secret = \"...\", the same as at the XMPP server",
    ),
    (
        "",
        "[home]\n[xmpp]\n[[xmpp.component]]\ndomain = \"village.test\"\nsecret = \"s\"\n",
        "a.toml:15: xmpp.domain: [home] and [xmpp] would both answer for users of \"relay.test\"; name the XMPP server's domain by domain = \"...\", or remove [home]",
    ),
    (
        "",
        "[xmpp]\ndomain = \"village.test\"\n[[xmpp.component]]\ndomain = \"b.test\"\nsecret = \"s\"\n",
        "a.toml:7: peer.domain: \"village.test\" is the domain of the XMPP side (xmpp.domain); reach a domain by SSP or by XMPP, not by both",
    ),
    // admin, log, ports
    (
        "127.0.0.1:9280",
        "127.0.0.1:5280",
        "a.toml:13: admin.listen: \"127.0.0.1:5280\" is taken by ssp.listen (line 4); give one of them another port",
    ),
    (
        "127.0.0.1:9280",
        "0.0.0.0:9280",
        "a.toml:13: admin.listen: \"0.0.0.0:9280\" can be reached from other machines; write \"127.0.0.1:9280\", or add public = true",
    ),
    (
        "",
        "[log]\nlevel = \"inof\"\n",
        "a.toml:15: log.level: \"inof\" is not a level; did you mean \"info\"?",
    ),
    (
        "",
        "[log]\nlevel = \"info,wvgate=debg\"\n",
        "a.toml:15: log.level: \"info,wvgate=debg\" is not a filter: error parsing level filter: expected one of \"off\", \"error\", \"warn\", \"info\", \"debug\", \"trace\", or a number 0-5; write it like \"info,wvgate::sap=debug\"",
    ),
];

#[test]
fn each_mistake_yields_the_line_that_helps() {
    let dir = Dir::new();
    assert_eq!(dir.mistakes(BASE, &[]), "");
    let mut wrong = Vec::new();
    for (find, put, expected) in MISTAKES {
        assert!(BASE.contains(find), "{find}");
        let text = match *find {
            "" => format!("{BASE}{put}"),
            find => BASE.replacen(find, put, 1),
        };
        let text = text.replace("DIR", &dir.0.display().to_string());
        let printed = dir.mistakes(&text, &[]);
        if printed != *expected {
            wrong.push(format!(
                "put      {put:?}\nexpected {expected}\nprinted  {printed}\n"
            ));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn all_mistakes_are_reported_in_one_run_by_line() {
    let dir = Dir::new();
    let text = BASE
        .replacen(
            "plain = true\n[[",
            "plane = true\nmax_message = 5\nidle_timeout = \"0s\"\n[[",
            1,
        )
        .replace("via = \"village.test\"", "via = \"nowhere.test\"");
    let lines = dir.mistakes(&text, &[]);
    let numbers: Vec<&str> = lines
        .lines()
        .filter_map(|line| line.split(':').nth(1))
        .collect();
    assert_eq!(numbers, ["5", "6", "7", "13"], "{lines}");
}

#[test]
fn doubtful_choices_are_warned_of() {
    let dir = Dir::new();
    let key = dir.0.join("a.key");
    fs::write(&key, "key").unwrap();
    let certificate = format!(
        "plain = true\ncertificate = \"{0}\"\nkey = \"{0}\"\n",
        key.display()
    );
    let with = |find: &str, put: &str| dir.warnings(&BASE.replacen(find, put, 1));
    assert_eq!(dir.warnings(BASE), "");
    assert_eq!(
        with("allow_plain = true", "allow_plain = true\nverify = false"),
        "a.toml:9: peer.verify: its certificate is not checked: anyone on the way can pose as this peer; name its CA by ca = \"...\" instead"
    );
    assert_eq!(
        with("allow_plain = true", ""),
        "a.toml:6: peer: cannot connect to this node: the listener has no certificate and this peer is not allowed plain HTTP; add certificate and key to [ssp], or allow_plain = true here"
    );
    set_mode(&key, 0o600);
    let secure = certificate.replace("plain = true\n", "");
    let url = BASE.replacen(
        "allow_plain = true",
        "allow_plain = true\nurl = \"https://v.test/\"",
        1,
    );
    assert_eq!(
        dir.warnings(&url.replacen("plain = true\n", &secure, 1)),
        "a.toml:9: peer.allow_plain: is not needed: its addresses are https and ssp.plain is off; remove it"
    );
    set_mode(&key, 0o644);
    assert_eq!(
        with("plain = true\n", &certificate),
        "a.toml:7: ssp.key: every user of this machine can read \"a.key\"; chmod 600 a.key"
    );
    assert_eq!(
        dir.warnings(
            &format!("{BASE}[[xmpp.component]]\ndomain = \"far.test\"\nsecret = \"s\"\n")
                .replace("\"*\"", "\"romeo.test\"")
        ),
        "a.toml:15: xmpp.component.domain: no route leads to \"far.test\": what XMPP users send there finds no way on; add a [[route]] with domain = \"far.test\""
    );
}

#[test]
fn the_environment_overrides_the_file() {
    let dir = Dir::new();
    let env = [
        ("WVGATE_CONFIG_SSP__LISTEN", "127.0.0.1:7000"),
        ("WVGATE_CONFIG_SSP__MAX_DEPTH", "40"),
        ("WVGATE_CONFIG_NODE__NAME", "007"),
        ("WVGATE_CONFIG_PEER__0__PASSWORD", "0123"),
        (
            "WVGATE_CONFIG_PEER__0__SPEAKS_FOR",
            "[\"a.test\", \"b.test\"]",
        ),
        ("WVGATE_CONFIG", "not one of ours"),
        ("PATH", "/bin"),
    ];
    let config = dir.load(BASE, &env).unwrap().config;
    assert_eq!(config.ssp.listen.port(), 7000);
    assert_eq!(config.ssp.max_depth, 40);
    assert_eq!(config.node.name.as_deref(), Some("007"));
    assert_eq!(config.peer[0].password.as_ref().unwrap().expose(), "0123");
    assert_eq!(config.peer[0].speaks_for, ["a.test", "b.test"]);
}

#[test]
fn a_mistake_in_the_environment_names_the_variable() {
    let dir = Dir::new();
    for (name, value, expected) in [
        (
            "WVGATE_CONFIG_SSP__LISEN",
            "x",
            "unknown key; did you mean \"listen\"?",
        ),
        (
            "WVGATE_CONFIG_SPS__LISTEN",
            "x",
            "unknown key; did you mean \"ssp\"?",
        ),
        (
            "WVGATE_CONFIG_SSP__LISTEN",
            "x",
            "\"x\" is not an IP address with its port; write it like \"127.0.0.1:5280\"",
        ),
        (
            "WVGATE_CONFIG_NODE__DOMAIN",
            "A.test",
            "\"A.test\" has capital letters; write \"a.test\"",
        ),
        (
            "WVGATE_CONFIG_PEER__3__URL",
            "x",
            "there is no such element; number the elements of a list from 0, as they stand in the file",
        ),
    ] {
        let printed = dir.mistakes(BASE, &[(name, value)]);
        assert_eq!(printed, format!("environment: {name}: {expected}"));
    }
}

#[test]
fn a_missing_file_says_how_to_get_one() {
    let error = Config::load("no/such/file.toml", []).unwrap_err();
    let printed = error.to_string();
    assert!(
        printed.starts_with("no/such/file.toml: cannot be read ("),
        "{printed}"
    );
    assert!(
        printed.ends_with("; name another with --config, or write a first one with: wvgate init")
    );
}

#[test]
fn a_secret_is_read_from_its_file_and_never_shown() {
    let dir = Dir::new();
    let file = dir.0.join("pw");
    fs::write(&file, "hunter2\n").unwrap();
    set_mode(&file, 0o600);
    let put = format!(
        "allow_plain = true\npassword = {{ file = \"{}\" }}",
        file.display()
    );
    let loaded = dir
        .load(&BASE.replacen("allow_plain = true", &put, 1), &[])
        .unwrap();
    assert_eq!(
        loaded.config.peer[0].password.as_ref().unwrap().expose(),
        "hunter2"
    );
    assert!(!format!("{:?}", loaded.config).contains("hunter2"));
}

#[test]
fn later_problems_find_their_line() {
    let dir = Dir::new();
    let loaded = dir.load(BASE, &[]).unwrap();
    assert_eq!(loaded.located.locate("peer.0.domain"), Some(7));
    let problem = loaded
        .located
        .problem("ssp.listen", "in use", "stop the other");
    assert_eq!(
        dir.shown(&problem.to_string()),
        "a.toml:4: ssp.listen: in use; stop the other"
    );
    let default = loaded.config.admin_socket();
    assert_eq!(default, Path::new("run/data/wvgate.sock"));
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every file in `config/`.
fn shipped() -> Vec<PathBuf> {
    let mut files = Vec::new();
    for folder in ["config", "config/demo"] {
        for entry in fs::read_dir(root().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path
                .extension()
                .is_some_and(|extension| extension == "toml")
            {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

/// The text with its paths moved into `dir`, where the files it names are made.
fn at_home(dir: &Dir, text: &str) -> String {
    let mut text = text.to_string();
    for place in ["\"run/", "\"/etc/wvgate/", "\"/var/lib/wvgate"] {
        text = text.replace(place, &format!("\"{}/", dir.0.display()));
    }
    let folder = dir.0.join("mappings");
    fs::create_dir_all(&folder).unwrap();
    text = text.replace("\"mappings\"", &format!("\"{}\"", folder.display()));
    let inside = format!("{}/", dir.0.display());
    for path in text.split('"').filter(|part| part.starts_with(&inside)) {
        let path = Path::new(path);
        let is_file = path
            .extension()
            .is_some_and(|e| e == "pem" || e == "key" || e == "secret");
        if is_file {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "content").unwrap();
            set_mode(path, 0o600);
        }
    }
    text
}

fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// A line of the reference without the sign that the key may be left out.
fn uncommented(line: &str) -> &str {
    let key = line
        .strip_prefix('#')
        .filter(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase()));
    key.unwrap_or(line)
}

/// Numbers, from 1, of the lines for which `is` holds.
fn lines_where(text: &str, is: impl Fn(&str) -> bool) -> Vec<usize> {
    let numbered = text.lines().enumerate().filter(|(_, line)| is(line));
    numbered.map(|(index, _)| index + 1).collect()
}

/// All keys of a document with their values as written; `peer.url` for any peer's.
fn keys(document: &toml_edit::DocumentMut) -> BTreeMap<String, String> {
    fn walk(path: &str, table: &toml_edit::Table, keys: &mut BTreeMap<String, String>) {
        for (key, item) in table {
            let path = format!("{path}{key}");
            if let Some(table) = item.as_table() {
                walk(&format!("{path}."), table, keys);
            } else if let Some(tables) = item.as_array_of_tables() {
                for table in tables {
                    walk(&format!("{path}."), table, keys);
                }
            } else {
                keys.insert(path, item.to_string().trim().to_string());
            }
        }
    }
    let mut found = BTreeMap::new();
    walk("", document.as_table(), &mut found);
    found
}

/// All keys of a serialized configuration, lists of tables entered.
fn flatten(path: &str, value: &serde_json::Value, keys: &mut BTreeMap<String, serde_json::Value>) {
    let is_tables =
        |list: &Vec<serde_json::Value>| list.first().is_some_and(serde_json::Value::is_object);
    match value {
        serde_json::Value::Object(map) => {
            for (key, value) in map {
                let path = if path.is_empty() {
                    key.clone()
                } else {
                    format!("{path}.{key}")
                };
                flatten(&path, value, keys);
            }
        }
        serde_json::Value::Array(list) if is_tables(list) => flatten(path, &list[0], keys),
        value => {
            keys.insert(path.to_string(), value.clone());
        }
    }
}
