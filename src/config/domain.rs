//! The form of domain names, and what was probably meant by a wrong one.

/// Whether this is a domain in the form in which the node compares domains: lower-case
/// A-labels, no port, no final dot.
pub(super) fn is_domain(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    text.len() <= 253 && text.split('.').all(label)
}

/// What is wrong with this domain (message and remedy); nothing if it is one.
pub(super) fn complaint(text: &str) -> Option<(String, String)> {
    if is_domain(text) {
        return None;
    }
    let meant = meant(text);
    let fix = if is_domain(&meant) {
        format!("write \"{meant}\"")
    } else {
        "write a plain domain name, such as \"relay.test\"".to_string()
    };
    let message = if text.is_ascii() && text.to_lowercase() == meant && meant != text {
        format!("\"{text}\" has capital letters")
    } else if !text.is_ascii() {
        format!("\"{text}\" is not in its ASCII form")
    } else {
        format!("\"{text}\" is not a domain")
    };
    Some((message, fix))
}

/// Strips what does not belong to a domain (scheme, `wv:@`, port, path, final dot), lowers
/// its case and writes each label as an A-label.
fn meant(text: &str) -> String {
    let text = text.trim().to_lowercase();
    let text = text
        .split_once("://")
        .map_or(text.as_str(), |(_, rest)| rest);
    let text = text.rsplit_once('@').map_or(text, |(_, rest)| rest);
    let text = text.split(['/', ':']).next().unwrap_or_default();
    let labels: Vec<String> = text.trim_end_matches('.').split('.').map(a_label).collect();
    labels.join(".")
}

/// A label in ASCII: `xn--` and its Punycode (RFC 3492) where it is not ASCII already.
fn a_label(label: &str) -> String {
    if label.is_ascii() {
        return label.to_string();
    }
    let code_points: Vec<u32> = label.chars().map(u32::from).collect();
    format!("xn--{}", punycode(&code_points))
}

/// RFC 3492, section 6.3.
fn punycode(input: &[u32]) -> String {
    let mut out: String = input
        .iter()
        .filter(|c| **c < 0x80)
        .filter_map(|c| char::from_u32(*c))
        .collect();
    let basic = u32::try_from(out.len()).unwrap_or(u32::MAX);
    if basic > 0 {
        out.push('-');
    }
    let (mut n, mut delta, mut bias, mut handled) = (0x80u32, 0u32, 72u32, basic);
    while let Some(next) = input.iter().copied().filter(|c| *c >= n).min() {
        delta = delta.saturating_add((next - n).saturating_mul(handled + 1));
        n = next;
        for c in input.iter().copied() {
            if c < n {
                delta += 1;
            }
            if c == n {
                let mut q = delta;
                for k in (36u32..).step_by(36) {
                    let t = u32::clamp(k.saturating_sub(bias), 1, 26);
                    if q < t {
                        break;
                    }
                    out.push(digit(t + (q - t) % (36 - t)));
                    q = (q - t) / (36 - t);
                }
                out.push(digit(q));
                bias = adapt(delta, handled + 1, handled == basic);
                delta = 0;
                handled += 1;
            }
        }
        delta += 1;
        n += 1;
    }
    out
}

/// RFC 3492, section 6.1.
fn adapt(delta: u32, points: u32, first: bool) -> u32 {
    let mut delta = if first { delta / 700 } else { delta / 2 };
    delta += delta / points;
    let mut k = 0;
    while delta > 455 {
        delta /= 35;
        k += 36;
    }
    k + 36 * delta / (delta + 38)
}

fn digit(value: u32) -> char {
    let code = if value < 26 { value + 97 } else { value + 22 };
    char::from_u32(code).unwrap_or('?')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_are_lower_case_a_labels() {
        for good in [
            "relay.test",
            "localhost",
            "xn--mnchen-3ya.example",
            "a-b.c1",
        ] {
            assert!(is_domain(good), "{good}");
        }
        for bad in [
            "",
            "Relay.test",
            "a..b",
            ".test",
            "test.",
            "-a.b",
            "a_b.c",
            "a.test:5280",
            "*",
        ] {
            assert!(!is_domain(bad), "{bad}");
        }
    }

    #[test]
    fn the_remedy_is_the_domain_that_was_meant() {
        for (wrong, right) in [
            ("Relay.Test", "relay.test"),
            ("wv:@relay.test", "relay.test"),
            ("https://relay.test:5280/", "relay.test"),
            ("relay.test.", "relay.test"),
            ("münchen.example", "xn--mnchen-3ya.example"),
            ("bücher.example", "xn--bcher-kva.example"),
            ("例え.テスト", "xn--r8jz45g.xn--zckzah"),
        ] {
            assert_eq!(
                complaint(wrong).unwrap().1,
                format!("write \"{right}\""),
                "{wrong}"
            );
        }
        assert_eq!(
            complaint("a b").unwrap().1,
            "write a plain domain name, such as \"relay.test\""
        );
    }
}
