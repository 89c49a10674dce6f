//! `wvgate user import` and `wvgate user export`.

use std::path::{Path, PathBuf};

use clap::Args;
use tokio::io::AsyncRead;

use super::records::{FileFormat, Numbered, Records};
use crate::admin::{Client, Imported, MAX_EXPORTED, Request};
use crate::cli::output;
use crate::cli::{Failure, Global};
use crate::home::UserRecord;

/// Users of one request, and bytes of them.
const BATCH: usize = 200;
const BATCH_BYTES: usize = 48 * 1024;

#[derive(Args)]
pub(super) struct Import {
    /// The file; - for standard input
    file: PathBuf,
    /// How users stand in it [default: by the end of its name, .csv or JSON lines]
    #[arg(long, value_enum)]
    format: Option<FileFormat>,
    /// Change users who exist, instead of refusing them
    #[arg(long)]
    update: bool,
}

#[derive(Args)]
pub(super) struct Export {
    /// How they are written
    #[arg(long, value_enum, default_value = "json")]
    format: FileFormat,
}

pub(super) async fn import(global: &Global, args: Import) -> Result<(), Failure> {
    let Import {
        file,
        format,
        update,
    } = args;
    let format = format.unwrap_or_else(|| FileFormat::of(&file));
    let node = global.connect().await?;
    let batches = Batches::new(node, &file, update);
    if file == Path::new("-") {
        return batches.send(Records::new(tokio::io::stdin(), format)).await;
    }
    let open = tokio::fs::File::open(&file).await;
    let open = open.map_err(|error| {
        Failure::Usage(format!(
            "wvgate: {} cannot be read: {error}",
            file.display()
        ))
    })?;
    batches.send(Records::new(open, format)).await
}

/// Users on their way to the node.
struct Batches {
    node: Client,
    /// As it is told in what is wrong.
    file: String,
    update: bool,
    batch: Vec<UserRecord>,
    /// The line of each.
    lines: Vec<u64>,
    bytes: usize,
    done: usize,
    refused: usize,
}

impl Batches {
    fn new(node: Client, file: &Path, update: bool) -> Self {
        Self {
            node,
            file: file.display().to_string(),
            update,
            batch: Vec::new(),
            lines: Vec::new(),
            bytes: 0,
            done: 0,
            refused: 0,
        }
    }

    async fn send<R: AsyncRead + Unpin>(mut self, mut records: Records<R>) -> Result<(), Failure> {
        loop {
            match records.next().await {
                Ok(Some(next)) => self.take(next).await?,
                Ok(None) => break,
                Err(why) => {
                    self.flush().await?;
                    let why = format!("{}: {why}; {}", self.file, self.sum());
                    return Err(Failure::Failed(why));
                }
            }
        }
        self.flush().await?;
        if self.refused > 0 {
            return Err(Failure::Failed(self.sum()));
        }
        output::line(self.sum())
    }

    fn sum(&self) -> String {
        let (done, refused) = (self.done, self.refused);
        format!("{done} users were imported, {refused} refused")
    }

    async fn take(&mut self, (line, user): Numbered) -> Result<(), Failure> {
        let user = match user {
            Ok(user) => user,
            Err(why) => {
                self.refuse(line, &why);
                return Ok(());
            }
        };
        let bytes = serde_json::to_string(&user).map_or(0, |text| text.len());
        if bytes > BATCH_BYTES {
            self.refuse(line, "it is too long");
            return Ok(());
        }
        if self.batch.len() >= BATCH || self.bytes + bytes > BATCH_BYTES {
            self.flush().await?;
        }
        self.bytes += bytes;
        self.batch.push(user);
        self.lines.push(line);
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), Failure> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let request = Request::UserImport {
            users: std::mem::take(&mut self.batch),
            update: self.update,
        };
        self.bytes = 0;
        let lines = std::mem::take(&mut self.lines);
        let outcome = self.node.ask(&request).await?;
        let outcome: Imported = serde_json::from_value(outcome)
            .map_err(|error| Failure::Failed(format!("the node's answer is odd: {error}")))?;
        self.done += outcome.done;
        for (at, why) in &outcome.refused {
            self.refuse(lines.get(*at).copied().unwrap_or_default(), why);
        }
        Ok(())
    }

    fn refuse(&mut self, line: u64, why: &str) {
        self.refused += 1;
        output::complain(format!("wvgate: {}:{line}: {why}", self.file));
    }
}

pub(super) async fn export(global: &Global, args: &Export) -> Result<(), Failure> {
    let mut node = global.connect().await?;
    let format = args.format;
    let mut header = format.header();
    let mut after = String::new();
    loop {
        let limit = MAX_EXPORTED;
        let users = node.ask(&Request::UserExport { after, limit }).await?;
        let users = users.as_array().cloned().unwrap_or_default();
        let lines = users.iter().map(|user| format.line(user));
        let lines: Vec<String> = header.take().into_iter().chain(lines).collect();
        if !lines.is_empty() {
            output::line(lines.join("\n"))?;
        }
        match users.last().and_then(|user| user["user"].as_str()) {
            Some(last) => after = String::from(last),
            None => return Ok(()),
        }
    }
}
