//! The files that an added peer changes or makes.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};

/// Puts a file in the place of another, with its owner and mode; who reads meanwhile finds one of
/// them.
pub(super) fn replace(path: &Path, text: &str) -> io::Result<()> {
    let path = fs::canonicalize(path)?;
    let facts = fs::metadata(&path)?;
    let mut name = path.clone().into_os_string();
    name.push(format!(".{}", std::process::id()));
    let beside = PathBuf::from(name);
    let written = (|| {
        let mut options = OpenOptions::new();
        let mut file = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&beside)?;
        file.write_all(text.as_bytes())?;
        let made = file.metadata()?;
        if (made.uid(), made.gid()) != (facts.uid(), facts.gid()) {
            chown(&beside, Some(facts.uid()), Some(facts.gid()))?;
        }
        let mode = facts.permissions().mode() & 0o777;
        file.set_permissions(fs::Permissions::from_mode(mode))?;
        file.sync_all()?;
        fs::rename(&beside, &path)
    })();
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written
}

/// A file of certificates that belongs to a peer. It goes away again unless it is kept.
pub(super) struct Certificates {
    pub(super) path: PathBuf,
    /// Whether it was not there before.
    is_new: bool,
    is_kept: bool,
}

impl Certificates {
    /// Writes `peers/DOMAIN.pem` below `folder`, for everybody to read, unless the same stands
    /// there.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`] where something else stands there.
    pub(super) fn write(folder: &Path, domain: &str, pem: &str) -> io::Result<Self> {
        let folder = folder.join("peers");
        let path = folder.join(format!("{domain}.pem"));
        if !folder.exists() {
            fs::create_dir(&folder)?;
            fs::set_permissions(&folder, fs::Permissions::from_mode(0o755))?;
        }
        let mut options = OpenOptions::new();
        let is_new = match options.write(true).create_new(true).open(&path) {
            Ok(mut file) => {
                let written = file
                    .write_all(pem.as_bytes())
                    .and_then(|()| file.set_permissions(fs::Permissions::from_mode(0o644)))
                    .and_then(|()| file.sync_all());
                if let Err(error) = written {
                    let _ = fs::remove_file(&path);
                    return Err(error);
                }
                true
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                if fs::read(&path)? != pem.as_bytes() {
                    return Err(error);
                }
                false
            }
            Err(error) => return Err(error),
        };
        Ok(Self {
            path,
            is_new,
            is_kept: false,
        })
    }

    /// The peer is in the configuration now.
    pub(super) fn keep(mut self) {
        self.is_kept = true;
    }
}

impl Drop for Certificates {
    fn drop(&mut self) {
        if self.is_new && !self.is_kept {
            let _ = fs::remove_file(&self.path);
        }
    }
}
