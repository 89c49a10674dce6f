//! Backups in a folder, named after their time, of which the newest are kept.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::imps::datetime::DateTime;

/// How their names begin.
const BEGIN: &str = "wvgate-";
/// What follows the time in the name of the first shard's file; those of others have more after it.
const END: &str = ".db";

/// A folder of backups.
pub(super) struct Backups<'a>(pub &'a Path);

impl Backups<'_> {
    /// The file of a backup that is made now.
    pub(super) fn file(&self, now: SystemTime) -> PathBuf {
        let since = now.duration_since(SystemTime::UNIX_EPOCH);
        let millis = since.as_ref().map_or(0, Duration::as_millis);
        let time = DateTime::from_millis(u64::try_from(millis).unwrap_or(u64::MAX));
        let time = time.to_string().replace(['-', ':'], "");
        self.0.join(format!("{BEGIN}{time}{END}"))
    }

    /// Removes all but the newest `keep`, and says which files those were.
    pub(super) fn thin_out(&self, keep: usize) -> io::Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(self.0)? {
            let entry = entry?;
            if let Some(time) = entry.file_name().to_str().and_then(time_of) {
                found.push((time.to_owned(), entry.path()));
            }
        }
        let times: BTreeSet<String> = found.iter().map(|(time, _)| time.clone()).collect();
        let kept: BTreeSet<&String> = times.iter().rev().take(keep).collect();
        found.sort();
        let old = found.into_iter().filter(|(time, _)| !kept.contains(time));
        let old = old.map(|(_, path)| fs::remove_file(&path).map(|()| path));
        old.collect()
    }
}

/// The time in the name of a backup; `None` for other files.
fn time_of(name: &str) -> Option<&str> {
    let (time, rest) = name.strip_prefix(BEGIN)?.split_once(END)?;
    let is_shard = |shard: &str| shard.parse::<u16>().is_ok();
    let ours = rest.is_empty() || rest.strip_prefix(".shard-").is_some_and(is_shard);
    let form = time.bytes().map(|byte| match byte {
        b'0'..=b'9' => '0',
        other => char::from(other),
    });
    (ours && form.eq("00000000T000000Z".chars())).then_some(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backup_is_named_after_its_time_and_the_newest_are_kept_whole() {
        let folder = std::env::temp_dir().join(format!("wvgate-backups-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let backups = Backups(&folder);
        let file = backups.file(SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000));
        assert_eq!(file, folder.join("wvgate-20260921T141320Z.db"));
        let names = [
            "wvgate-20260921T141320Z.db",
            "wvgate-20260921T141320Z.db.shard-1",
            "wvgate-20260922T141320Z.db",
            "wvgate-20260922T141320Z.db.shard-1",
            "wvgate-20260923T141320Z.db",
            // Of somebody else.
            "wvgate-monday.db",
            "wvgate-20260901T000000Z.db.part",
            "wvgate.db",
        ];
        for name in names {
            fs::write(folder.join(name), "").unwrap();
        }
        assert_eq!(
            backups.thin_out(2).unwrap(),
            [folder.join(names[0]), folder.join(names[1])]
        );
        assert!(backups.thin_out(2).unwrap().is_empty());
        assert!(names[2..].iter().all(|name| folder.join(name).exists()));
        fs::remove_dir_all(&folder).unwrap();
    }
}
