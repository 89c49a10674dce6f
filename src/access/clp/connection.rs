//! A text session over a connection: lines in, lines out.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::time::Instant;

use super::seat::{News, Seat};
use super::talk::{Step, Talk, Way};
use crate::access::entrance::Entrance;
use crate::access::line::{LineError, Lines, screen};
use crate::access::sessions::Sessions;
use crate::client::login::Origin;
use crate::element::{FromClient, ToClient};

/// Bytes of a line.
const MAX_LINE: usize = 4096;
/// Lines of who has not logged in; our choice.
const STRANGE_LINES: usize = 20;
/// For a login; our choice.
const HELLO: Duration = Duration::from_secs(60);
/// A client that takes nothing for so long is cut off; our choice.
const SLOW: Duration = Duration::from_secs(30);
/// For answers that are missing when the client has ended its side; our choice.
const LAST: Duration = Duration::from_secs(30);

const GREETING: &str = "* wvgate: /login NAME, and then the password";
const SILENT: &str = "* you said nothing for too long; good bye";
const BYE: &str = "* good bye";

/// One connection, over which one user may talk.
pub(super) struct Connection<S> {
    lines: Lines<ReadHalf<S>>,
    out: WriteHalf<S>,
    sessions: Arc<Sessions>,
    entrance: Arc<Entrance>,
    origin: Origin,
    talk: Talk,
    seat: Option<Seat>,
    /// Lines that may still come before a login.
    left: usize,
}

/// The connection is of no use any more.
struct Hangup;

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    pub(super) fn new(
        stream: S,
        sessions: Arc<Sessions>,
        entrance: Arc<Entrance>,
        origin: Origin,
    ) -> Self {
        let (read, out) = tokio::io::split(stream);
        Self {
            lines: Lines::new(read, MAX_LINE),
            out,
            sessions,
            entrance,
            origin,
            talk: Talk::new(Way::Password),
            seat: None,
            left: STRANGE_LINES,
        }
    }

    pub(super) async fn serve(mut self) {
        if self.show(GREETING).await.is_ok() {
            let _ = self.attend().await;
        }
        self.seat = None;
        let _ = tokio::time::timeout(SLOW, self.out.shutdown()).await;
    }

    /// Until one side ends it.
    async fn attend(&mut self) -> Result<(), Hangup> {
        let mut has_ended = false;
        let mut heard = Instant::now();
        loop {
            if has_ended && self.talk.under_way() == 0 {
                return Ok(());
            }
            let silence = match (&self.seat, has_ended) {
                (_, true) => LAST,
                (Some(_), _) => self.sessions.settings.keep_alive,
                (None, _) => HELLO,
            };
            let may_read = !has_ended && self.talk.has_room();
            tokio::select! {
                biased;
                news = next(&mut self.seat) => self.news(news).await?,
                line = self.lines.next(), if may_read => {
                    heard = Instant::now();
                    match line {
                        Ok(Some(line)) => self.line(&line).await?,
                        Ok(None) => has_ended = true,
                        Err(error @ (LineError::NotText | LineError::TooLong(_))) => {
                            self.show(&format!("* not understood: {error}")).await?;
                            self.stranger()?;
                        }
                        Err(LineError::Io(_)) => return Err(Hangup),
                    }
                }
                () = tokio::time::sleep_until(heard + silence) => return self.show(SILENT).await,
            }
        }
    }

    async fn news(&mut self, news: News) -> Result<(), Hangup> {
        let told = match news {
            News::Told(told) => told,
            News::Ended(status) => {
                self.show(&screen::failed("session", None, &status)).await?;
                return Err(Hangup);
            }
        };
        let heard = self.talk.heard(&told);
        if let Some(text) = &heard.text {
            self.show(text).await?;
        }
        if matches!(told, ToClient::Over { .. }) {
            return Err(Hangup);
        }
        if let Some(seat) = &self.seat {
            // It was written, and not before.
            seat.acknowledge(heard.number).await.map_err(|_| Hangup)?;
        }
        self.say(heard.further).await
    }

    async fn line(&mut self, line: &str) -> Result<(), Hangup> {
        self.stranger()?;
        match self.talk.line(line) {
            Step::Nothing | Step::Enter => Ok(()),
            Step::Show(text) => self.show(&text).await,
            Step::Say(requests) => self.say(requests).await,
            Step::LogIn { user, password } => self.log_in(&user, password).await,
            Step::LogOut => {
                self.show(BYE).await?;
                Err(Hangup)
            }
        }
    }

    /// Counts what comes before a login.
    fn stranger(&mut self) -> Result<(), Hangup> {
        if self.seat.is_none() {
            self.left = self.left.checked_sub(1).ok_or(Hangup)?;
        }
        Ok(())
    }

    async fn log_in(&mut self, user: &str, password: String) -> Result<(), Hangup> {
        let entered = self
            .entrance
            .enter_in_words(user, password, &self.origin)
            .await;
        let taken = match entered {
            Ok(user) => Seat::take(&self.sessions, &user, false).await,
            Err(status) => Err(status),
        };
        self.sessions.tally.login_in_words(taken.is_ok());
        match taken {
            Ok((seat, opened)) => {
                self.seat = Some(seat);
                self.news(News::Told(opened)).await
            }
            Err(status) => self.show(&Talk::refused(&status)).await,
        }
    }

    async fn say(&self, requests: Vec<FromClient>) -> Result<(), Hangup> {
        let Some(seat) = &self.seat else {
            return Ok(());
        };
        for request in requests {
            seat.say(request).await.map_err(|_| Hangup)?;
        }
        Ok(())
    }

    /// Writes lines to the client, all of them.
    async fn show(&mut self, text: &str) -> Result<(), Hangup> {
        let text = text.replace('\n', "\r\n") + "\r\n";
        let written = async {
            self.out.write_all(text.as_bytes()).await?;
            self.out.flush().await
        };
        match tokio::time::timeout(SLOW, written).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Hangup),
        }
    }
}

/// What happens in the session, as long as there is one.
pub(super) async fn next(seat: &mut Option<Seat>) -> News {
    match seat {
        Some(seat) => seat.next().await,
        None => pending().await,
    }
}
