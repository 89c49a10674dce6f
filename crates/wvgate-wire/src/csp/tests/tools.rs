//! Other decoders of WBXML: the tools of libwbxml, and the dissector of Wireshark. Needs nothing of
//! this crate: suites that record what a node wrote hold it against the same decoders.

use std::io::Write;
use std::process::{Command, Stdio};

/// What a tool says to this input; `None` if it is not installed.
pub(crate) fn run(tool: &str, arguments: &[&str], input: &[u8]) -> Option<Vec<u8>> {
    let child = Command::new(tool)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut child) = child else {
        eprintln!("{tool} is not installed: scripts/install-test-tools.sh");
        return None;
    };
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // The tool may answer before it has read all.
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    let _ = writer.join().unwrap();
    Some(output.stdout)
}

/// The names of the specification for two that the tools write as its samples do.
pub(crate) fn in_our_names(xml: &[u8]) -> Vec<u8> {
    let text = std::str::from_utf8(xml).unwrap();
    let text = text.replace("PreferredContent", "ReferredContent");
    text.replace("PreferredvCard", "ReferredvCard").into()
}

/// With the document type by which the tools know the language, and in their names.
pub(crate) fn typed(xml: &[u8]) -> Vec<u8> {
    let text = std::str::from_utf8(xml).unwrap();
    let text = text.replace("ReferredContent", "PreferredContent");
    let text = text.replace("ReferredvCard", "PreferredvCard");
    let kind = "<!DOCTYPE WV-CSP-Message PUBLIC \"-//OMA//DTD WV-CSP 1.1//EN\" \"x\">";
    text.replacen("<WV-CSP-Message", &format!("{kind}<WV-CSP-Message"), 1)
        .into_bytes()
}

/// A capture of HTTP requests with these bodies, one packet each.
pub(crate) fn capture(bodies: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::new();
    for field in [0xA1B2_C3D4_u32, 0x0004_0002, 0, 0, 65_535, 101] {
        out.extend(field.to_le_bytes());
    }
    for (number, body) in (0u16..).zip(bodies) {
        let head = format!(
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/vnd.wv.csp.wbxml\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let length = u16::try_from(40 + head.len() + body.len()).unwrap();
        for field in [u32::from(number), 0, u32::from(length), u32::from(length)] {
            out.extend(field.to_le_bytes());
        }
        out.extend([0x45, 0]);
        out.extend(length.to_be_bytes());
        out.extend([0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
        out.extend((1024 + number).to_be_bytes());
        out.extend([
            0, 80, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x18, 0xFF, 0xFF, 0, 0, 0, 0,
        ]);
        out.extend(head.as_bytes());
        out.extend(body);
    }
    out
}

/// What the dissector calls otherwise.
const OTHERS: [(&str, &str); 2] = [
    ("BlockUser-Request", "BlockEntity-Request"),
    ("Auto-Subscribe", "AutoSubscribe"),
];

/// The name in a line of the dissector that shows a start tag.
pub(crate) fn start_tag(line: &str) -> Option<&str> {
    let (_, shown) = line.split_once(") |")?;
    let name = shown.trim_start().strip_prefix('<')?;
    let name = name.trim_end_matches(['>', '/', ' ']);
    if name.starts_with('/') {
        return None;
    }
    let other = OTHERS.iter().find(|(theirs, _)| *theirs == name);
    Some(other.map_or(name, |(_, ours)| ours))
}
