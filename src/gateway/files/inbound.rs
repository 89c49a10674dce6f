//! Messages of XMPP users that are a link and no more: what is there goes to the SSP side, if the
//! operator wants that. Whatever goes wrong with it, the link itself arrives.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio_xmpp::Stanza;

use super::super::records::{bare, fetch_key, number_of, read};
use super::super::shared::Shared;
use super::super::shares::{Most, Shares};
use super::super::timers::Timers;
use super::{Ready, Words};
use crate::element::{Act, Carried, Errand, Time, Transfer};
use crate::imps::common::ContentData;
use crate::imps::primitive::message::SendMessageRequest;
use crate::store::Write;
use crate::translate::file::{self, name_in, name_of};
use crate::translate::stanza::{parse, print};

/// What was at a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::gateway) struct Fetched {
    name: Option<String>,
    content_type: String,
    bytes: Bytes,
}

impl Fetched {
    /// Stands in for the text of a message.
    pub(in crate::gateway) fn put_into(self, request: &mut SendMessageRequest) {
        let name = name_of(self.name.as_deref(), &self.content_type);
        let info = &mut request.info;
        info.content_type = Some(self.content_type.clone());
        info.content_name = Some(name);
        info.content_size = Some(self.bytes.len() as u64);
        request.content = Some(ContentData {
            content_type: self.content_type,
            bytes: self.bytes.to_vec(),
        });
    }
}

/// What is kept of a message.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    component: String,
    language: Option<String>,
    /// The stanza as it came.
    stanza: String,
}

/// A message whose link is fetched.
#[derive(Debug)]
struct Held {
    words: Words,
    /// Bytes of the record.
    size: usize,
    /// Since this core began; a record that came back is still to be asked for.
    transfer: Option<u64>,
}

/// All messages whose links are fetched.
#[derive(Debug)]
pub(super) struct Inbound {
    held: BTreeMap<u64, Held>,
    shares: Shares,
    timers: Timers<u64>,
}

impl Inbound {
    /// `own` is the own domain as SSP writes it.
    pub(super) fn new(own: String) -> Self {
        Self {
            held: BTreeMap::new(),
            shares: Shares::new(own),
            timers: Timers::default(),
        }
    }

    /// Takes back a record; `rest` is what follows the prefix of its key.
    pub(super) fn restore(&mut self, rest: &str, value: &[u8]) -> Result<(), String> {
        let number = number_of(rest)?;
        let record: Record = read(value)?;
        let Stanza::Message(message) = parse(&record.stanza)? else {
            return Err("it is no message".to_owned());
        };
        let words = Words {
            component: record.component,
            message,
            language: record.language,
            file: None,
        };
        self.keep(number, words, value.len());
        self.timers.by(Time(0), number);
        Ok(())
    }

    fn keep(&mut self, number: u64, words: Words, size: usize) {
        self.shares.add(&domain_of(&words), size);
        let held = Held {
            words,
            size,
            transfer: None,
        };
        self.held.insert(number, held);
    }

    fn take(&mut self, number: u64, shared: &mut Shared) -> Option<Words> {
        let held = self.held.remove(&number)?;
        self.shares.remove(&domain_of(&held.words), held.size);
        shared.write(Write::delete(fetch_key(number)));
        Some(held.words)
    }

    /// Holds a message whose link is fetched; gives it back if it is not.
    pub(super) fn hold(&mut self, words: Words, now: Time, shared: &mut Shared) -> Option<Words> {
        let settings = &shared.settings.files;
        let terms = &settings.fetch;
        let found = file::shared(&words.message).filter(|found| {
            let fits = found.size.is_none_or(|size| size <= terms.most);
            let is_taken = found
                .content_type
                .as_ref()
                .is_none_or(|kind| terms.takes(kind));
            fits && is_taken && !terms.types.is_empty()
        });
        let from = words.message.from.as_ref();
        let is_wanted = from.is_some_and(|from| shared.preferences.of(&bare(from)).files);
        let to = words.message.to.as_ref();
        let is_for_user =
            to.is_some_and(|to| to.node().is_some() && !shared.translator.is_room(to));
        if found.is_none() || !is_for_user || !is_wanted {
            return Some(words);
        }
        let record = Record {
            component: words.component.clone(),
            language: words.language.clone(),
            stanza: print(&Stanza::Message(words.message.clone())),
        };
        let size = record.stanza.len() + record.component.len() + 256;
        let most = Most {
            items: settings.max_held,
            bytes: settings.max_held_bytes,
        };
        // Where there is no room the link goes as it is.
        if !self.shares.have_room(&domain_of(&words), size, most) {
            return Some(words);
        }
        let number = shared.number();
        shared.write(Write::put_json(fetch_key(number), &record));
        self.keep(number, words, size);
        self.ask(number, now, shared);
        None
    }

    fn ask(&mut self, number: u64, now: Time, shared: &mut Shared) {
        let transfer = shared.number();
        let Some(held) = self.held.get_mut(&number) else {
            return;
        };
        let Some(found) = file::shared(&held.words.message) else {
            return;
        };
        held.transfer = Some(transfer);
        let terms = shared.settings.files.fetch.clone();
        // If nothing is heard of it, the link goes as it is.
        self.timers.put_off(now.plus(terms.limit * 4), number);
        let errand = Errand::Fetch {
            url: found.url,
            terms,
        };
        let number = transfer;
        shared.act(Act::Carry(Box::new(Transfer { number, errand })));
    }

    /// What became of a transfer; gives it back if it is not of a link.
    pub(super) fn carried(
        &mut self,
        transfer: u64,
        carried: Carried,
        ready: &mut VecDeque<Ready>,
        shared: &mut Shared,
    ) -> Option<Carried> {
        let mut held = self.held.iter();
        let found = held.find(|(_, held)| held.transfer == Some(transfer));
        let Some(number) = found.map(|(number, _)| *number) else {
            return Some(carried);
        };
        let mut words = self.take(number, shared)?;
        if let Carried::Fetched {
            content_type,
            bytes,
        } = carried
            && !bytes.is_empty()
        {
            let found = file::shared(&words.message);
            let name = found.and_then(|found| found.name.or_else(|| name_in(&found.url)));
            words.file = Some(Fetched {
                name,
                content_type,
                bytes,
            });
        }
        ready.push_back(Ready::Words(Box::new(words)));
        None
    }

    pub(super) fn next_timeout(&self) -> Option<Time> {
        self.timers.next()
    }

    pub(super) fn timeout(&mut self, ready: &mut VecDeque<Ready>, now: Time, shared: &mut Shared) {
        while let Some(number) = self.timers.pop(now) {
            match self.held.get(&number) {
                Some(held) if held.transfer.is_none() => self.ask(number, now, shared),
                Some(_) => {
                    let words = self.take(number, shared);
                    ready.extend(words.map(|words| Ready::Words(Box::new(words))));
                }
                None => {}
            }
        }
    }
}

fn domain_of(words: &Words) -> String {
    let from = words.message.from.as_ref();
    from.map_or_else(String::new, |from| from.domain().to_string())
}
