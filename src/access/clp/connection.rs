//! A text session over a connection: lines in, lines out.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::seat::{News, Seat, next};
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
/// From the beginning of the connection to a login; our choice.
const HELLO: Duration = Duration::from_secs(60);
/// A client that takes nothing for so long is cut off; our choice.
const SLOW: Duration = Duration::from_secs(30);
/// For answers that are missing when the client has ended its side, or the node stops; our choice.
const LAST: Duration = Duration::from_secs(30);
/// For the last line that a client is told when the node stops; our choice.
const FAREWELL: Duration = Duration::from_secs(1);

const GREETING: &str = "* wvgate: /login NAME, and then the password";
const SILENT: &str = "* you said nothing for too long; good bye";
const BYE: &str = "* good bye";
const STOPS: &str = "* the server stops; good bye";

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
    /// The node takes nothing new any more.
    stop: CancellationToken,
}

/// The connection is of no use any more.
struct Hangup;

/// Nothing more is read: it ends when all is answered, or then.
#[derive(Debug, Clone, Copy)]
struct End {
    until: Instant,
    is_stop: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    pub(super) fn new(
        stream: S,
        sessions: Arc<Sessions>,
        entrance: Arc<Entrance>,
        origin: Origin,
        stop: CancellationToken,
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
            stop,
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
        let begun = Instant::now();
        let (mut heard, mut end) = (begun, None::<End>);
        loop {
            if let Some(end) = end
                && self.talk.under_way() == 0
            {
                return self.part(end).await;
            }
            let keep_alive = self.sessions.settings.keep_alive;
            let silence = self.seat.as_ref().map(|_| heard + keep_alive);
            let until = until(begun, silence, end);
            // What is said while the user's domain hears nothing waits.
            let is_heard = self.seat.as_ref().is_none_or(Seat::is_open);
            let may_read = end.is_none() && is_heard && self.talk.has_room();
            tokio::select! {
                biased;
                () = self.stop.cancelled(), if end.is_none_or(|end| !end.is_stop) => {
                    let until = Instant::now() + LAST;
                    end = Some(End { until, is_stop: true });
                }
                news = next(&mut self.seat, true) => self.news(news).await?,
                line = self.lines.next(), if may_read => {
                    heard = Instant::now();
                    match line {
                        Ok(Some(line)) => self.line(&line).await?,
                        Ok(None) => end = Some(End { until: heard + LAST, is_stop: false }),
                        Err(error @ (LineError::NotText | LineError::TooLong(_))) => {
                            self.show(&format!("* not understood: {error}")).await?;
                            self.stranger()?;
                        }
                        Err(LineError::Io(_)) => return Err(Hangup),
                    }
                }
                () = tokio::time::sleep_until(until) => match end {
                    Some(end) if end.is_stop => return self.part(end).await,
                    _ => return self.show(SILENT).await,
                },
            }
        }
    }

    /// Nothing is under way any more, or it takes too long.
    async fn part(&mut self, end: End) -> Result<(), Hangup> {
        if !end.is_stop {
            return Ok(());
        }
        let told = tokio::time::timeout(FAREWELL, self.show(STOPS));
        told.await.unwrap_or(Err(Hangup))
    }

    async fn news(&mut self, news: News) -> Result<(), Hangup> {
        let told = match news {
            News::Told(told) => told,
            News::Again(opened) => {
                return match self.talk.again(&opened) {
                    Some(missed) => self.show(&missed).await,
                    None => Ok(()),
                };
            }
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
        if let Some(seat) = &mut self.seat {
            // It was written, and not before.
            seat.acknowledge(heard.number).await;
        }
        self.say(heard.further).await;
        Ok(())
    }

    async fn line(&mut self, line: &str) -> Result<(), Hangup> {
        self.stranger()?;
        match self.talk.line(line) {
            Step::Nothing | Step::Enter => Ok(()),
            Step::Show(text) => self.show(&text).await,
            Step::Say(requests) => {
                self.say(requests).await;
                Ok(())
            }
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
            Ok(user) => Seat::take(&self.sessions, &user).await,
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

    async fn say(&mut self, requests: Vec<FromClient>) {
        let Some(seat) = &mut self.seat else { return };
        for request in requests {
            seat.say(request).await;
        }
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

/// When a connection ends that has begun then, if nothing happens before. `silence`: when its user
/// has said nothing for too long, if one has logged in.
fn until(begun: Instant, silence: Option<Instant>, end: Option<End>) -> Instant {
    match (end, silence) {
        (Some(end), _) => end.until,
        (None, Some(silence)) => silence,
        (None, None) => begun + HELLO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_does_not_log_in_has_a_minute_whatever_they_say_in_it() {
        let begun = Instant::now();
        assert_eq!(until(begun, None, None), begun + Duration::from_secs(60));
        let silence = begun + Duration::from_secs(7200);
        assert_eq!(until(begun, Some(silence), None), silence);
        let end = End {
            until: begun + Duration::from_secs(7),
            is_stop: false,
        };
        assert_eq!(until(begun, Some(silence), Some(end)), end.until);
    }
}
