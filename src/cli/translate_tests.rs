use std::fs;
use std::path::Path;

use super::*;

/// 2024-05-01T13:40:00Z.
const NOW: u64 = 1_714_570_800_000;

/// What the command writes, or why it writes nothing.
fn translated(input: &str) -> String {
    let translator = Translator::new("home.example", &["village.example"]);
    let input = input.trim().as_bytes().to_vec();
    let translated = if is_ssp(&input) {
        to_xmpp(&translator, &input.into(), NOW)
    } else {
        to_ssp(&translator, &input, NOW)
    };
    match translated {
        Ok(lines) if lines.is_empty() => "nothing\n".to_owned(),
        Ok(lines) => lines.join("\n") + "\n",
        Err(why) => format!("{why}\n"),
    }
}

/// With `WVGATE_WRITE_DOCS` in the environment the second of each pair is written anew.
#[test]
fn each_pair_in_tests_translate_is_what_the_command_makes_of_its_input() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/translate");
    let mut pairs = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let Some(name) = path.to_str().and_then(|name| name.strip_suffix(".in.xml")) else {
            continue;
        };
        pairs += 1;
        let made = translated(&fs::read_to_string(&path).unwrap());
        let out = format!("{name}.out.xml");
        if std::env::var_os("WVGATE_WRITE_DOCS").is_some() {
            fs::write(&out, &made).unwrap();
        }
        let wanted = fs::read_to_string(&out).unwrap_or_default();
        assert_eq!(
            made, wanted,
            "{name}: write it anew with WVGATE_WRITE_DOCS=1"
        );
    }
    assert!(pairs > 50, "{pairs} pairs");
}
