//! The two forms of an internationalised domain: `bücher.test` and `xn--bcher-kva.test`.
//!
//! RFC 7622 wants the first in addresses, and servers know a component by whatever their
//! configuration says. So a link offers the first, then the second, and writes the one that the
//! server has accepted; the rest of the program sees the first only.

use tokio_xmpp::{Stanza, jid::Jid};
use xmpp_parsers::jid::DomainPart;

/// The forms of a domain, the one of addresses first; one if they are the same.
pub(super) fn forms(domain: &str) -> Vec<String> {
    let mut forms = vec![domain.to_owned()];
    for form in [
        idna::domain_to_unicode(domain).0,
        idna::domain_to_ascii(domain).unwrap_or_default(),
    ] {
        if !form.is_empty() && !forms.contains(&form) {
            forms.push(form);
        }
    }
    forms
}

/// Writes `new` wherever a stanza's addresses name the domain `old`.
pub(super) fn rename(stanza: &mut Stanza, old: &str, new: &str) {
    if old == new {
        return;
    }
    let (from, to) = match stanza {
        Stanza::Message(message) => (&mut message.from, &mut message.to),
        Stanza::Presence(presence) => (&mut presence.from, &mut presence.to),
        Stanza::Iq(iq) => {
            rename_one(iq.from_mut(), old, new);
            rename_one(iq.to_mut(), old, new);
            return;
        }
    };
    rename_one(from, old, new);
    rename_one(to, old, new);
}

fn rename_one(address: &mut Option<Jid>, old: &str, new: &str) {
    if let Some(jid) = address
        && jid.domain().as_str() == old
        && let Ok(domain) = DomainPart::new(new)
    {
        *jid = Jid::from_parts(jid.node(), &domain, jid.resource());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_internationalised_domain_has_two_forms() {
        assert_eq!(forms("b.test"), ["b.test"]);
        let both = ["bücher.test", "xn--bcher-kva.test"];
        assert_eq!(forms("bücher.test"), both);
        assert_eq!(forms("xn--bcher-kva.test"), [both[1], both[0]]);
    }
}
