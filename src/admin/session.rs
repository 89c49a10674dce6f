//! Client sessions of home-domain users: a chat, or a single message.

use std::collections::BTreeSet;
use std::time::Duration;

use super::connection::{Connection, Hangup};
use super::lines::LineError;
use super::request::{Line, Sent};
use super::users;
use crate::home::{Command, Event, Takes};
use crate::imps::Address;
use crate::node::ClientSession;

/// For what a client has said before it went; our choice.
const LAST: Duration = Duration::from_secs(1);

/// A message to be sent.
pub(super) struct Wanted {
    pub(super) from: String,
    pub(super) to: String,
    pub(super) text: String,
    pub(super) report: bool,
    pub(super) patience: Duration,
}

/// Commands in, events out, until one side ends it.
pub(super) async fn chat(
    connection: &mut Connection,
    user: &str,
    password: Option<String>,
) -> Result<(), Hangup> {
    let shared = connection.shared.clone();
    let name = match users::local_name(&shared, user) {
        Ok(name) => name,
        Err(why) => return connection.say(&Line::error(why)).await,
    };
    if let Some(password) = password
        && let Err(why) = users::check_password(&shared, &name, password).await
    {
        return connection.say(&Line::error(why)).await;
    }
    let Some(mut session) = open(connection, &name, Takes::Everything).await? else {
        return Ok(());
    };
    loop {
        tokio::select! {
            // Who reads nothing is not listened to either.
            biased;
            event = session.event() => {
                let Some(event) = event else {
                    let why = "the session was ended by the node";
                    connection.say(&Line::error(why)).await?;
                    return Err(Hangup);
                };
                let is_over = matches!(&event, Event::Error { command, .. } if command == "login");
                if let Err(gone) = connection.say(&Line::Event(event)).await {
                    hear_last(connection, &session).await;
                    return Err(gone);
                }
                if is_over {
                    return Err(Hangup);
                }
            }
            line = connection.lines.next(), if !session.is_behind() => match understood(line)? {
                Ok(command) => session.command(command).await.map_err(|_| Hangup)?,
                Err(refusal) => connection.say(&Line::Event(refusal)).await?,
            },
        }
    }
}

/// A client that has gone may have acknowledged something before.
async fn hear_last(connection: &mut Connection, session: &ClientSession) {
    let hearing = async {
        while let Ok(line) = understood(connection.lines.next().await) {
            if let Ok(Command::Ack { number }) = line
                && session.command(Command::Ack { number }).await.is_err()
            {
                return;
            }
        }
    };
    let _ = tokio::time::timeout(LAST, hearing).await;
}

/// What a line says, or the answer to one that says nothing.
fn understood(line: Result<Option<String>, LineError>) -> Result<Result<Command, Event>, Hangup> {
    let why = match line {
        Ok(Some(line)) => match serde_json::from_str::<Command>(&line) {
            Ok(command) => return Ok(Ok(command)),
            Err(error) => format!("the command cannot be understood: {error}"),
        },
        Err(error @ (LineError::TooLong(_) | LineError::NotText)) => error.to_string(),
        Ok(None) | Err(LineError::Io(_)) => return Err(Hangup),
    };
    Ok(Err(Event::Error {
        command: "unknown".to_owned(),
        user: None,
        status: 400,
        description: Some(why),
    }))
}

/// Sends one message, tells what happens, and says how it ended. The client acknowledges what it
/// was told; what is still to be acknowledged when it goes is told to the user.
pub(super) async fn send(connection: &mut Connection, wanted: Wanted) -> Result<(), Hangup> {
    let shared = connection.shared.clone();
    let name = match users::local_name(&shared, &wanted.from) {
        Ok(name) => name,
        Err(why) => return connection.say(&Line::error(why)).await,
    };
    // What waits for the user is not ours to take: it is for one of their clients.
    let Some(mut session) = open(connection, &name, Takes::OwnAnswers).await? else {
        return Ok(());
    };
    let id = format!(
        "{}@{}",
        crate::node::clock::random().hex(12),
        shared.settings.domain
    );
    let command = Command::Message {
        to: Address::new(&wanted.to).or_domain(&shared.settings.domain),
        text: wanted.text,
        report: wanted.report,
        id: Some(id.clone()),
    };
    session.command(command).await.map_err(|_| Hangup)?;
    let mut sent = Sent {
        id,
        sent: None,
        report: None,
        description: None,
    };
    let until = tokio::time::sleep(wanted.patience);
    tokio::pin!(until);
    // What the client has not acknowledged yet.
    let mut open = BTreeSet::new();
    while !(is_over(&sent, wanted.report) && open.is_empty()) {
        tokio::select! {
            event = session.event() => {
                let Some(event) = event else { break };
                note(&mut sent, &event);
                open.extend(event.number());
                connection.say(&Line::Event(event)).await?;
            }
            () = &mut until => break,
            line = connection.lines.next() => match understood(line)? {
                Ok(Command::Ack { number }) => {
                    open.remove(&number);
                    let ack = Command::Ack { number };
                    session.command(ack).await.map_err(|_| Hangup)?;
                }
                _ => return Err(Hangup),
            },
        }
    }
    connection.say(&Line::result(&sent)).await
}

/// Opens a session and passes on its first event; `None` if that was refused, which the
/// client was told.
async fn open(
    connection: &mut Connection,
    name: &str,
    takes: Takes,
) -> Result<Option<ClientSession>, Hangup> {
    let opened = connection.shared.node.client_open_for(name, takes).await;
    let refusal = match opened {
        // Its first event comes, however long that takes, or the session has ended.
        Ok(Some(mut session)) => match session.event().await {
            Some(event) => {
                connection.say(&Line::Event(event)).await?;
                return Ok(Some(session));
            }
            None => format!("{name} has too many sessions already"),
        },
        Ok(None) => format!("there is no user {name}"),
        Err(gone) => gone.to_string(),
    };
    connection.say(&Line::error(refusal)).await?;
    Ok(None)
}

fn is_over(sent: &Sent, report: bool) -> bool {
    match (sent.sent, sent.report) {
        (Some(status), _) if !is_success(status) => true,
        (Some(_), None) => !report,
        (Some(_), Some(_)) => true,
        (None, _) => false,
    }
}

fn is_success(status: u16) -> bool {
    (200..300).contains(&status)
}

fn note(sent: &mut Sent, event: &Event) {
    let (status, description) = match event {
        Event::Sent {
            id,
            status,
            description,
            details,
            ..
        } if *id == sent.id => {
            // With one recipient the detail says more than "multiple errors".
            let detail = details.first();
            let status = detail.map_or(*status, |detail| detail.status);
            sent.sent = Some(status);
            let detail = detail.and_then(|detail| detail.description.clone());
            (status, detail.or_else(|| description.clone()))
        }
        Event::Report {
            id,
            status,
            description,
            ..
        } if *id == sent.id => {
            sent.report = Some(*status);
            (*status, description.clone())
        }
        Event::Error {
            command,
            status,
            description,
            ..
        } if command == "message" => {
            sent.sent = Some(*status);
            (*status, description.clone())
        }
        _ => return,
    };
    if !is_success(status) {
        sent.description = description;
    }
}
