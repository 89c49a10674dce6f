//! What can be told of a configuration that has mistakes: enough to find the node that runs with
//! an earlier version of it, and to complain in the right format.

use std::path::{Path, PathBuf};

use super::source::Source;
use super::{Config, LogFormat, read};

/// The little that is needed of a configuration with mistakes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glance {
    /// The unix control socket.
    pub socket: PathBuf,
    /// How log lines are written.
    pub log_format: LogFormat,
}

impl Glance {
    /// Looks at a file and the overrides in `env`. `None` if it cannot be read at all.
    pub fn at(path: &Path, env: impl IntoIterator<Item = (String, String)>) -> Option<Self> {
        let env: Vec<(String, String)> = env.into_iter().collect();
        let source = Source::read(path, env.clone()).ok()?;
        if let Ok(draft) = read::read(&source) {
            // What could not be read holds its default; then the lines say more.
            if draft.config != Config::default() {
                return Some(Self::of(&draft.config));
            }
        }
        let mut config = Config::default();
        let variable = |name: &str| {
            let name = format!("{}{name}", read::PREFIX);
            let found = env.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| value.clone())
        };
        let value = |section: &str, key: &str| {
            let name = format!("{}__{}", section.to_uppercase(), key.to_uppercase());
            variable(&name).or_else(|| line_value(source.text(), section, key))
        };
        if let Some(data) = value("node", "data") {
            config.node.data = PathBuf::from(data);
        }
        config.admin.socket = value("admin", "socket").map(PathBuf::from);
        match value("log", "format").as_deref() {
            Some("json") => config.log.format = LogFormat::Json,
            Some("logfmt") => config.log.format = LogFormat::Logfmt,
            _ => {}
        }
        Some(Self::of(&config))
    }

    fn of(config: &Config) -> Self {
        Self {
            socket: config.admin_socket(),
            log_format: config.log.format,
        }
    }
}

/// The text that `key` is set to in `[section]`, in a file that is perhaps no TOML.
fn line_value(text: &str, section: &str, key: &str) -> Option<String> {
    let heading = format!("[{section}]");
    let lines = text.lines().map(str::trim);
    let section = lines.skip_while(|line| !line.starts_with(&heading)).skip(1);
    let mut section = section.take_while(|line| !line.starts_with('['));
    section.find_map(|line| {
        let value = line.strip_prefix(key)?.trim_start().strip_prefix('=')?;
        let value = value.trim_start();
        let quote = value.chars().next().filter(|c| ['"', '\''].contains(c))?;
        let inner = &value[1..];
        Some(inner[..inner.find(quote)?].to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn glance(text: &str, env: &[(&str, &str)]) -> Glance {
        let name = format!("wvgate-glance-{}-{}", std::process::id(), text.len());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, text).unwrap();
        let env = env.iter().map(|(name, value)| (*name, *value));
        let env = env.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let seen = Glance::at(&path, env).unwrap();
        std::fs::remove_file(&path).unwrap();
        seen
    }

    #[test]
    fn a_mistake_hides_neither_the_socket_nor_the_format() {
        let good = "[node]\ndomain = \"a.test\"\ndata = \"/x/data\"\n[log]\nformat = \"json\"\n";
        let mistakes = [
            "",
            // Unknown key, wrong type, no TOML.
            "levle = \"info\"\n",
            "level = 7\n",
            "level = \"info\n",
            "[[[\n",
        ];
        for mistake in mistakes {
            let seen = glance(&format!("{good}{mistake}"), &[]);
            assert_eq!(seen.socket, Path::new("/x/data/wvgate.sock"), "{mistake}");
            assert_eq!(seen.log_format, LogFormat::Json, "{mistake}");
        }
        let env = [("WVGATE_CONFIG_ADMIN__SOCKET", "/y/sock")];
        for mistake in mistakes {
            let seen = glance(&format!("{good}{mistake}"), &env);
            assert_eq!(seen.socket, Path::new("/y/sock"), "{mistake}");
        }
    }
}
