//! Client sessions of home-domain users: lines in, lines out, until one side ends it.

use std::time::Duration;

use serde_json::Value;

use super::LineError;
use super::connection::{Connection, Hangup};
use super::request::{Line, Share, Shared as SharedFile};
use super::{Shared, users};
use crate::content::Refusal;
use crate::home::{Delivery, FromClient, Over, Takes, ToClient, UserError};
use crate::imps::{Code, Status};
use crate::node::ClientSession;

/// For what a client has said before it went; our choice.
const LAST: Duration = Duration::from_secs(1);

/// What the client says goes to the node, and what the node says to the client.
pub(super) async fn chat(
    connection: &mut Connection,
    user: &str,
    password: Option<String>,
    (takes, delivery): (Takes, Delivery),
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
    if !delivery.is_possible() {
        let why = "delivery names at most 32 types of 128 bytes each";
        return connection.say(&Line::error(why)).await;
    }
    let Some(mut session) = open(connection, &name, takes, delivery).await? else {
        return Ok(());
    };
    loop {
        tokio::select! {
            // Who reads nothing is not listened to either.
            biased;
            told = session.event() => {
                let Some(told) = told else {
                    let why = "the session was ended by the node";
                    connection.say(&Line::error(why)).await?;
                    return Err(Hangup);
                };
                let is_over = matches!(&told, ToClient::Over { .. });
                if let Err(gone) = connection.say(&Line::Event(told)).await {
                    hear_last(connection, &session).await;
                    return Err(gone);
                }
                if is_over {
                    return Err(Hangup);
                }
            }
            line = connection.lines.next(), if !session.is_behind() => match understood(line)? {
                Ok(Said::Share(share)) => {
                    let slot = place(&shared, &name, share);
                    connection.say(&slot).await?;
                }
                Ok(Said::Client(said)) => session.say(said).await.map_err(|_| Hangup)?,
                Err(refusal) => connection.say(&Line::Event(*refusal)).await?,
            },
        }
    }
}

/// What a client says.
enum Said {
    /// To the home domain.
    Client(FromClient),
    /// To the store for shared files.
    Share(Share),
}

/// Answers a client that has a file to share.
fn place(shared: &Shared, user: &str, Share::Share { id, wanted }: Share) -> Line {
    match shared.node.slot(user, &wanted) {
        Ok(slot) => Line::Slot(SharedFile::Slot { id, slot }),
        Err(refusal) => {
            let code = match &refusal {
                Refusal::Off => Code::NOT_IMPLEMENTED,
                Refusal::Name | Refusal::Size(_) => Code::BAD_PARAMETER,
                Refusal::Type(_) => Code::MEDIA_TYPE,
                Refusal::Files(_) | Refusal::Bytes(_) | Refusal::Full | Refusal::Disk => {
                    Code::QUEUE_FULL
                }
            };
            let status = Status::new(code).because(refusal.to_string());
            Line::Event(ToClient::answer(id, status))
        }
    }
}

/// A client that has gone may have acknowledged something before.
async fn hear_last(connection: &mut Connection, session: &ClientSession) {
    let hearing = async {
        while let Ok(line) = understood(connection.lines.next().await) {
            if let Ok(Said::Client(said @ FromClient::Ack { .. })) = line
                && session.say(said).await.is_err()
            {
                return;
            }
        }
    };
    let _ = tokio::time::timeout(LAST, hearing).await;
}

/// What a line says, or the answer to one that says nothing.
fn understood(
    line: Result<Option<String>, LineError>,
) -> Result<Result<Said, Box<ToClient>>, Hangup> {
    let (id, why) = match line {
        Ok(Some(line)) => match serde_json::from_str::<FromClient>(&line) {
            Ok(said) => return Ok(Ok(Said::Client(said))),
            Err(_) if serde_json::from_str::<Share>(&line).is_ok() => {
                let share = serde_json::from_str(&line).map_err(|_| Hangup)?;
                return Ok(Ok(Said::Share(share)));
            }
            Err(error) => (
                id_of(&line),
                format!("the line cannot be understood: {error}"),
            ),
        },
        Err(error @ (LineError::TooLong(_) | LineError::NotText)) => {
            (String::new(), error.to_string())
        }
        Ok(None) | Err(LineError::Io(_)) => return Err(Hangup),
    };
    let status = Status::new(Code::BAD_REQUEST).because(why);
    Ok(Err(Box::new(ToClient::answer(id, status))))
}

/// The id of a request whose primitive cannot be read; empty if there is none.
fn id_of(line: &str) -> String {
    let line = serde_json::from_str::<Value>(line).unwrap_or_default();
    line["id"].as_str().unwrap_or_default().to_owned()
}

/// Opens a session and passes on what it hears first; `None` if that was refused, which the
/// client was told.
async fn open(
    connection: &mut Connection,
    name: &str,
    takes: Takes,
    delivery: Delivery,
) -> Result<Option<ClientSession>, Hangup> {
    let node = &connection.shared.node;
    let refusal = match node.client_enter(name, takes, delivery).await {
        Ok(Ok((session, opened))) => {
            connection.say(&Line::Event(opened)).await?;
            return Ok(Some(session));
        }
        Ok(Err(Over::Unknown | Over::Removed)) => format!("there is no user {name}"),
        Ok(Err(Over::Unavailable)) => UserError::Unavailable(name.to_owned()).to_string(),
        Ok(Err(Over::Disabled)) => UserError::Disabled(name.to_owned()).to_string(),
        Ok(Err(Over::TooMany | Over::Behind)) => format!("{name} has too many sessions already"),
        Err(gone) => gone.to_string(),
    };
    connection.say(&Line::error(refusal)).await?;
    Ok(None)
}
