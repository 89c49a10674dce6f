//! The text of a configuration, as it was read.

use std::path::{Path, PathBuf};

use super::problem::{ConfigError, Problem};
use super::read::PREFIX;
use super::{Config, Loaded};

/// What a configuration is made of: the text of its file, and the variables laid over it. The same
/// configuration can be made of it again, whatever has become of the file.
#[derive(Clone)]
pub struct Source {
    path: PathBuf,
    text: String,
    env: Vec<(String, String)>,
}

impl Source {
    /// Reads the file. Of `env` all variables may be passed.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn read(
        path: impl AsRef<Path>,
        env: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path).map_err(|error| {
            let fix = "name another with --config, or write a first one with: wvgate init";
            let what = format!("cannot be read ({error})");
            let file = path.display().to_string();
            ConfigError::new(vec![Problem::new(&file, None, "", what, fix)])
        })?;
        let env = env.into_iter();
        Ok(Self {
            path: path.to_owned(),
            text,
            env: env.filter(|(name, _)| name.starts_with(PREFIX)).collect(),
        })
    }

    /// Checks everything, and reads the secrets, which are in files of their own.
    ///
    /// # Errors
    /// All mistakes that were found.
    pub fn load(&self) -> Result<Loaded, ConfigError> {
        Config::of(self)
    }

    /// The same with more text at its end.
    #[must_use]
    pub fn with(&self, more: &str) -> Self {
        let mut source = self.clone();
        if !source.text.is_empty() && !source.text.ends_with('\n') {
            source.text.push('\n');
        }
        source.text.push_str(more);
        source
    }

    /// Where the text was read.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What stands in the file.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The variables that override keys.
    pub(super) fn env(&self) -> &[(String, String)] {
        &self.env
    }
}
