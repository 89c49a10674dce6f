//! A secret: in the file itself, or in a file of its own; never shown.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A password or shared secret: `"text"` or `{ file = "path" }` (the file's content without
/// the line end; the path is relative to the working directory). Debug, Display and
/// serialized forms never show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    value: String,
    file: Option<PathBuf>,
}

impl Secret {
    /// A secret known by value.
    pub fn new(value: impl Into<String>) -> Self {
        Self {
            value: value.into(),
            file: None,
        }
    }

    /// A secret kept in a file that was not read yet: [`Self::expose`] is empty until
    /// [`Self::read`] succeeded.
    pub fn in_file(path: impl Into<PathBuf>) -> Self {
        Self {
            value: String::new(),
            file: Some(path.into()),
        }
    }

    /// The secret itself. Mind where it goes.
    pub fn expose(&self) -> &str {
        &self.value
    }

    /// The file it is kept in, if it is kept in one.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Reads the secret's file, if it has one; a line end at the end is dropped.
    pub fn read(&mut self) -> std::io::Result<()> {
        if let Some(path) = &self.file {
            let text = std::fs::read_to_string(path)?;
            self.value = text.trim_end_matches(['\r', '\n']).to_string();
        }
        Ok(())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.file {
            None => serializer.collect_str(self),
            Some(path) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("file", path)?;
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Kept {
            file: PathBuf,
        }
        struct Form;
        impl<'de> Visitor<'de> for Form {
            type Value = Secret;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a secret: \"text\" or { file = \"path\" }")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Secret, E> {
                Ok(Secret::new(text))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Secret, A::Error> {
                let kept = Kept::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Secret::in_file(kept.file))
            }
        }
        deserializer.deserialize_any(Form)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_never_shown() {
        let secret = Secret::new("hunter2");
        let shown = format!(
            "{secret} {secret:?} {}",
            serde_json::to_string(&secret).unwrap()
        );
        assert!(!shown.contains("hunter2"), "{shown}");
        assert_eq!(secret.expose(), "hunter2");
    }

    #[test]
    fn both_forms_are_read() {
        let inline: Secret = serde_json::from_str("\"abc\"").unwrap();
        assert_eq!(inline.expose(), "abc");
        let filed: Secret = serde_json::from_str("{\"file\":\"run/secret\"}").unwrap();
        assert_eq!(filed.file(), Some(Path::new("run/secret")));
        assert!(serde_json::from_str::<Secret>("{\"fil\":\"x\"}").is_err());
        assert!(serde_json::from_str::<Secret>("{}").is_err());
    }
}
