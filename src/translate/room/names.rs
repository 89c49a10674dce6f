//! Screen names of a group and nicknames of a room (xmpp-mapping, 2.4).

use std::fmt::Write as _;

use sha1::{Digest, Sha1};
use xmpp_parsers::jid::ResourcePart;

use crate::imps::Address;
use crate::text::shown::{cut, steers};
use crate::translate::Translator;
use crate::translate::stanza::clean;

/// The nickname under which a room shows whom the group calls `name`: the same, if it can be a
/// nickname. Another one has a mark at its end, so that no two become one.
pub fn nick(name: &str) -> String {
    let name = name.trim();
    let plain = name.strip_prefix("wv:").unwrap_or(name);
    let is_usable = |nick: &str| {
        !nick.contains(steers)
            && ResourcePart::new(nick).is_ok_and(|resource| resource.as_str() == nick)
    };
    if is_usable(plain) {
        return plain.to_owned();
    }
    let mark = mark(name);
    let forbidden = |c: char| if steers(c) { '_' } else { c };
    let most = 256;
    let shown: String = clean(plain).chars().map(forbidden).take(most).collect();
    let shown = ResourcePart::new(&shown).map(|resource| resource.as_str().to_owned());
    shown.map_or_else(|_| format!("user{mark}"), |shown| format!("{shown}{mark}"))
}

/// The screen name for whom a room calls `nick`, which is too long or has what screen names have
/// not: `name` is what is left of it. A mark keeps it apart from others.
pub fn marked(name: &str, nick: &str, translator: &Translator) -> String {
    let mark = mark(nick);
    let most = translator.mappings.addresses.nickname_bytes;
    let shown = cut(name, most.saturating_sub(mark.len())).trim_end();
    format!("{shown}{mark}")
}

fn mark(name: &str) -> String {
    let mut mark = String::from("-");
    for byte in &Sha1::digest(name.as_bytes())[..3] {
        let _ = write!(mark, "{byte:02x}");
    }
    mark
}

/// The screen name for a user who wants to be called `nick`: no longer than a group takes it, and
/// none that could be taken for an address; without one the user's own name.
pub fn screen_name(translator: &Translator, nick: &str, user: &Address) -> String {
    let wanted = translator.screen_name(&nick.replace('@', "_"));
    let wanted = wanted.trim();
    if wanted.is_empty() || wanted.starts_with("wv:") {
        return translator.screen_name(&user.user_part().replace('@', "_"));
    }
    wanted.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_can_be_a_nickname_is_one() {
        for name in ["Wicked Vicky", "bob@village.example", "ßÄ", "a/b@c"] {
            assert_eq!(nick(name), name);
        }
        assert_eq!(nick("wv:bob@village.example"), "bob@village.example");
    }

    #[test]
    fn names_that_cannot_be_nicknames_stay_apart() {
        let long = "x".repeat(2000);
        let longer = "x".repeat(2001);
        let bad = ["\u{202e}evil", "_evil", "\u{7}", "", &long, &longer];
        let nicks: std::collections::BTreeSet<String> = bad.iter().map(|name| nick(name)).collect();
        assert_eq!(nicks.len(), bad.len());
        for nick in nicks {
            assert!(ResourcePart::new(&nick).is_ok(), "{nick}");
            assert!(!nick.contains(steers));
        }
    }

    #[test]
    fn a_wanted_nickname_becomes_a_screen_name_that_groups_take() {
        let translator = Translator::new("home.example", &["village.example"]);
        let alice = Address::new("wv:alice@home.example");
        for (nick, name) in [
            ("Ali", "Ali"),
            ("  Ali ", "Ali"),
            ("al@home", "al_home"),
            ("  ", "alice"),
            ("wv:bob", "alice"),
        ] {
            assert_eq!(screen_name(&translator, nick, &alice), name);
        }
        assert!(screen_name(&translator, &"é".repeat(100), &alice).len() <= 64);
    }
}
