//! Room on a disk.

use std::path::Path;

/// Bytes left beside a file for processes like this one. `None`: that cannot be known here.
pub fn beside(path: &Path) -> Option<u64> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let disk = rustix::fs::statvfs(folder).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}
