//! A document as a tree whose parts can be exchanged.

use super::*;

/// A tree that can be changed and printed.
#[derive(Clone)]
pub(super) struct Tree {
    name: String,
    attributes: Vec<(String, String)>,
    text: String,
    pub(super) children: Vec<Tree>,
}

impl Tree {
    pub(super) fn of(node: &Node<'_>) -> Self {
        Self {
            name: node.name.to_owned(),
            attributes: node
                .attributes
                .iter()
                .map(|(k, v)| ((*k).to_owned(), v.to_string()))
                .collect(),
            text: node.text.to_string(),
            children: node.children.iter().map(Self::of).collect(),
        }
    }

    pub(super) fn print(&self, out: &mut String) {
        let escape = |text: &str| quick_xml::escape::escape(text).into_owned();
        out.push_str(&format!("<{}", self.name));
        for (name, value) in &self.attributes {
            out.push_str(&format!(" {name}=\"{}\"", escape(value)));
        }
        out.push_str(&format!(">{}", escape(&self.text)));
        for child in &self.children {
            child.print(out);
        }
        out.push_str(&format!("</{}>", self.name));
    }

    pub(super) fn mutate(&mut self, dice: &mut Dice, donors: &[Tree]) {
        const TEXTS: &[&str] = &[
            "",
            " x ",
            "Yes",
            "no",
            "T",
            "0",
            "-1",
            "99999999999999",
            "wv:Bob@B.test",
            "a/b@c",
            "a b\n",
            "é\u{a0}",
            "<&>\"'",
            "]]>",
            "aGk=",
            "a=b",
            "2024-05-01T13:40:00Z",
            "200",
        ];
        if !self.children.is_empty() && dice.roll(4) > 0 {
            let child = dice.roll(self.children.len());
            return self.children[child].mutate(dice, donors);
        }
        let text = TEXTS[dice.roll(TEXTS.len())].to_owned();
        match dice.roll(8) {
            0 => self.text = text,
            1 => self.name = self.name.to_ascii_uppercase(),
            2 if !self.name.contains(':') => self.name = format!("p:{}", self.name),
            3 if !self.attributes.is_empty() => {
                let at = dice.roll(self.attributes.len());
                self.attributes[at].1 = text;
            }
            4 if !self.attributes.is_empty() => {
                let at = dice.roll(self.attributes.len());
                drop(self.attributes.remove(at));
            }
            5 => {
                let donor = &donors[dice.roll(donors.len())];
                if self.attributes.is_empty() {
                    self.attributes.clone_from(&donor.attributes);
                }
                let at = dice.roll(self.children.len() + 1);
                self.children.insert(at, donor.clone());
            }
            6 if !self.children.is_empty() => {
                let at = dice.roll(self.children.len());
                drop(self.children.remove(at));
            }
            _ => {
                let twins = self.children.clone();
                self.children.extend(twins);
            }
        }
    }
}
