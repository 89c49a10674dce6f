//! The inside of the house: a type's methods stand in the file of the type, and the rooms of a
//! folder know each other in one direction only. Both are read from the sources.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The most methods, in percent, that may stand in another file than their type.
const AWAY_PERCENT: usize = 8;

/// The most of any one type.
const AWAY_OF_ONE: usize = 15;

/// The most lines of a file: beyond that it holds two types, or two subjects.
const MOST_LINES: usize = 500;

/// Sources that go on with the `mod.rs` of their folder.
const HEADS: &[(&str, &[&str])] = &[
    ("sap", &["check_only", "inbound"]),
    ("gateway", &["delivered", "element", "from_links"]),
];

/// A room, and what it may use of the others in its folder.
type Room = (&'static str, &'static [&'static str]);

/// What a room of a folder may use of the others. A folder's `mod.rs` knows its rooms, and no room
/// knows what only that has.
const ROOMS: &[(&str, &[Room])] = &[
    (
        "gateway",
        &[
            ("policy", &[]),
            ("rates", &["policy"]),
            ("gate", &["policy", "rates"]),
            ("settings", &["policy"]),
            ("records", &[]),
            ("numbers", &[]),
            ("timers", &[]),
            ("shares", &[]),
            ("dropped", &[]),
            ("capabilities", &[]),
            ("preferences", &["records", "shares"]),
            ("fate", &[]),
            ("link_view", &[]),
            ("lane", &["link_view"]),
            ("latest", &[]),
            (
                "links",
                &["dropped", "fate", "lane", "latest", "link_view", "records"],
            ),
            ("kept", &["records", "shares"]),
            (
                "shared",
                &[
                    "capabilities",
                    "dropped",
                    "gate",
                    "kept",
                    "links",
                    "numbers",
                    "preferences",
                    "records",
                    "settings",
                ],
            ),
            ("reply", &["shared"]),
            ("files", &["records", "reply", "shared", "shares", "timers"]),
            ("commands", &["preferences", "records", "shared", "timers"]),
            (
                "message",
                &[
                    "fate", "files", "links", "records", "shared", "shares", "timers",
                ],
            ),
            ("presence", &["records", "shared", "shares", "timers"]),
            (
                "query",
                &[
                    "capabilities",
                    "presence",
                    "records",
                    "reply",
                    "shared",
                    "shares",
                    "timers",
                ],
            ),
            ("invitation", &["records", "shared", "shares", "timers"]),
            ("rooms", &["query", "records", "shared", "shares", "timers"]),
            ("groups", &["records", "reply", "shared", "timers"]),
            (
                "search",
                &["presence", "reply", "shared", "shares", "timers"],
            ),
            ("pictures", &["records", "reply", "shared", "timers"]),
            ("rosters", &["kept", "records", "reply", "shared", "timers"]),
            (
                "cards",
                &["presence", "reply", "shared", "shares", "timers"],
            ),
        ],
    ),
    (
        "sap",
        &[
            // Values and small tools.
            ("admission", &[]),
            ("body", &[]),
            ("deadlines", &[]),
            ("network", &[]),
            ("session_id", &[]),
            ("post", &["session_id"]),
            ("presented_as", &[]),
            ("random", &[]),
            ("transaction_id", &[]),
            ("verdict", &[]),
            ("watch", &[]),
            ("note", &["watch"]),
            ("settings", &["network", "presented_as"]),
            ("numbers", &["random", "settings"]),
            (
                "neighbour",
                &["numbers", "presented_as", "random", "settings"],
            ),
            // Machines.
            (
                "association",
                &[
                    "deadlines",
                    "network",
                    "note",
                    "numbers",
                    "post",
                    "presented_as",
                    "random",
                    "session_id",
                    "settings",
                    "transaction_id",
                    "verdict",
                    "watch",
                ],
            ),
            ("dialect", &["body", "presented_as", "settings"]),
            (
                "service",
                &[
                    "association",
                    "deadlines",
                    "numbers",
                    "presented_as",
                    "random",
                    "settings",
                    "watch",
                ],
            ),
            ("profile", &["body", "deadlines", "service", "settings"]),
            (
                "transaction",
                &[
                    "association",
                    "body",
                    "deadlines",
                    "dialect",
                    "neighbour",
                    "note",
                    "numbers",
                    "presented_as",
                    "profile",
                    "random",
                    "service",
                    "session_id",
                    "settings",
                    "transaction_id",
                    "watch",
                ],
            ),
            (
                "directory",
                &[
                    "association",
                    "presented_as",
                    "session_id",
                    "settings",
                    "verdict",
                ],
            ),
            (
                "associations",
                &[
                    "association",
                    "deadlines",
                    "directory",
                    "neighbour",
                    "post",
                    "presented_as",
                    "session_id",
                    "settings",
                    "transaction",
                    "verdict",
                ],
            ),
            (
                "effect",
                &[
                    "neighbour",
                    "note",
                    "post",
                    "service",
                    "transaction",
                    "watch",
                ],
            ),
            (
                "engine",
                &[
                    "association",
                    "associations",
                    "effect",
                    "neighbour",
                    "numbers",
                    "presented_as",
                    "random",
                    "service",
                    "session_id",
                    "settings",
                    "transaction",
                    "watch",
                ],
            ),
            (
                "to_this_sap",
                &["engine", "session_id", "settings", "transaction"],
            ),
        ],
    ),
    (
        "translate",
        &[
            ("stanza", &[]),
            ("address", &[]),
            ("tables", &["stanza"]),
            ("escape", &["tables"]),
            ("words", &["stanza", "tables"]),
            ("translator", &["address", "escape", "stanza", "tables"]),
            ("command", &["stanza"]),
            ("file", &["escape", "stanza", "words"]),
            (
                "message",
                &["address", "file", "stanza", "tables", "translator", "words"],
            ),
            ("receipt", &["address", "stanza", "tables", "translator"]),
            ("card", &["stanza"]),
            ("invitation", &["stanza", "translator"]),
            (
                "presence",
                &["address", "card", "stanza", "tables", "translator"],
            ),
            ("room", &["stanza", "tables", "translator"]),
            ("search", &["stanza", "translator"]),
            ("roster", &["stanza", "translator"]),
            ("block_list", &["stanza", "translator"]),
            ("privilege", &["stanza", "tables"]),
        ],
    ),
];

/// A source, by the path of its module from the crate's root.
struct Source {
    file: PathBuf,
    module: Vec<String>,
    text: String,
}

/// The sources in a folder of the repository.
fn sources(folder: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let (mut found, mut folders) = (Vec::new(), vec![root.clone()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let file = entry.unwrap().path();
            let name = file.file_stem().unwrap().to_string_lossy().into_owned();
            if matches!(
                name.as_str(),
                "test" | "tests" | "benches" | "fuzz" | "target" | "examples"
            ) || name.ends_with("_test")
                || name.ends_with("_tests")
            {
                continue;
            }
            if file.is_dir() {
                folders.push(file);
            } else if file.extension().is_some_and(|extension| extension == "rs") {
                let inside = file.strip_prefix(&root).unwrap().with_extension("");
                let mut module: Vec<String> = inside
                    .iter()
                    .map(|part| part.to_string_lossy().into_owned())
                    .collect();
                if module.last().is_some_and(|last| last == "mod") {
                    module.pop();
                }
                let text = std::fs::read_to_string(&file).unwrap();
                let text = without_tests(&text).to_owned();
                found.push(Source { file, module, text });
            }
        }
    }
    found.sort_by(|a, b| a.file.cmp(&b.file));
    found
}

/// Tests stand at the end of a file.
fn without_tests(text: &str) -> &str {
    text.find("\n#[cfg(test)]\nmod ")
        .or_else(|| text.find("\n#[cfg(test)]\n#[path"))
        .map_or(text, |at| &text[..at])
}

/// What follows the visibility in a line.
fn after_visibility(line: &str) -> &str {
    let Some(rest) = line.strip_prefix("pub") else {
        return line;
    };
    match rest
        .strip_prefix('(')
        .and_then(|rest| rest.split_once(") "))
    {
        Some((_, rest)) => rest,
        None => rest.strip_prefix(' ').unwrap_or(line),
    }
}

fn word(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_');
    &text[..end.unwrap_or(text.len())]
}

/// The type that a line at the left margin defines.
fn defined(line: &str) -> Option<&str> {
    let line = after_visibility(line);
    let name = line
        .strip_prefix("struct ")
        .or_else(|| line.strip_prefix("enum "))?;
    Some(word(name))
}

/// What follows a list of generic parameters.
fn after_generics(text: &str) -> &str {
    if !text.starts_with('<') {
        return text;
    }
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        match c {
            '<' => depth += 1,
            '>' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return &text[at + 1..];
        }
    }
    ""
}

/// The type whose own methods a block has that begins with this line.
fn extended(line: &str) -> Option<&str> {
    let rest = after_generics(line.strip_prefix("impl")?).strip_prefix(' ')?;
    let name = word(rest);
    let rest = after_generics(&rest[name.len()..]).trim_start();
    (rest.is_empty() || rest.starts_with('{') || rest.starts_with("where")).then_some(name)
}

fn is_method(line: &str) -> bool {
    let Some(line) = line.strip_prefix("    ") else {
        return false;
    };
    let mut line = after_visibility(line);
    for word in ["const ", "async "] {
        line = line.strip_prefix(word).unwrap_or(line);
    }
    line.starts_with("fn ")
}

/// Blocks of a type's own methods: the type, and how many.
fn blocks(text: &str) -> Vec<(&str, usize)> {
    let mut found: Vec<(&str, usize)> = Vec::new();
    let mut is_inside = false;
    for line in text.lines() {
        if let Some(name) = extended(line) {
            is_inside = !line.ends_with('}');
            found.push((name, 0));
        } else if line.starts_with('}') {
            is_inside = false;
        } else if is_inside
            && is_method(line)
            && let Some((_, methods)) = found.last_mut()
        {
            *methods += 1;
        }
    }
    found
}

#[test]
fn methods_stand_in_the_file_of_their_type() {
    let mut all = sources("src");
    all.extend(sources("crates"));
    let mut homes: BTreeMap<&str, BTreeSet<&Path>> = BTreeMap::new();
    for source in &all {
        for name in source.text.lines().filter_map(defined) {
            homes.entry(name).or_default().insert(&source.file);
        }
    }
    let (mut total, mut away) = (0, BTreeMap::<&str, Vec<(usize, &Path)>>::new());
    for source in &all {
        for (name, methods) in blocks(&source.text) {
            total += methods;
            let is_away = homes
                .get(name)
                .is_some_and(|homes| !homes.contains(source.file.as_path()));
            if is_away {
                away.entry(name).or_default().push((methods, &source.file));
            }
        }
    }
    let count = |places: &Vec<(usize, &Path)>| places.iter().map(|(methods, _)| methods).sum();
    let mut worst: Vec<(usize, &str)> = away
        .iter()
        .map(|(name, places)| (count(places), *name))
        .collect();
    worst.sort_unstable_by(|a, b| b.cmp(a));
    let sum: usize = worst.iter().map(|(methods, _)| methods).sum();
    assert!(total > 500, "only {total} methods were found");
    let told: Vec<String> = worst
        .iter()
        .take(5)
        .map(|(methods, name)| {
            let files = away[name].iter().map(|(_, file)| file.display());
            let files: Vec<String> = files.map(|file| file.to_string()).collect();
            format!("{methods} of {name}, in {}", files.join(", "))
        })
        .collect();
    assert!(
        sum * 100 <= total * AWAY_PERCENT
            && worst.first().is_none_or(|(most, _)| *most <= AWAY_OF_ONE),
        "{sum} of {total} methods stand in another file than their type; allowed are {AWAY_PERCENT} % \
         and {AWAY_OF_ONE} of one type:\n{}",
        told.join("\n")
    );
}

/// The paths that a text names by `crate` and `super`, from the crate's root.
fn paths(module: &[String], text: &str) -> Vec<Vec<String>> {
    let code: String = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| [line, "\n"])
        .collect();
    let mut found = Vec::new();
    for start in ["crate::", "super::"] {
        for (at, _) in code.match_indices(start) {
            let before = code[..at].chars().next_back().unwrap_or(' ');
            if before.is_alphanumeric() || matches!(before, '_' | ':' | '$') {
                continue;
            }
            let mut rest = &code[at..];
            let mut base = module.to_vec();
            if let Some(inside) = rest.strip_prefix("crate::") {
                base.clear();
                rest = inside;
            }
            while let Some(inside) = rest.strip_prefix("super::") {
                base.pop();
                rest = inside;
            }
            spread(&base, rest, &mut found);
        }
    }
    found
}

/// Adds the paths that begin with `base` and go on as `rest` does.
fn spread(base: &[String], rest: &str, found: &mut Vec<Vec<String>>) {
    if let Some(list) = rest.strip_prefix('{') {
        let (mut depth, mut begin) = (0, 0);
        for (at, c) in list.char_indices() {
            match c {
                '{' => depth += 1,
                '}' | ',' if depth == 0 => {
                    spread(base, list[begin..at].trim(), found);
                    begin = at + 1;
                    if c == '}' {
                        return;
                    }
                }
                '}' => depth -= 1,
                _ => {}
            }
        }
        return;
    }
    let name = word(rest);
    if name.is_empty() {
        return;
    }
    let mut path = base.to_vec();
    path.push(name.to_owned());
    match rest[name.len()..].strip_prefix("::") {
        Some(more) if more.starts_with(|c: char| c.is_alphanumeric() || c == '{') => {
            spread(&path, more, found);
        }
        _ => found.push(path),
    }
}

/// Names that the head of a folder takes from its rooms, with the room.
fn taken(head: &Source, rooms: &BTreeMap<&str, &[&str]>) -> BTreeMap<String, String> {
    let mut names = BTreeMap::new();
    let lines = head.text.split(';').filter_map(|part| {
        let at = part.rfind("use ")?;
        Some(&part[at + "use ".len()..])
    });
    for line in lines.filter(|line| rooms.contains_key(word(line))) {
        let mut found = Vec::new();
        spread(&[], line, &mut found);
        for path in found {
            if let [room, .., name] = path.as_slice() {
                names.insert(name.clone(), room.clone());
            }
        }
    }
    names
}

#[test]
fn the_rooms_of_a_folder_know_each_other_in_one_direction() {
    let mut wrong = Vec::new();
    for (folder, arrows) in ROOMS {
        let rooms: BTreeMap<&str, &[&str]> = arrows.iter().copied().collect();
        let all = sources(&format!("src/{folder}"));
        let head = all.iter().find(|source| source.module.is_empty()).unwrap();
        let taken = taken(head, &rooms);
        let mut met = BTreeSet::new();
        for source in all.iter().filter(|source| !source.module.is_empty()) {
            let room = source.module[0].as_str();
            let is_head = |(of, heads): &(&str, &[&str])| of == folder && heads.contains(&room);
            if HEADS.iter().any(is_head) {
                continue;
            }
            met.insert(room);
            let Some(allowed) = rooms.get(room) else {
                wrong.push(format!("{} is in no room", source.file.display()));
                continue;
            };
            let mut module = vec![(*folder).to_owned()];
            module.extend(source.module.iter().cloned());
            for path in paths(&module, &source.text) {
                let [first, named, ..] = path.as_slice() else {
                    continue;
                };
                if first != folder {
                    continue;
                }
                let used = taken.get(named).unwrap_or(named).as_str();
                if used != room && !allowed.contains(&used) {
                    wrong.push(format!("{} uses {used}", source.file.display()));
                }
            }
        }
        for room in rooms.keys().filter(|room| !met.contains(*room)) {
            wrong.push(format!("no sources of {folder}/{room} were read"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_arrows_between_rooms_point_downwards_only() {
    for (folder, rooms) in ROOMS {
        let mut below = BTreeSet::new();
        for (room, uses) in *rooms {
            for used in *uses {
                assert!(below.contains(used), "{folder}: {room} -> {used}");
            }
            below.insert(*room);
        }
    }
}

#[test]
fn methods_and_paths_are_found_in_all_their_forms() {
    let text = "struct A;\npub(crate) enum B<T> {\n    C,\n}\nimpl A {\n    fn a() {}\n    pub(super) const fn b() {}\n}\n\
                impl<T: Into<u8>> B<T> {\n    pub async fn c() {}\n}\nimpl Display for A {\n    fn d() {}\n}\n";
    let types: Vec<&str> = text.lines().filter_map(defined).collect();
    assert_eq!(types, ["A", "B"]);
    assert_eq!(blocks(text), [("A", 2), ("B", 1)]);

    let module = ["gateway", "message", "sent"].map(str::to_owned);
    let text = "use super::super::{links::Links, shared::{A, B}};\nuse super::inbound;\nfn f(x: crate::sap::Time) {}\n// super::x";
    let mut found: Vec<String> = paths(&module, text)
        .iter()
        .map(|path| path.join("."))
        .collect();
    found.sort_unstable();
    assert_eq!(
        found,
        [
            "gateway.links.Links",
            "gateway.message.inbound",
            "gateway.shared.A",
            "gateway.shared.B",
            "sap.Time"
        ]
    );
}

#[test]
fn no_file_is_longer_than_a_type_needs() {
    let mut folders = vec!["src".into(), "crates".into(), "benches".into()];
    let (mut read, mut long) = (0, Vec::new());
    while let Some(folder) = folders.pop() {
        let folder: PathBuf = folder;
        for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap()
        {
            let file = entry.unwrap().path();
            if file.is_dir() {
                folders.push(file);
            } else if file.extension().is_some_and(|extension| extension == "rs") {
                read += 1;
                let lines = std::fs::read_to_string(&file).unwrap().lines().count();
                if lines > MOST_LINES {
                    long.push(format!("{}: {lines}", file.display()));
                }
            }
        }
    }
    assert!(read > 300, "only {read} files were read");
    assert!(
        long.is_empty(),
        "more than {MOST_LINES} lines:\n{}",
        long.join("\n")
    );
}
