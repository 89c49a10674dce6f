//! The package for Debian and the image for containers, in a clean small Debian: made of the program
//! under test, installed, upgraded, removed. Needs root, `scripts/install-package-tools.sh`, and for
//! the first time a mirror of Debian.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

use crate::cli_node::Folder;
use crate::packaging::root as sources;

/// A version before this one.
const BEFORE: &str = "0.0.1-1";
/// Where the packages of the tests go, beside those that `make deb` makes.
const PACKAGES: &str = "target/package/tests";

/// What is made once for all tests.
struct Made {
    before: PathBuf,
    now: PathBuf,
    debian: PathBuf,
}

fn made() -> &'static Made {
    static MADE: OnceLock<Made> = OnceLock::new();
    MADE.get_or_init(|| {
        let program = env!("CARGO_BIN_EXE_wvgate");
        let args = ["--binary", program, "--to", PACKAGES, "--fast"];
        let now = script("scripts/deb.sh", &args);
        Made {
            before: earlier(&now),
            now,
            debian: script("scripts/debian-root.sh", &[]),
        }
    })
}

/// The same package as one of the version before.
fn earlier(deb: &Path) -> PathBuf {
    let folder = Folder::new();
    let content = folder.0.join("content");
    let mut unpack = Command::new("dpkg-deb");
    done(unpack.arg("--raw-extract").arg(deb).arg(&content));
    let control = content.join("DEBIAN/control");
    let now = format!("\nVersion: {}-1\n", env!("CARGO_PKG_VERSION"));
    let text = fs::read_to_string(&control).unwrap();
    assert!(text.contains(&now), "{text}");
    let before = format!("\nVersion: {BEFORE}\n");
    fs::write(&control, text.replace(&now, &before)).unwrap();
    let packed = sources().join(PACKAGES).join("wvgate_before.deb");
    let mut pack = Command::new("dpkg-deb");
    pack.args(["-Znone", "--build"]).arg(&content).arg(&packed);
    done(&mut pack);
    packed
}

/// Runs a script of the sources that writes a path on its last line.
fn script(name: &str, args: &[&str]) -> PathBuf {
    let mut command = Command::new(sources().join(name));
    let output = done(command.args(args).current_dir(sources()));
    let last = output.lines().last();
    sources().join(last.unwrap_or_else(|| panic!("{name} says nothing")))
}

/// What a command that must work has written.
fn done(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// In a folder there is neither a terminal nor a user for downloads, and nothing is downloaded.
const APT: [&str; 7] = [
    "apt-get",
    "-qq",
    "-y",
    "-o",
    "Dpkg::Use-Pty=0",
    "-o",
    "APT::Sandbox::User=root",
];

/// A root folder with a small Debian, or an image, in it.
struct Root(Folder);

impl Root {
    fn new() -> Self {
        let root = Self(Folder::new());
        assert_eq!(
            fs::metadata(&root.0.0).unwrap().uid(),
            0,
            "packages are tried by root only"
        );
        fs::set_permissions(&root.0.0, fs::Permissions::from_mode(0o755)).unwrap();
        root
    }

    fn add(&self, tar: &Path) {
        let mut command = Command::new("tar");
        command.args(["--extract", "--same-owner", "--numeric-owner", "--file"]);
        // Nobody needs its devices, and not everywhere they may be made.
        done(
            command
                .arg(tar)
                .arg("--exclude=./dev/*")
                .arg("--directory")
                .arg(&self.0.0),
        );
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.0.join(path.trim_start_matches('/'))
    }

    /// A command in there, by root or by another.
    fn command(&self, user: &str, words: &[&str]) -> Command {
        let mut command = Command::new("chroot");
        command
            .arg(format!("--userspec={user}"))
            .arg(&self.0.0)
            .args(words)
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("LC_ALL", "C.UTF-8")
            .env("DEBIAN_FRONTEND", "noninteractive")
            // The network is that of the machine.
            .env("WVGATE_CONFIG_SSP__LISTEN", "127.0.0.1:0")
            .env("WVGATE_CONFIG_ADMIN__LISTEN", "127.0.0.1:0");
        command
    }

    fn does(&self, words: &[&str]) -> String {
        done(&mut self.command("0:0", words))
    }

    fn tries(&self, words: &[&str]) -> Output {
        self.command("0:0", words)
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// By apt, as an operator does, without a network.
    fn install(&self, deb: &Path) {
        fs::copy(deb, self.path("wvgate.deb")).unwrap();
        self.does(
            &[
                &APT[..],
                &["install", "--no-install-recommends", "/wvgate.deb"],
            ]
            .concat(),
        );
        fs::remove_file(self.path("wvgate.deb")).unwrap();
    }

    /// Who owns a file, and its mode.
    fn stat(&self, path: &str) -> String {
        self.does(&["stat", "--format=%U:%G %a", path])
            .trim()
            .to_owned()
    }

    /// Starts the node as its user, and waits until it runs.
    fn start(&self, user: &str, words: &[&str]) -> Running {
        let mut command = self.command(user, words);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let runs = lines.any(|line| line.unwrap() == "running");
        assert!(runs, "the node does not start");
        Running(child)
    }
}

/// A node; it ends with the value.
struct Running(Child);

impl Running {
    fn ended(mut self) -> Option<i32> {
        self.0.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const CONFIG: &str = "/etc/wvgate/wvgate.toml";
const RUN: [&str; 4] = ["/usr/bin/wvgate", "run", "--config", CONFIG];

#[test]
fn the_package_is_installed_set_up_started_upgraded_removed_and_purged_in_a_clean_debian() {
    let made = made();
    let debian = Root::new();
    debian.add(&made.debian);
    debian.install(&made.before);
    assert_eq!(debian.stat("/usr/bin/wvgate"), "root:root 755");
    assert_eq!(debian.stat("/etc/wvgate"), "root:wvgate 750");
    assert_eq!(debian.stat("/var/lib/wvgate"), "wvgate:wvgate 750");
    assert_eq!(debian.stat("/etc/default/wvgate"), "root:root 644");
    for there in [
        "/usr/lib/systemd/system/wvgate.service",
        "/etc/systemd/system/multi-user.target.wants/wvgate.service",
        "/usr/lib/systemd/system/wvgate-backup.timer",
        "/usr/share/bash-completion/completions/wvgate",
        "/usr/share/zsh/vendor-completions/_wvgate",
        "/usr/share/fish/vendor_completions.d/wvgate.fish",
    ] {
        let found = fs::symlink_metadata(debian.path(there));
        assert!(found.is_ok(), "{there} is missing");
    }
    let timer = "/etc/systemd/system/timers.target.wants/wvgate-backup.timer";
    assert!(
        fs::symlink_metadata(debian.path(timer)).is_err(),
        "it is on"
    );
    // No configuration, no start: the unit waits for one.
    assert!(!debian.path(CONFIG).exists());

    debian.does(&["wvgate", "init", "village.test", "--system"]);
    assert_eq!(debian.stat(CONFIG), "root:wvgate 640");
    assert_eq!(
        debian.stat("/etc/wvgate/certs/village.test.key"),
        "wvgate:wvgate 600"
    );
    assert_eq!(debian.stat("/etc/wvgate/certs/ca.key"), "root:root 600");
    let check = ["wvgate", "check", "--offline", "--config", CONFIG];
    let report = done(&mut debian.command("wvgate:wvgate", &check));
    assert!(
        report.contains("\n0 FAIL") || report.contains(" 0 FAIL"),
        "{report}"
    );

    let node = debian.start("wvgate:wvgate", &RUN);
    // Root finds the node without being told where.
    for name in ["alice", "carol"] {
        let add = ["wvgate", "user", "add", name];
        done(debian.command("0:0", &add).env("WVGATE_PASSWORD", name));
    }
    let send = [
        "wvgate",
        "send",
        "--from",
        "alice",
        "--to",
        "carol",
        "kept over an upgrade",
    ];
    debian.does(&send);
    debian.does(&["wvgate", "reload"]);
    debian.does(&["wvgate", "stop"]);
    assert_eq!(node.ended(), Some(0));
    assert_eq!(
        debian.stat("/var/lib/wvgate/wvgate.db"),
        "wvgate:wvgate 600"
    );

    // An operator's changes and the data are as they were after an upgrade.
    let default = debian.path("/etc/default/wvgate");
    fs::write(&default, "RUST_LOG=debug\n").unwrap();
    let configured = fs::read_to_string(debian.path(CONFIG)).unwrap();
    debian.install(&made.now);
    let version = debian.does(&["dpkg-query", "--show", "--showformat=${Version}", "wvgate"]);
    assert_eq!(version, format!("{}-1", env!("CARGO_PKG_VERSION")));
    assert_eq!(fs::read_to_string(&default).unwrap(), "RUST_LOG=debug\n");
    assert_eq!(fs::read_to_string(debian.path(CONFIG)).unwrap(), configured);
    let node = debian.start("wvgate:wvgate", &RUN);
    let users = debian.does(&["wvgate", "user", "list"]);
    assert!(
        users.contains("alice") && users.contains("carol"),
        "{users}"
    );
    let told = debian.does(&["wvgate", "explain", "--user", "carol@village.test"]);
    let waits = "waits for a client of wv:carol@village.test";
    assert!(told.contains(waits), "{told}");
    let chat = ["wvgate", "chat", "carol"];
    let heard = done(debian.command("0:0", &chat).env("WVGATE_PASSWORD", "carol"));
    assert!(heard.contains("one message has waited"), "{heard}");
    debian.does(&["wvgate", "stop"]);
    assert_eq!(node.ended(), Some(0));

    debian.does(&[&APT[..], &["remove", "wvgate"]].concat());
    assert!(!debian.path("/usr/bin/wvgate").exists());
    for kept in [CONFIG, "/var/lib/wvgate/wvgate.db", "/etc/default/wvgate"] {
        assert!(debian.path(kept).exists(), "{kept} went with the program");
    }
    debian.does(&[&APT[..], &["purge", "wvgate"]].concat());
    for gone in ["/etc/wvgate", "/var/lib/wvgate", "/etc/default/wvgate"] {
        assert!(!debian.path(gone).exists(), "{gone} is still there");
    }
    let left = debian.tries(&["dpkg-query", "--status", "wvgate"]);
    assert_eq!(left.status.code(), Some(1), "dpkg still knows it");
}

#[test]
fn the_package_is_as_debian_wants_it() {
    let deb = &made().now;
    let looked = Command::new("lintian")
        .args([
            "--allow-root",
            "--no-cfg",
            "--fail-on",
            "error",
            "--tag-display-limit",
            "0",
        ])
        .arg(deb)
        .output()
        .expect("lintian: scripts/install-package-tools.sh installs it");
    let said = String::from_utf8_lossy(&looked.stdout);
    assert!(looked.status.success(), "{said}");
    assert!(
        !said.contains("groff-message"),
        "a page has mistakes: {said}"
    );

    let field = |name: &str| done(Command::new("dpkg-deb").arg("--field").arg(deb).arg(name));
    let depends = field("Depends");
    assert!(
        depends.contains("libc6") && depends.contains("adduser"),
        "{depends}"
    );
    let listed = done(Command::new("dpkg-deb").arg("--contents").arg(deb));
    let pages = listed.lines().filter(|line| line.contains("/man1/wvgate-"));
    assert!(pages.count() > 20, "{listed}");
    for page in [
        "man1/wvgate.1.gz",
        "man1/wvgate-run.1.gz",
        "man5/wvgate.toml.5.gz",
    ] {
        assert!(listed.contains(page), "{page} is missing");
    }

    let folder = Folder::new();
    done(
        Command::new("dpkg-deb")
            .arg("--extract")
            .arg(deb)
            .arg(&folder.0),
    );
    let program = folder.0.join("usr/bin/wvgate");
    let sections = done(
        Command::new("readelf")
            .args(["--sections", "--wide"])
            .arg(program),
    );
    for cut in [".debug_info", ".debug_line", ".symtab"] {
        assert!(!sections.contains(cut), "{cut} is in the package");
    }
}

#[test]
fn the_image_is_whole_and_runs_as_its_user() {
    let made = made();
    let folder = Folder::new();
    let image = folder.0.join("image.tar");
    let mut command = Command::new(sources().join("scripts/oci-image.py"));
    command.arg("--fast").arg("--deb").arg(&made.now);
    done(
        command
            .arg("--base")
            .arg(&made.debian)
            .arg("--out")
            .arg(&image),
    );
    let layout = folder.0.join("layout");
    fs::create_dir(&layout).unwrap();
    done(
        Command::new("tar")
            .arg("--extract")
            .arg("--file")
            .arg(&image)
            .arg("--directory")
            .arg(&layout),
    );

    let json = |path: &Path| -> Value { serde_json::from_slice(&fs::read(path).unwrap()).unwrap() };
    // A blob, which is as its descriptor says.
    let blob = |described: &Value| {
        let digest = described["digest"].as_str().unwrap();
        let digest = digest.strip_prefix("sha256:").unwrap();
        let path = layout.join("blobs/sha256").join(digest);
        assert_eq!(fs::metadata(&path).unwrap().len(), described["size"]);
        let sum = done(Command::new("sha256sum").arg(&path));
        assert!(sum.starts_with(digest), "{sum}");
        path
    };
    let index = json(&layout.join("index.json"));
    let described = &index["manifests"][0];
    let version = env!("CARGO_PKG_VERSION");
    let tag = &described["annotations"]["org.opencontainers.image.ref.name"];
    assert_eq!(tag, version);
    let manifest = json(&blob(described));
    let config = json(&blob(&manifest["config"]));
    let layers = manifest["layers"].as_array().unwrap();
    assert_eq!(layers.len(), 2);
    assert_eq!(config["rootfs"]["diff_ids"].as_array().unwrap().len(), 2);

    let root = Root::new();
    for layer in layers {
        root.add(&blob(layer));
    }
    let settings = &config["config"];
    let user = settings["User"].as_str().unwrap();
    assert_eq!(user, "10001:10001");
    assert_eq!(root.stat("/var/lib/wvgate"), "wvgate:wvgate 750");
    let start: Vec<&str> = [&settings["Entrypoint"], &settings["Cmd"]]
        .iter()
        .flat_map(|words| words.as_array().unwrap())
        .map(|word| word.as_str().unwrap())
        .collect();
    assert_eq!(start, RUN);
    fs::write(
        root.path(CONFIG),
        "[node]\ndomain = \"village.test\"\ndata = \"/var/lib/wvgate\"\n[ssp]\nplain = true\n",
    )
    .unwrap();
    // As the first step of a health check.
    let ready = ["/usr/bin/wvgate", "status", "--ready", "--config", CONFIG];
    let early = root.command(user, &ready).output().unwrap();
    assert_eq!(early.status.code(), Some(1), "ready without a node");
    let node = root.start(user, &start);
    done(&mut root.command(user, &ready));
    done(&mut root.command(user, &["/usr/bin/wvgate", "stop", "--config", CONFIG]));
    assert_eq!(node.ended(), Some(0));
}
