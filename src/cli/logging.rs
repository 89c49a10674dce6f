//! The log of `wvgate run`, and everything else it says: nothing that happens to where that goes
//! ends or delays the node.

use std::io;
use std::time::Duration;

use serde_json::{Value, json};
use tracing_subscriber::filter::{EnvFilter, filter_fn};
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::Failure;
use crate::config::{LogFormat, LogSection};
use crate::imps::datetime::DateTime;
use crate::node::Levels;
use crate::node::clock::Clock;
use crate::node::log::Output;

/// For the last lines, when the process ends.
const PATIENCE: Duration = Duration::from_secs(1);

/// Standard error in the format of the log, and standard output.
#[derive(Debug)]
pub(super) struct Voice {
    errors: Output,
    out: Output,
    format: LogFormat,
}

/// How much a line matters.
#[derive(Debug, Clone, Copy)]
pub(super) enum Level {
    Error,
    Warn,
    Info,
}

impl Level {
    fn word(self) -> &'static str {
        match self {
            Self::Error => "ERROR",
            Self::Warn => "WARN",
            Self::Info => "INFO",
        }
    }
}

impl Voice {
    /// Speaks in this format from now on.
    pub(super) fn start(format: LogFormat) -> Result<Self, Failure> {
        let lost = match format {
            LogFormat::Text => lost_text,
            LogFormat::Json => lost_json,
            LogFormat::Logfmt => lost_logfmt,
        };
        let failed = |error| Failure::Failed(format!("cannot start threads: {error}"));
        Ok(Self {
            errors: Output::start(io::stderr(), lost).map_err(failed)?,
            out: Output::start(io::stdout(), lost).map_err(failed)?,
            format,
        })
    }

    /// Says lines beside the log.
    pub(super) fn say(&self, level: Level, text: &str) {
        for line in text.lines() {
            match self.format {
                LogFormat::Text => self.errors.say(line),
                format => self.errors.say(&for_machines(format, level, line)),
            }
        }
    }

    /// Says what is bound: on standard output for people, in the log for machines.
    pub(super) fn tell(&self, rows: &[Vec<String>]) {
        match self.format {
            LogFormat::Text => {
                let text = super::output::aligned(rows) + "running\n";
                self.out.push(text.into_bytes());
            }
            format => {
                let rows: Vec<String> = rows.iter().map(|row| row.join(" ")).collect();
                let line = format!("running: {}", rows.join(", "));
                let line = for_machines(format, Level::Info, &line);
                self.errors.say(&line);
            }
        }
    }

    /// Says why the process ends with another code than 0.
    pub(super) fn last_words(&self, failure: Failure) -> Failure {
        let (text, code) = match failure {
            Failure::Usage(text) => (text, 64),
            Failure::Failed(why) => (format!("wvgate: {why}"), 1),
            other => return other,
        };
        self.say(Level::Error, &text);
        Failure::Said(code)
    }

    /// Waits a moment for what is still to be written.
    pub(super) fn flush(&self) {
        self.out.flush(PATIENCE);
        self.errors.flush(PATIENCE);
    }

    /// Logs from now on; how that is changed, if it works.
    pub(super) fn log(&self, log: &LogSection) -> Option<Levels> {
        let wanted = by_environment();
        let read = wanted.as_deref().map(EnvFilter::try_new);
        let (filter, usual) = match read {
            Some(Ok(filter)) => (filter, wanted.unwrap_or_default()),
            refused => {
                if refused.is_some() {
                    let why = "warning: RUST_LOG is not a filter; log.level counts";
                    self.say(Level::Warn, why);
                }
                let filter = EnvFilter::try_new(&log.level);
                let filter = filter.unwrap_or_else(|_| EnvFilter::new("info"));
                (filter, log.level.clone())
            }
        };
        // At trace it prints whole stanzas and handshakes.
        let discreet = filter_fn(|metadata| {
            !metadata.target().starts_with("tokio_xmpp")
                || *metadata.level() < tracing::Level::TRACE
        });
        let lines = tracing_subscriber::fmt::layer()
            .with_writer(self.errors.clone())
            .with_ansi(false);
        let (filter, handle) = reload::Layer::new(filter);
        let registry = tracing_subscriber::registry().with(filter);
        let started = match self.format {
            LogFormat::Text => registry.with(lines.with_filter(discreet)).try_init(),
            LogFormat::Json => registry.with(lines.json().with_filter(discreet)).try_init(),
            LogFormat::Logfmt => {
                let lines = lines
                    .event_format(tracing_logfmt::EventsFormatter::default())
                    .fmt_fields(tracing_logfmt::FieldsFormatter::default());
                registry.with(lines.with_filter(discreet)).try_init()
            }
        };
        if let Err(error) = started {
            let why = format!("warning: nothing is logged: {error}");
            self.say(Level::Warn, &why);
            return None;
        }
        Some(Levels::new(handle, &usual))
    }

    /// A defect is told like everything else; the usual way could wait for standard error.
    pub(super) fn mind_panics(&self) {
        let (errors, format) = (self.errors.clone(), self.format);
        std::panic::set_hook(Box::new(move |panic| {
            let trace = std::backtrace::Backtrace::capture();
            let captured = trace.status() == std::backtrace::BacktraceStatus::Captured;
            let mut text = panic.to_string();
            if captured {
                text += &format!("\n{trace}");
            }
            match format {
                LogFormat::Text => errors.say(&text),
                format => errors.say(&for_machines(format, Level::Error, &text)),
            }
            errors.flush(Duration::from_millis(100));
        }));
    }
}

/// What `RUST_LOG` says, if it says anything.
fn by_environment() -> Option<String> {
    let wanted = std::env::var("RUST_LOG").ok();
    wanted.filter(|directives| !directives.is_empty())
}

/// Goes by another `log.level`, unless `RUST_LOG` counts; a remark in that case.
pub(super) fn set_level(level: &str, levels: Option<&Levels>) -> Option<String> {
    if by_environment().is_some() {
        return Some("log.level was changed, but RUST_LOG counts".to_owned());
    }
    if let Some(levels) = levels {
        levels.set_usual(level);
    }
    None
}

fn for_machines(format: LogFormat, level: Level, text: &str) -> String {
    match format {
        LogFormat::Text => text.to_owned(),
        LogFormat::Json => as_json(level, text),
        LogFormat::Logfmt => as_logfmt(level, text),
    }
}

/// As the other lines in this format; the text quoted, with what JSON escapes.
fn as_logfmt(level: Level, text: &str) -> String {
    let level = level.word().to_lowercase();
    format!(
        "ts={} level={level} target=wvgate message={}",
        now(),
        json!(text)
    )
}

fn now() -> String {
    DateTime::from_millis(Clock::start().now().0).to_string()
}

fn as_json(level: Level, text: &str) -> String {
    let (level, time) = (level.word(), now());
    let line: Value = json!({
        "timestamp": time,
        "level": level,
        "fields": {"message": text},
        "target": "wvgate",
    });
    line.to_string()
}

fn lost_logfmt(lines: u64) -> String {
    as_logfmt(Level::Warn, &lost(lines))
}

fn lost_text(lines: u64) -> String {
    format!("wvgate: {}", lost(lines))
}

fn lost_json(lines: u64) -> String {
    as_json(Level::Warn, &lost(lines))
}

fn lost(lines: u64) -> String {
    format!("{lines} lines of the log were lost here: they were not taken in time")
}
