//! The configuration as an operator meets it: every shipped file loads, the reference is
//! complete and tells the true defaults, and each mistake yields the line that helps.

mod dialects;
mod mistakes;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use mistakes::{BASE, MISTAKES};
use wvgate::config::{Config, ConfigError, Duration, Loaded};
use wvgate::imps::xml::Limits;
use wvgate::node::Plan;

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
fn the_demo_is_four_nodes_on_ports_of_their_own() {
    let mut ports = Vec::new();
    for (name, domain) in [
        ("village", "village.test"),
        ("relay", "relay.test"),
        ("xmpp", "xmpp.test"),
        ("town", "town.test"),
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
    assert_eq!(
        ports,
        [15281, 15291, 15282, 15292, 15283, 15293, 15284, 15294]
    );
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
fn what_goes_plain_over_a_network_is_warned_of() {
    let dir = Dir::new();
    let text = |clients: &str, clp: &str, from: &str, url: &str| {
        format!(
            "{BASE}[home]\n[clients]\nlisten = \"{clients}:5282\"\nplain_login = \"always\"\n\
             [clients.clp]\nlisten = \"{clp}:5283\"\n\
             [[clients.sms]]\nname = \"k\"\nfrom = [\"{from}\"]\n\
             secret = \"0123456789abcdef\"\nurl = \"{url}\"\n\
             username = \"w\"\npassword = \"p\"\nsender = \"1\"\n"
        )
    };
    let (here, there) = ("127.0.0.1", "192.0.2.1");
    for url in [
        "http://127.0.0.1:1/",
        "http://localhost:1/",
        "http://[::1]:1/",
        "https://sms.test/",
    ] {
        assert_eq!(dir.warnings(&text(here, here, here, url)), "", "{url}");
    }
    assert_eq!(
        dir.warnings(&text(here, there, here, "http://sms.test/")),
        "a.toml:19: clients.clp.listen: passwords and messages go unencrypted over the network; add certificate and key, or listen on 127.0.0.1\n\
         a.toml:24: clients.sms.url: the password and what users read go unencrypted over the network; write https, if the gateway has it"
    );
    assert_eq!(
        dir.warnings(&text(there, here, there, "https://sms.test/")),
        "a.toml:17: clients.plain_login: passwords may go unencrypted over the network; write \"tls\" or \"never\"\n\
         a.toml:22: clients.sms.from: its secret and what users write come unencrypted over the network; add certificate and key to [clients], or put the gateway on this machine"
    );
}

#[test]
fn a_secret_in_a_file_is_as_long_as_one_in_the_configuration() {
    let dir = Dir::new();
    let file = dir.0.join("secret");
    let text = |key: &str| {
        format!(
            "{BASE}[home]\n[clients]\nlisten = \"127.0.0.1:5282\"\nplain_login = \"always\"\n{key}\
             [[clients.sms]]\nname = \"k\"\nfrom = [\"127.0.0.1\"]\n\
             secret = {{ file = {file:?} }}\nurl = \"http://127.0.0.1:1/\"\n\
             username = \"w\"\npassword = \"p\"\nsender = \"1\"\n"
        )
    };
    let digest = format!("digest_secret = {{ file = {file:?} }}\n");
    let short = "is shorter than 16 characters; make one with: openssl rand -hex 16";
    for (secret, is_long) in [("0123456789abcde\n", false), ("0123456789abcdef\n", true)] {
        fs::write(&file, secret).unwrap();
        set_mode(&file, 0o600);
        let (plain, both) = (
            dir.mistakes(&text(""), &[]),
            dir.mistakes(&text(&digest), &[]),
        );
        if is_long {
            assert_eq!((plain.as_str(), both.as_str()), ("", ""));
        } else {
            assert_eq!(plain, format!("a.toml:21: clients.sms.secret: {short}"));
            let digest = format!("a.toml:18: clients.digest_secret: {short}");
            let sms = format!("a.toml:22: clients.sms.secret: {short}");
            assert_eq!(both, format!("{digest}\n{sms}"));
        }
    }
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
fn bodies_are_read_within_the_limits_of_the_configuration() {
    let dir = Dir::new();
    let env = [
        ("WVGATE_CONFIG_SSP__MAX_DEPTH", "40"),
        ("WVGATE_CONFIG_SSP__MAX_TRANSACTIONS", "7"),
        ("WVGATE_CONFIG_SSP__MAX_ENTRIES", "300"),
        ("WVGATE_CONFIG_SSP__MAX_TEXT", "2KiB"),
        ("WVGATE_CONFIG_SSP__MAX_MESSAGE", "5KiB"),
    ];
    let loaded = dir.load(BASE, &env).unwrap();
    let limits = Plan::new(&loaded.config, &loaded.located).unwrap().limits;
    assert_eq!((limits.depth, limits.transactions), (40, 7));
    assert_eq!((limits.entries, limits.texts.text), (300, 2048));
    assert_eq!(limits.bytes, 5120);
    // The rest is as it is.
    assert_eq!(limits.texts.id, Limits::STANDARD.texts.id);
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
