//! Parts of primitives that a peer builds otherwise than the wire profile does: a value in an
//! element instead of an attribute, a list without elements for its items, an element that has
//! another name in one place only.

use std::collections::BTreeMap;

use super::Node;
use super::names::may_stand_in;

/// Places of the profile, and where a peer has what stands there. One table serves both
/// directions, so what is written is what is read.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Forms {
    /// Keys are the profile's places: an element, and what is in it. Values are the places of
    /// the peer in the same element; the first is written, all are read.
    ///
    /// * `Watcher@status` or `Reply/BlockList@inUse`: an attribute; the peer has it in
    ///   `WatcherStatus`, the text of an element, or in `User@userID`.
    /// * `ServiceResponse/AgreedFunctions`: an element of another name there.
    /// * `SearchRequest/SearchPairList/SearchPair`: items of a list; the peer has a list,
    ///   `SearchPairList`, for each, or in one all that stands in the items.
    /// * `IMSendFunc/SENDM+MDELIV`: elements which the peer has only together, as one.
    pub places: BTreeMap<String, Vec<String>>,
    /// What is written for some values of such attributes; keys are `Element@attribute`, or
    /// `@attribute` for every element, values those of the profile and the peer's.
    pub values: BTreeMap<String, BTreeMap<String, String>>,
}

/// Nothing is built otherwise.
pub static NO_FORMS: Forms = Forms {
    places: BTreeMap::new(),
    values: BTreeMap::new(),
};

/// What a key and one of its values say.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Form<'f> {
    /// An attribute of the element, or of this child, and where the peer has it.
    Value {
        child: Option<&'f str>,
        attribute: &'f str,
        theirs: Vec<&'f str>,
        their_attribute: Option<&'f str>,
    },
    /// An element at this place is called otherwise by the peer.
    Name { ours: &'f str, theirs: &'f str },
    /// Items of a list.
    Items { list: &'f str, item: &'f str },
    /// Children that are one.
    Together { ours: Vec<&'f str>, theirs: &'f str },
}

/// The element that a key is about, and what is in it.
fn base(key: &str) -> (&str, &str) {
    let end = key.find(['/', '@']).unwrap_or(key.len());
    let (base, inside) = key.split_at(end);
    (base, inside.strip_prefix('/').unwrap_or(inside))
}

impl<'f> Form<'f> {
    fn of(inside: &'f str, theirs: &'f str) -> Option<Self> {
        let form = if let Some((child, attribute)) = inside.split_once('@') {
            let (path, their_attribute) = match theirs.split_once('@') {
                Some((path, attribute)) => (path, Some(attribute)),
                None => (theirs, None),
            };
            Self::Value {
                child: (!child.is_empty()).then_some(child),
                attribute,
                theirs: path.split('/').collect(),
                their_attribute,
            }
        } else if inside.contains('+') {
            let ours = inside.split('+').collect();
            Self::Together { ours, theirs }
        } else if let Some((list, item)) = inside.split_once('/') {
            if list != theirs {
                return None;
            }
            Self::Items { list, item }
        } else {
            Self::Name {
                ours: inside,
                theirs,
            }
        };
        form.names().into_iter().all(is_name).then_some(form)
    }

    fn names(&self) -> Vec<&'f str> {
        match self {
            Self::Value {
                child,
                attribute,
                theirs,
                their_attribute,
            } => {
                let own = child.iter().chain([attribute]).chain(their_attribute);
                own.chain(theirs).copied().collect()
            }
            Self::Name { ours, theirs } => vec![ours, theirs],
            Self::Items { list, item } => vec![list, item],
            Self::Together { ours, theirs } => ours.iter().chain([theirs]).copied().collect(),
        }
    }
}

/// Whether XML lets an element or attribute be called so; no prefixes.
pub fn is_name(text: &str) -> bool {
    let first = |c: char| c.is_alphabetic() || c == '_';
    text.starts_with(first)
        && text
            .chars()
            .all(|c| c.is_alphanumeric() || "_-.".contains(c))
}

impl Forms {
    /// Whether everything is built as in the profile.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Whether an element that may be built otherwise may stand in `xml`.
    pub fn may_occur(&self, xml: &[u8]) -> bool {
        let mut bases = self.places.keys().map(|key| base(key).0);
        bases.any(|base| may_stand_in(xml, base))
    }

    /// Keys of `places` and `values` that say nothing that can be done, and the word in question.
    pub fn faults(&self) -> Vec<(String, String)> {
        let mut faults = Vec::new();
        for (key, theirs) in &self.places {
            let (base, inside) = base(key);
            if theirs.is_empty() || !is_name(base) {
                faults.push((format!("places.{key}"), key.clone()));
            }
            for place in theirs {
                if Form::of(inside, place).is_none() {
                    faults.push((format!("places.{key}"), place.clone()));
                }
            }
        }
        for key in self.values.keys() {
            let names = key.split_once('@');
            let fits = |(element, attribute): (&str, &str)| {
                (element.is_empty() || is_name(element)) && is_name(attribute)
            };
            if !names.is_some_and(fits) {
                faults.push((format!("values.{key}"), key.clone()));
            }
        }
        faults
    }

    /// What is said of an element of this name: the forms of each place, those that are
    /// written first.
    fn of<'f>(&'f self, name: &'f str) -> impl Iterator<Item = Vec<Form<'f>>> + 'f {
        let about = self.places.iter().filter_map(move |(key, theirs)| {
            let (base, inside) = base(key);
            base.eq_ignore_ascii_case(name).then_some((inside, theirs))
        });
        about.map(|(inside, theirs)| {
            let forms = theirs.iter().map(|theirs| Form::of(inside, theirs));
            forms.collect::<Option<_>>().unwrap_or_default()
        })
    }

    /// Makes of a peer's forms those of the profile. What stands in the place of the profile
    /// already stays.
    pub fn read<'f>(&'f self, node: &mut Node<'f>) {
        for forms in self.of(node.name) {
            for form in &forms {
                self.read_form(form, node);
            }
        }
        for child in &mut node.children {
            self.read(child);
        }
    }

    fn read_form<'f>(&'f self, form: &Form<'f>, node: &mut Node<'f>) {
        match form {
            Form::Value {
                child,
                attribute,
                theirs,
                their_attribute,
            } => {
                let Some(found) = theirs.iter().try_fold(&*node, |at, name| at.child(name)) else {
                    return;
                };
                let value = match their_attribute {
                    Some(name) => found.attribute(&[name]).cloned(),
                    None => Some(found.text.clone()),
                };
                let owner = child.unwrap_or(node.name);
                let value = value.filter(|value| !value.is_empty());
                let Some(value) = value.map(|value| self.ours(owner, attribute, value)) else {
                    return;
                };
                let target = match child {
                    Some(child) => node.find_or_make(child),
                    None => node,
                };
                if target.attribute(&[attribute]).is_none() {
                    target.attributes.push((attribute, value));
                }
            }
            Form::Name { ours, theirs } => {
                if ours != theirs
                    && node.child(ours).is_none()
                    && let Some(child) = node.find(theirs)
                {
                    child.name = ours;
                }
            }
            Form::Items { list, item } => {
                for child in &mut node.children {
                    if child.name.eq_ignore_ascii_case(list) && child.child(item).is_none() {
                        child.children = items(item, std::mem::take(&mut child.children));
                    }
                }
            }
            Form::Together { ours, theirs } => {
                if node.child(theirs).is_some() {
                    for name in ours {
                        if node.child(name).is_none() {
                            node.children.push(Node::named(name));
                        }
                    }
                }
            }
        }
    }

    /// Makes of the profile's forms those that the peer gets. What holds nothing that can be said
    /// to the peer is left out: empty, it would say more.
    pub fn write<'f>(&'f self, node: &mut Node<'f>) {
        node.children.retain_mut(|child| {
            let was_empty = child.children.is_empty();
            self.write(child);
            let says_something = !child.attributes.is_empty() || !child.text.is_empty();
            was_empty || says_something || !child.children.is_empty()
        });
        for forms in self.of(node.name) {
            if let Some(form) = forms.first() {
                self.write_form(form, node);
            }
        }
    }

    fn write_form<'f>(&'f self, form: &Form<'f>, node: &mut Node<'f>) {
        match form {
            Form::Value {
                child,
                attribute,
                theirs,
                their_attribute,
            } => {
                let owner = child.unwrap_or(node.name);
                let taken = match child {
                    Some(child) => node.find(child).and_then(|child| child.take(attribute)),
                    None => node.take(attribute),
                };
                let Some(value) = taken else { return };
                let value = self.theirs(owner, attribute, value);
                let at = theirs.iter();
                let at = at.fold(node, |at, name| at.find_or_make(name));
                match their_attribute {
                    Some(name) => at.attributes.push((name, value)),
                    None => at.text = value,
                }
            }
            Form::Name { ours, theirs } => {
                if let Some(child) = node.find(ours) {
                    child.name = theirs;
                }
            }
            Form::Items { list, item } => {
                let mut children = Vec::with_capacity(node.children.len());
                for mut child in std::mem::take(&mut node.children) {
                    if !child.name.eq_ignore_ascii_case(list) || child.child(item).is_none() {
                        children.push(child);
                        continue;
                    }
                    for item in std::mem::take(&mut child.children) {
                        let mut one = Node::named(list);
                        one.children = item.children;
                        children.push(one);
                    }
                }
                node.children = children;
            }
            Form::Together { ours, theirs } => {
                let all = ours.iter().all(|name| node.child(name).is_some());
                let is_one = |name: &str| {
                    name.eq_ignore_ascii_case(theirs)
                        || all && ours.iter().any(|ours| name.eq_ignore_ascii_case(ours))
                };
                node.children.retain(|child| !is_one(child.name));
                if all {
                    node.children.push(Node::named(theirs));
                }
            }
        }
    }

    /// The table for the values of an attribute.
    fn table(&self, element: &str, attribute: &str) -> Option<&BTreeMap<String, String>> {
        let exact = self.values.get(&format!("{element}@{attribute}"));
        exact.or_else(|| self.values.get(&format!("@{attribute}")))
    }

    fn ours<'f>(&'f self, element: &str, attribute: &str, value: Text<'f>) -> Text<'f> {
        let mut table = self.table(element, attribute).into_iter().flatten();
        match table.find(|(_, theirs)| theirs.eq_ignore_ascii_case(&value)) {
            Some((ours, _)) => Text::Borrowed(ours),
            None => value,
        }
    }

    fn theirs<'f>(&'f self, element: &str, attribute: &str, value: Text<'f>) -> Text<'f> {
        let mut table = self.table(element, attribute).into_iter().flatten();
        match table.find(|(ours, _)| ours.eq_ignore_ascii_case(&value)) {
            Some((_, theirs)) => Text::Borrowed(theirs),
            None => value,
        }
    }
}

type Text<'f> = std::borrow::Cow<'f, str>;

/// Items of what stands in a list without them: each begins where a name comes again.
fn items<'f>(item: &'f str, children: Vec<Node<'f>>) -> Vec<Node<'f>> {
    let mut items: Vec<Node<'f>> = Vec::new();
    for child in children {
        let again = |item: &Node<'_>| item.child(child.name).is_some();
        if items.last().is_none_or(again) {
            items.push(Node::named(item));
        }
        if let Some(item) = items.last_mut() {
            item.children.push(child);
        }
    }
    items
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imps::xml::{Limits, Writer, parse};

    fn forms(places: &[(&str, &[&str])]) -> Forms {
        let places = places.iter().map(|(key, theirs)| {
            let theirs = theirs.iter().map(|place| (*place).to_owned());
            ((*key).to_owned(), theirs.collect())
        });
        Forms {
            places: places.collect(),
            ..Forms::default()
        }
    }

    fn node(xml: &str) -> Node<'_> {
        parse(xml.as_bytes(), &Limits::default()).unwrap()
    }

    fn xml(node: &Node<'_>) -> String {
        let mut out = Writer::new();
        node.write(&mut out);
        out.finish()
    }

    fn read(forms: &Forms, theirs: &str) -> String {
        let mut node = node(theirs);
        forms.read(&mut node);
        xml(&node)
    }

    fn written(forms: &Forms, ours: &str) -> String {
        let mut node = node(ours);
        forms.write(&mut node);
        xml(&node)
    }

    #[test]
    fn an_attribute_is_read_from_every_place_and_written_in_the_first() {
        let forms = forms(&[("A@x", &["B", "C@y", "D/E"])]);
        for theirs in [
            "<A><B>1</B></A>",
            "<A><C y=\"1\"/></A>",
            "<A><D><E>1</E></D></A>",
        ] {
            let ours = read(&forms, theirs);
            assert!(ours.starts_with("<A x=\"1\">"), "{theirs}: {ours}");
        }
        assert_eq!(
            written(&forms, "<A x=\"1\" z=\"2\"/>"),
            "<A z=\"2\"><B>1</B></A>"
        );
        // What stands in our place counts.
        assert!(read(&forms, "<A x=\"0\"><B>1</B></A>").starts_with("<A x=\"0\">"));
    }

    #[test]
    fn an_attribute_of_a_child_may_stand_beside_it() {
        let mut forms = forms(&[("R/L@u", &["LU", "L/U"])]);
        let values = [
            ("Yes".to_owned(), "T".to_owned()),
            ("No".to_owned(), "F".to_owned()),
        ];
        forms.values.insert("@u".to_owned(), values.into());
        for theirs in [
            "<R><L/><LU>t</LU></R>",
            "<R><L><U>T</U></L></R>",
            "<R><LU>Yes</LU></R>",
        ] {
            let ours = read(&forms, theirs);
            assert!(ours.contains("<L u=\"Yes\""), "{theirs}: {ours}");
        }
        assert_eq!(
            written(&forms, "<R><L u=\"No\"/></R>"),
            "<R><L/><LU>F</LU></R>"
        );
    }

    #[test]
    fn items_begin_where_a_name_comes_again() {
        let forms = forms(&[("S/L/I", &["L"]), ("I@a", &["A"]), ("I@b", &["B"])]);
        let ours = "<S><L><I a=\"1\" b=\"2\"/><I a=\"3\" b=\"4\"/></L></S>";
        let lists = "<S><L><A>1</A><B>2</B></L><L><A>3</A><B>4</B></L></S>";
        assert_eq!(written(&forms, ours), lists);
        for theirs in [lists, "<S><L><A>1</A><B>2</B><A>3</A><B>4</B></L></S>"] {
            let read = read(&forms, theirs);
            assert_eq!(read.matches("<I a=").count(), 2, "{read}");
            assert!(read.contains("a=\"3\" b=\"4\""), "{read}");
        }
    }

    #[test]
    fn what_the_peer_has_as_one_stands_for_all_and_is_written_for_all_alone() {
        let forms = forms(&[("G/S+M", &["M"])]);
        assert_eq!(read(&forms, "<G><M/></G>"), "<G><M/><S/></G>");
        assert_eq!(written(&forms, "<G><S/><M/><F/></G>"), "<G><F/><M/></G>");
        assert_eq!(written(&forms, "<G><S/><F/></G>"), "<G><S/><F/></G>");
        // One alone cannot be said in the word for both.
        assert_eq!(written(&forms, "<G><M/><F/></G>"), "<G><F/></G>");
        // Nor by an empty element, which says everything.
        assert_eq!(written(&forms, "<T><G><M/></G><F/></T>"), "<T><F/></T>");
    }

    #[test]
    fn a_name_changes_in_its_place_alone() {
        let forms = forms(&[("R/N", &["F"])]);
        assert_eq!(read(&forms, "<R><F/></R>"), "<R><N/></R>");
        assert_eq!(read(&forms, "<Q><F/></Q>"), "<Q><F/></Q>");
        assert_eq!(read(&forms, "<R><N/><F/></R>"), "<R><N/><F/></R>");
        assert_eq!(written(&forms, "<R><N/></R>"), "<R><F/></R>");
    }

    #[test]
    fn places_that_cannot_be_understood_are_told() {
        for (key, theirs) in [
            ("A", "B"),
            ("A/B/C", "D"),
            ("A@b c", "D"),
            ("A/B", "C/D"),
            ("A/B+", "C"),
            ("A@b", ""),
        ] {
            assert_eq!(
                forms(&[(key, &[theirs])]).faults().len(),
                1,
                "{key}: {theirs}"
            );
        }
        assert_eq!(forms(&[("A@b", &[])]).faults().len(), 1);
        assert!(forms(&[("A/B@c", &["D/E@f"])]).faults().is_empty());
    }
}
