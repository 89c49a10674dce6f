//! wvgate.toml(5): the reference of the configuration as a manual page.

/// Every key, with what it means.
const REFERENCE: &str = include_str!("../../../config/reference.toml");

/// A line of the reference.
enum Line<'a> {
    Blank,
    /// What a section is about, in a ruler.
    Title(&'a str),
    /// `[name]` or `[[name]]`, with the brackets.
    Section(&'a str),
    /// `key = value`, or `#key = value` where it may be left out.
    Key(&'a str),
    Text(&'a str),
}

impl<'a> Line<'a> {
    fn of(line: &'a str) -> Self {
        match line.strip_prefix('#') {
            _ if line.trim().is_empty() => Self::Blank,
            Some(rest) if rest.is_empty() => Self::Text(rest),
            Some(rest) if rest.starts_with(" --") => Self::Title(rest.trim_matches([' ', '-'])),
            Some(rest) => match rest.strip_prefix(' ') {
                Some(text) => Self::Text(text),
                None => Self::Key(line),
            },
            None if line.starts_with('[') => Self::Section(line),
            None => Self::Key(line),
        }
    }
}

/// The page.
pub(super) fn page() -> String {
    let mut page = Page {
        text: format!(
            ".TH wvgate.toml 5 \"\" \"wvgate {}\" wvgate\n.ad l\n.nh\n.SH NAME\nwvgate.toml \\- configuration of \
             wvgate\n.SH DESCRIPTION\n",
            env!("CARGO_PKG_VERSION")
        ),
        paragraph: Vec::new(),
        keys: Vec::new(),
        in_sections: false,
    };
    for line in REFERENCE.lines() {
        match Line::of(line) {
            Line::Blank | Line::Text("") => {
                page.end_keys();
                page.end_paragraph();
            }
            Line::Text(text) => {
                page.end_keys();
                page.paragraph.push(text);
            }
            Line::Title(text) => {
                page.begin_sections();
                page.paragraph.push(text);
            }
            Line::Section(name) => page.section(name),
            Line::Key(key) => page.keys.push(key),
        }
    }
    page.end_keys();
    page.end_paragraph();
    page.text
        .push_str(".SH \"SEE ALSO\"\n\\fBwvgate\\fR(1), \\fBwvgate\\-check\\fR(1)\n");
    page.text
}

struct Page<'a> {
    text: String,
    /// Lines of prose that are not written yet: what the keys below them mean.
    paragraph: Vec<&'a str>,
    /// Keys that share what stands above them.
    keys: Vec<&'a str>,
    in_sections: bool,
}

impl Page<'_> {
    fn begin_sections(&mut self) {
        self.end_keys();
        self.end_paragraph();
        if !self.in_sections {
            self.in_sections = true;
            self.text.push_str(".SH SECTIONS\n");
        }
    }

    /// A section with its title and what stands above it.
    fn section(&mut self, name: &str) {
        self.end_keys();
        let intro = std::mem::take(&mut self.paragraph);
        if !self.in_sections {
            self.begin_sections();
        }
        self.text += &format!(".SS \"{}\"\n", escaped(name));
        self.paragraph = intro;
        self.end_paragraph();
    }

    fn end_paragraph(&mut self) {
        if !self.paragraph.is_empty() {
            self.text.push_str(".PP\n");
            self.write_paragraph();
        }
    }

    /// Keys as the tags of the text above them.
    fn end_keys(&mut self) {
        let mut tag = ".TP";
        for key in std::mem::take(&mut self.keys) {
            let (name, value) = key.split_once(" = ").unwrap_or((key, ""));
            self.text += &format!(
                "{tag}\n\\fB{}\\fR = {}\n",
                escaped(name),
                // A long list may go on in the next line.
                escaped(value.trim()).replace(',', ",\\:")
            );
            tag = ".TQ";
        }
        if tag == ".TQ" {
            self.write_paragraph();
        }
    }

    fn write_paragraph(&mut self) {
        for line in std::mem::take(&mut self.paragraph) {
            let line = escaped(line);
            // These begin a request at the start of a line.
            if line.starts_with(['.', '\'']) {
                self.text.push_str("\\&");
            }
            self.text += &line;
            self.text.push('\n');
        }
    }
}

/// A text as roff shows it unchanged.
pub(super) fn escaped(text: &str) -> String {
    text.replace('\\', "\\e")
        .replace('-', "\\-")
        .replace('\'', "\\(aq")
        .replace('"', "\\(dq")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_section_and_key_of_the_reference_is_on_the_page_with_its_text() {
        let page = page();
        let mut keys = 0;
        for line in REFERENCE.lines() {
            match Line::of(line) {
                Line::Section(name) => {
                    assert!(page.contains(&format!(".SS \"{name}\"\n")), "{name}");
                }
                Line::Key(line) => {
                    let (name, _) = line.split_once(" = ").unwrap_or_else(|| panic!("{line}"));
                    assert!(page.contains(&format!("\n\\fB{name}\\fR = ")), "{name}");
                    keys += 1;
                }
                Line::Text(text) | Line::Title(text) => {
                    assert!(page.contains(&escaped(text)), "{text}");
                }
                Line::Blank => {}
            }
        }
        assert!(keys > 150, "{keys}");
    }

    #[test]
    fn keys_that_share_a_text_are_tags_of_it() {
        let page = page();
        let tags = ".TP\n\\fB#header_timeout\\fR = \\(dq10s\\(dq\n.TQ\n\\fB#body_timeout\\fR = ";
        assert!(page.contains(tags), "{page}");
        let section = ".SS \"[node]\"\n.TP\n\\fBdomain\\fR = \\(dqrelay.test\\(dq\nThe node";
        assert!(page.contains(section), "{page}");
    }
}
