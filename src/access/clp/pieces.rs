//! A text as short messages.

/// Letters of one message, where all of them are of the default alphabet of GSM, and else
/// (3GPP TS 23.038; TS 23.040, 9.2.3.24.1).
const LETTERS: usize = 160;
const LETTERS_OF_UCS2: usize = 70;
/// Messages of one text; our choice. What does not fit is cut.
const MOST: usize = 9;
/// Letters of `(1/9) `.
const HEAD: usize = 6;
/// Said at the end of what was cut.
const CUT: &str = "...";

/// The default alphabet of GSM, without its extension.
const GSM: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
/// Those that take two places.
const GSM_EXTENSION: &str = "^{}\\[~]|€";

/// How the letters of a short message are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    Gsm,
    Ucs2,
}

impl Coding {
    /// Of a text.
    pub(super) fn of(text: &str) -> Self {
        let is_gsm = |letter: char| GSM.contains(letter) || GSM_EXTENSION.contains(letter);
        if text.chars().all(is_gsm) {
            Self::Gsm
        } else {
            Self::Ucs2
        }
    }

    fn most(self) -> usize {
        match self {
            Self::Gsm => LETTERS,
            Self::Ucs2 => LETTERS_OF_UCS2,
        }
    }

    /// Places that a letter takes.
    fn places(self, letter: char) -> usize {
        match self {
            Self::Gsm if GSM_EXTENSION.contains(letter) => 2,
            Self::Gsm => 1,
            Self::Ucs2 => letter.len_utf16(),
        }
    }
}

/// The messages that tell a text: one, or up to nine that begin with their number, as `(2/3)`.
/// What does not fit into these ends with dots.
pub(super) fn of(text: &str) -> Vec<String> {
    let coding = Coding::of(text);
    let all = |letters: &str| letters.chars().map(|c| coding.places(c)).sum::<usize>();
    if all(text) <= coding.most() {
        return vec![text.to_owned()];
    }
    let most = coding.most() - HEAD;
    let mut parts: Vec<&str> = Vec::new();
    let mut rest = text;
    while !rest.is_empty() && parts.len() < MOST {
        let is_last = parts.len() + 1 == MOST && all(rest) > most;
        let (part, behind) = cut(rest, if is_last { most - CUT.len() } else { most }, coding);
        parts.push(part);
        rest = behind;
    }
    let count = parts.len();
    let end = if rest.is_empty() { "" } else { CUT };
    let numbered = parts.into_iter().enumerate().map(|(at, part)| {
        let end = if at + 1 == count { end } else { "" };
        format!("({}/{count}) {part}{end}", at + 1)
    });
    numbered.collect()
}

/// The beginning of a text that takes so many places, if there is a blank near its end up to that,
/// and what follows.
fn cut(text: &str, most: usize, coding: Coding) -> (&str, &str) {
    let mut places = 0;
    let mut end = text.len();
    for (at, letter) in text.char_indices() {
        places += coding.places(letter);
        if places > most {
            end = at;
            break;
        }
    }
    if end == text.len() {
        return (text, "");
    }
    let near = |at: &usize| end - at <= most / 4;
    let blank = text[..end].rfind([' ', '\n']).filter(near);
    match blank {
        Some(blank) => (&text[..blank], &text[blank + 1..]),
        None => text.split_at(end),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(text: &str) -> usize {
        let coding = Coding::of(text);
        text.chars().map(|c| coding.places(c)).sum()
    }

    #[test]
    fn what_fits_is_one_message_by_the_letters_it_has() {
        for (text, coding) in [
            ("x".repeat(160), Coding::Gsm),
            (format!("{}€", "ä".repeat(158)), Coding::Gsm),
            ("д".repeat(70), Coding::Ucs2),
            ("😀".repeat(35), Coding::Ucs2),
            (String::new(), Coding::Gsm),
        ] {
            assert_eq!(Coding::of(&text), coding);
            assert_eq!(of(&text), std::slice::from_ref(&text));
        }
        for text in [
            "x".repeat(161),
            "€".repeat(81),
            "д".repeat(71),
            "😀".repeat(36),
        ] {
            assert_eq!(of(&text).len(), 2, "{text}");
        }
    }

    #[test]
    fn a_longer_text_goes_on_in_numbered_messages_and_loses_no_letter() {
        let words: Vec<String> = (0..120).map(|n| format!("word{n}")).collect();
        let text = words.join(" ");
        let parts = of(&text);
        assert!(parts.len() > 2 && parts.iter().all(|part| places(part) <= 160));
        assert!(parts[0].starts_with(&format!("(1/{}) word0 ", parts.len())));
        let without: Vec<&str> = parts.iter().map(|part| &part[HEAD..]).collect();
        assert_eq!(without.join(" "), text);
        let text = "д".repeat(200);
        let parts = of(&text);
        assert!(parts.iter().all(|part| places(part) <= 70));
        let all: usize = parts.iter().map(|part| part.chars().count() - HEAD).sum();
        assert_eq!(all, 200);
    }

    #[test]
    fn a_text_without_end_is_cut_and_says_so() {
        for letter in ["x", "[", "д", "😀"] {
            let parts = of(&letter.repeat(100_000));
            assert_eq!(parts.len(), MOST);
            assert!(
                parts
                    .iter()
                    .all(|part| places(part) <= Coding::of(part).most())
            );
            assert!(parts[MOST - 1].ends_with(CUT) && !parts[0].ends_with(CUT));
        }
    }
}
