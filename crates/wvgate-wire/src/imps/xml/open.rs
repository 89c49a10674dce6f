//! Elements that have begun and not ended.

use super::characters::trim;
use super::limits::{Limits, Texts, within};
use super::reader::Malformed;

/// An element that is open, and how much of it has come.
#[derive(Debug, Clone, Copy)]
pub(super) struct Open<'a> {
    /// Name as written.
    pub(super) name: &'a str,
    /// Byte offset behind its start tag.
    content: usize,
    /// Bytes of its own text so far.
    text: usize,
    /// Elements directly in it so far.
    entries: usize,
}

impl<'a> Open<'a> {
    /// One that begins; `content`: where its start tag has ended.
    pub(super) fn new(name: &'a str, content: usize) -> Self {
        Self {
            name,
            content,
            text: 0,
            entries: 0,
        }
    }

    /// Another element begins in it.
    pub(super) fn enter(&mut self, limits: &Limits) -> Result<(), Malformed> {
        self.entries += 1;
        if self.entries > limits.entries {
            return Err(Malformed::Count {
                what: "elements within one",
                limit: limits.entries,
            });
        }
        Ok(())
    }

    /// Counts text of it. White space before any other text is that between elements, and kept by
    /// nobody.
    pub(super) fn measure(&mut self, text: &str) {
        if self.text > 0 || !trim(text).is_empty() {
            self.text += text.len();
        }
    }

    /// Its end tag begins `at`: what it holds may not be too long.
    pub(super) fn end(&self, at: usize, texts: &Texts) -> Result<(), Malformed> {
        let length = at - self.content;
        if length <= texts.label && self.text <= texts.text {
            return Ok(());
        }
        let local = self.name.rsplit(':').next().unwrap_or(self.name);
        if Texts::is_label(local) {
            within("a name", length, texts.label)?;
        }
        if !Texts::is_content(local) {
            within("a text", self.text, texts.text)?;
        }
        Ok(())
    }
}
