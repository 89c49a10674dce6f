//! `wvgate chat`: a user of the home domain in a terminal, or in a script.

mod sharing;

use std::collections::VecDeque;
use std::io::{BufRead as _, IsTerminal as _, Read as _};
use std::time::Duration;

use clap::Args;
use serde_json::Value;
use tokio::time::Instant;

use super::output;
use super::user::PasswordSource;
use super::{Failure, Global};
use crate::access::line::{Action, Codec, screen};
use crate::admin::{Client, LineError, Lines, Request, Share, SharedFile};
use crate::home::{Delivery, FromClient, Method, Takes, ToClient};
use crate::imps::{Address, Primitive};
use sharing::Sharing;

/// Bytes of a line that is typed; the node takes no longer ones.
const MAX_LINE: usize = 60 * 1024;

/// Bytes of a password that is typed.
const MAX_PASSWORD: u64 = 4096;

/// A message without answer for so long is told to the user.
const SILENCE: Duration = Duration::from_secs(2);

/// For answers that are still missing when the input has ended.
const LAST_ANSWERS: Duration = Duration::from_secs(10);

#[derive(Args)]
#[command(after_help = "\
A line is a message to the current partner; lines with a slash are commands, /help lists
them. It works with piped input too: then it ends when every line was answered.

With --json the input is what a client says and the output what it is told, one JSON object a
line, with primitives as XML:
  {\"do\":\"request\",\"id\":\"1\",\"primitive\":\"<SendMessageRequest>...\"}
  {\"event\":\"answer\",\"id\":\"1\",\"primitive\":\"<SendMessageResponse messageID=...\"}

Examples:
  wvgate chat alice
  printf '/to carol\\nhello\\n' | WVGATE_PASSWORD=alice wvgate chat alice
  wvgate chat alice --json --password-file alice.secret")]
pub(super) struct Chat {
    /// A user of this node
    user: String,
    #[command(flatten)]
    password: PasswordSource,
    /// Requests and what is told as JSON lines
    #[arg(long)]
    json: bool,
    /// Hear that messages wait, and fetch them with /get, instead of getting them
    #[arg(long)]
    notify: bool,
    /// Get messages up to so many bytes, and hear that larger ones wait
    #[arg(long, value_name = "BYTES")]
    push_up_to: Option<u64>,
    /// Stay for so many seconds after the end of the input
    #[arg(long, default_value_t = 0, value_name = "SECONDS")]
    wait: u64,
}

impl Chat {
    /// How messages are to come.
    fn delivery(&self) -> Delivery {
        Delivery {
            method: if self.notify {
                Method::Notify
            } else {
                Method::Push
            },
            max_bytes: self.push_up_to,
            ..Delivery::default()
        }
    }
}

pub(super) async fn chat(global: &Global, args: Chat) -> Result<(), Failure> {
    let mut node = global.connect().await?;
    let password = password(&args.password, &format!("Password for {}: ", args.user))?;
    let delivery = args.delivery();
    let request = Request::Chat {
        user: args.user,
        password: Some(password),
        takes: Takes::Everything,
        delivery,
    };
    node.say(&request).await?;
    let mut talk = Talk {
        node,
        json: args.json,
        codec: None,
        unanswered: 0,
        silent: VecDeque::new(),
    };
    let ended = talk.until_input_ends().await?;
    if ended == Ended::Input {
        let patience = match args.wait {
            0 => LAST_ANSWERS,
            seconds => Duration::from_secs(seconds),
        };
        let rest = talk.rest(args.wait > 0);
        match tokio::time::timeout(patience, rest).await {
            Ok(outcome) => outcome?,
            Err(_) => talk.tell_silence(Duration::ZERO)?,
        }
    }
    Ok(())
}

struct Talk {
    node: Client,
    json: bool,
    /// As soon as the session is open.
    codec: Option<Codec>,
    /// Requests whose answer has not come.
    unanswered: usize,
    /// Messages whose answer has not come and that the user was not told of, by the ids of their
    /// requests, since when.
    silent: VecDeque<(String, Address, Instant)>,
}

#[derive(Debug, PartialEq)]
enum Ended {
    /// No more to come from this side.
    Input,
    /// The user ends the chat.
    Quit,
}

impl Talk {
    async fn until_input_ends(&mut self) -> Result<Ended, Failure> {
        let mut input = Lines::new(tokio::io::stdin(), MAX_LINE);
        // The first line says whether the session is open.
        self.hear_next().await?;
        loop {
            let silence = self.silent.front().map(|(_, _, since)| *since + SILENCE);
            tokio::select! {
                () = until(silence) => self.tell_silence(SILENCE)?,
                line = self.node.line() => {
                    let line = line?.ok_or(crate::admin::ClientError::Ended)?;
                    self.hear(&line).await?;
                }
                line = input.next() => match line {
                    Ok(Some(line)) => {
                        if self.type_line(&line).await? == Some(Ended::Quit) {
                            return Ok(Ended::Quit);
                        }
                    }
                    Ok(None) => return Ok(Ended::Input),
                    Err(error @ (LineError::NotText | LineError::TooLong(_))) => {
                        output::complain(format!("wvgate: not sent: {error}"));
                    }
                    Err(error) => return Err(Failure::Failed(error.to_string())),
                },
            }
        }
    }

    /// Says which messages have no answer for so long.
    fn tell_silence(&mut self, patience: Duration) -> Result<(), Failure> {
        while let Some((_, to, since)) = self.silent.front()
            && since.elapsed() >= patience
        {
            output::line(screen::no_answer(to))?;
            self.silent.pop_front();
        }
        Ok(())
    }

    /// Hears what still comes: all of it, or until everything is answered.
    async fn rest(&mut self, all: bool) -> Result<(), Failure> {
        while all || self.unanswered > 0 {
            let silence = self.silent.front().map(|(_, _, since)| *since + SILENCE);
            tokio::select! {
                () = until(silence) => self.tell_silence(SILENCE)?,
                line = self.node.line() => {
                    let line = line?.ok_or(crate::admin::ClientError::Ended)?;
                    self.hear(&line).await?;
                }
            }
        }
        Ok(())
    }

    async fn hear_next(&mut self) -> Result<(), Failure> {
        let line = self.node.line().await?;
        self.hear(&line.ok_or(crate::admin::ClientError::Ended)?)
            .await
    }

    /// Prints what the node says, and then acknowledges it.
    async fn hear(&mut self, line: &str) -> Result<(), Failure> {
        let Ok(told) = serde_json::from_str::<ToClient>(line) else {
            if self.json && serde_json::from_str::<SharedFile>(line).is_ok() {
                self.unanswered = self.unanswered.saturating_sub(1);
                return output::line(line);
            }
            let refusal = serde_json::from_str::<Value>(line).unwrap_or_default();
            let why = refusal["error"].as_str().unwrap_or(line);
            return Err(Failure::Failed(why.to_owned()));
        };
        if let ToClient::Answer { id, .. } = &told {
            self.unanswered = self.unanswered.saturating_sub(1);
            self.silent.retain(|(asked, _, _)| asked != id);
        }
        if let ToClient::Opened {
            user,
            waiting,
            watched,
        } = &told
        {
            self.codec = Some(Codec::new(user.clone(), *waiting, watched.as_deref()));
        }
        if self.json {
            output::line(line)?;
        } else if let Some(line) = self.codec.as_mut().and_then(|codec| codec.hear(&told)) {
            output::line(line)?;
        }
        if let Some(number) = told.number() {
            self.node.say(&FromClient::Ack { number }).await?;
        }
        let further = self.codec.as_mut().map(Codec::further);
        for request in further.unwrap_or_default() {
            self.unanswered += 1;
            self.node.say(&request).await?;
        }
        Ok(())
    }

    async fn type_line(&mut self, line: &str) -> Result<Option<Ended>, Failure> {
        if line.trim().is_empty() {
            return Ok(None);
        }
        if self.json {
            match serde_json::from_str::<Value>(line) {
                Ok(said) => {
                    self.unanswered += usize::from(said["do"] != "ack");
                    self.node.say(&said).await?;
                }
                Err(error) => {
                    output::complain(format!("wvgate: not JSON: {error}"));
                }
            }
            return Ok(None);
        }
        let Some(codec) = &mut self.codec else {
            return Ok(None);
        };
        let action = codec.understand(line);
        self.act(action).await
    }

    async fn act(&mut self, action: Action) -> Result<Option<Ended>, Failure> {
        match action {
            Action::Share { file, to, note } => match self.upload(&file).await? {
                Ok(url) => {
                    let codec = self.codec.as_mut();
                    let action = codec.map(|codec| codec.uploaded(to, url, &note));
                    match action {
                        Some(action) => Box::pin(self.act(action)).await,
                        None => Ok(None),
                    }
                }
                Err(why) => output::line(format!("* NOT shared: {why}")).map(|()| None),
            },
            Action::Say(requests) => {
                for request in requests {
                    self.unanswered += 1;
                    if let FromClient::Request { id, primitive } = &request
                        && let Primitive::SendMessageRequest(message) = primitive.as_ref()
                        && let Some(recipient) = message.info.recipients.first()
                    {
                        let to = recipient.address().clone();
                        self.silent.push_back((id.clone(), to, Instant::now()));
                    }
                    self.node.say(&request).await?;
                }
                Ok(None)
            }
            Action::Show(text) => output::line(text).map(|()| None),
            Action::Quit => Ok(Some(Ended::Quit)),
        }
    }

    /// Puts a file where the node says. Tells where it is then, or why it is not.
    async fn upload(&mut self, file: &str) -> Result<Result<String, String>, Failure> {
        const ID: &str = "share";
        let sharing = match Sharing::open(file).await {
            Ok(sharing) => sharing,
            Err(why) => return Ok(Err(why)),
        };
        let wanted = sharing.wanted().clone();
        let id = ID.to_owned();
        self.node.say(&Share::Share { id, wanted }).await?;
        let slot = loop {
            let line = self.node.line().await?;
            let line = line.ok_or(crate::admin::ClientError::Ended)?;
            if let Ok(SharedFile::Slot { slot, .. }) = serde_json::from_str(&line) {
                break slot;
            }
            match serde_json::from_str::<ToClient>(&line) {
                Ok(ToClient::Answer { id, primitive, .. }) if id == ID => {
                    let status = primitive.verdict().and_then(|status| status.words());
                    let why = status.unwrap_or("the node has no place for it");
                    return Ok(Err(why.to_owned()));
                }
                _ => self.hear(&line).await?,
            }
        };
        let uploaded = sharing.upload(&slot).await;
        Ok(uploaded.map(|()| slot.get))
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// A password: from the file, the environment, or asked for without showing it.
pub(super) fn password(source: &PasswordSource, question: &str) -> Result<String, Failure> {
    if let Some(file) = &source.password_file {
        let text = std::fs::read_to_string(file);
        let text = text.map_err(|error| {
            Failure::Usage(format!(
                "wvgate: {} cannot be read: {error}",
                file.display()
            ))
        })?;
        return Ok(text.lines().next().unwrap_or_default().to_owned());
    }
    if let Ok(password) = std::env::var("WVGATE_PASSWORD") {
        return Ok(password);
    }
    let asks = std::io::stdin().is_terminal();
    if asks {
        output::ask(question);
        echo(false);
    }
    let mut line = String::new();
    let read = std::io::stdin()
        .lock()
        .take(MAX_PASSWORD)
        .read_line(&mut line);
    if asks {
        echo(true);
        output::ask("\n");
    }
    read.map_err(|error| Failure::Failed(format!("no password: {error}")))?;
    Ok(line.trim_end_matches(['\n', '\r']).to_owned())
}

/// Shows what is typed, or not. Where there is no `stty` it is shown.
fn echo(on: bool) {
    let argument = if on { "echo" } else { "-echo" };
    let _ = std::process::Command::new("stty").arg(argument).status();
}
