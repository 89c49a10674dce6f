//! A database file while no node uses it: looked at, salvaged, written anew.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::file::{self, OpenError};
use super::sum::{self, Damaged, Row};
use super::{schema, verify};
use crate::store::{StoreError, Write};

/// Sections are looked for by these when the way through a damaged file ends.
const SECTIONS: &[&str] = &[
    "", "aside/", "gateway/", "home/", "journal/", "node/", "sap/",
];

/// A file that is only read.
pub(in crate::store) struct Reading {
    connection: Connection,
    version: i32,
}

impl Reading {
    /// Opens a file; changes nothing in it.
    pub(in crate::store) fn open(path: &Path) -> Result<Self, StoreError> {
        let open = || -> Result<Self, OpenError> {
            let connection = file::connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
            let version = schema::version(&connection)?;
            if version == 0 {
                return Err(OpenError::Damaged("it is empty".to_owned()));
            }
            if version >= schema::WITH_SUMS && !schema::is_as_made(&connection)? {
                return Err(OpenError::Damaged("its schema has changed".to_owned()));
            }
            Ok(Self {
                connection,
                version,
            })
        };
        open().map_err(|error| error.at(path))
    }

    /// Whether its records have checksums.
    pub(in crate::store) fn has_checksums(&self) -> bool {
        self.version >= schema::WITH_SUMS
    }

    /// The value of a record, if it is good.
    pub(in crate::store) fn get(&self, key: &str) -> Option<Vec<u8>> {
        let sql = format!("{} WHERE key = ?1", self.columns());
        let mut select = self.connection.prepare(&sql).ok()?;
        let mut rows = select.query([key]).ok()?;
        match self.look(rows.next().ok()??).ok()? {
            Look::Good(_, value) => Some(value.to_vec()),
            Look::Damaged(_) => None,
        }
    }

    /// All records: good ones are given to `each`, damaged ones come back, with why.
    pub(in crate::store) fn walk(
        &self,
        path: &Path,
        mut each: impl FnMut(&str, &[u8]),
    ) -> Result<Vec<(String, &'static str)>, StoreError> {
        let mut damaged = Vec::new();
        let mut walk = || -> Result<(), OpenError> {
            let mut select = self.connection.prepare(self.columns())?;
            let mut rows = select.query([])?;
            while let Some(row) = rows.next()? {
                match self.look(row)? {
                    Look::Good(key, value) => each(key, value),
                    Look::Damaged(record) => damaged.push((record.key_text(), record.why)),
                }
            }
            drop(rows);
            if damaged.is_empty() {
                verify::structure(&self.connection)?;
            }
            Ok(())
        };
        walk().map_err(|error| error.at(path))?;
        Ok(damaged)
    }

    /// Writes a copy of all of it, as of one moment, to `to`, which is empty or not there.
    pub(in crate::store) fn copy_to(&self, path: &Path, to: &Path) -> Result<(), StoreError> {
        let name = to.to_string_lossy();
        self.connection
            .execute("VACUUM INTO ?1", [name.as_ref()])
            .map(drop)
            .map_err(|error| OpenError::Sqlite(error).at(path))
    }

    fn columns(&self) -> &'static str {
        if self.has_checksums() {
            "SELECT key, value, sum FROM record"
        } else {
            "SELECT key, value FROM record"
        }
    }

    fn look<'a>(&self, row: &'a rusqlite::Row<'_>) -> rusqlite::Result<Look<'a>> {
        if self.has_checksums() {
            return Ok(match sum::check(row)? {
                Row::Good(key, value) => Look::Good(key, value),
                Row::Damaged(record) => Look::Damaged(record),
            });
        }
        let key = row.get_ref(0)?.as_str()?;
        Ok(Look::Good(key, row.get_ref(1)?.as_bytes()?))
    }
}

enum Look<'a> {
    Good(&'a str, &'a [u8]),
    Damaged(Damaged),
}

/// What could be read of a damaged file.
#[derive(Debug, Default)]
pub(in crate::store) struct Salvage {
    /// What could not be read, and why.
    pub(in crate::store) problems: Vec<String>,
    /// Damaged records: key, value, why.
    pub(in crate::store) damaged: Vec<(String, Vec<u8>, &'static str)>,
}

/// Reads all that can be read of a file that may be damaged anywhere; good records are given to
/// `each`, some perhaps more than once. The file may be changed.
pub(in crate::store) fn salvage(path: &Path, mut each: impl FnMut(&str, &[u8])) -> Salvage {
    let mut salvage = Salvage::default();
    let opened = file::connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE);
    let connection = match opened {
        Ok(connection) => connection,
        Err(error) => {
            salvage.problems.push(error.to_string());
            return salvage;
        }
    };
    let columns = |table: &str| connection.prepare(table).is_ok();
    let has_sums = columns("SELECT key, value, sum FROM record");
    let fields = if has_sums {
        "key, value, sum"
    } else {
        "key, value"
    };
    // Forwards from the beginning of each section and backwards from its end: a damaged page in
    // between ends both ways, and what is on it is lost.
    for section in SECTIONS {
        let end = crate::store::end_of(section);
        for order in ["ASC", "DESC"] {
            let sql = match &end {
                Some(_) => format!(
                    "SELECT {fields} FROM record WHERE key >= ?1 AND key < ?2 ORDER BY key {order}"
                ),
                None => format!("SELECT {fields} FROM record WHERE key >= ?1 ORDER BY key {order}"),
            };
            let mut walk = || -> rusqlite::Result<()> {
                let mut select = connection.prepare(&sql)?;
                let mut rows = match &end {
                    Some(end) => select.query((section, end))?,
                    None => select.query([section])?,
                };
                while let Some(row) = rows.next()? {
                    if !has_sums {
                        each(row.get_ref(0)?.as_str()?, row.get_ref(1)?.as_bytes()?);
                        continue;
                    }
                    match sum::check(row)? {
                        Row::Good(key, value) => each(key, value),
                        Row::Damaged(record) => {
                            let found = (record.key_text(), record.value, record.why);
                            if !salvage.damaged.contains(&found) {
                                salvage.damaged.push(found);
                            }
                        }
                    }
                }
                Ok(())
            };
            match walk() {
                Ok(()) => break,
                Err(error) => {
                    let problem = error.to_string();
                    if !salvage.problems.contains(&problem) {
                        salvage.problems.push(problem);
                    }
                }
            }
        }
        if section.is_empty() && salvage.problems.is_empty() {
            break;
        }
    }
    salvage
}

/// A file that is written anew, or to which something is added.
pub(in crate::store) struct Writing(Connection);

impl Writing {
    /// Makes a file of our own kind; the caller has made it, empty and private.
    pub(in crate::store) fn create(path: &Path) -> Result<Self, StoreError> {
        let create = || {
            let mut connection = file::connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
            schema::create(&mut connection)?;
            Ok(connection)
        };
        let connection = create().map_err(|error| OpenError::Sqlite(error).at(path))?;
        Self::begin(path, connection)
    }

    /// Opens a file that is complete.
    pub(in crate::store) fn open(path: &Path) -> Result<Self, StoreError> {
        let open = || -> Result<Connection, OpenError> {
            let mut connection = file::connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
            if schema::version(&connection)? < schema::WITH_SUMS {
                schema::migrate(&mut connection)?;
            }
            schema::say_version(&connection)?;
            Ok(connection)
        };
        let connection = open().map_err(|error| error.at(path))?;
        Self::begin(path, connection)
    }

    fn begin(path: &Path, connection: Connection) -> Result<Self, StoreError> {
        connection
            .execute_batch("BEGIN IMMEDIATE")
            .map_err(|error| OpenError::Sqlite(error).at(path))?;
        Ok(Self(connection))
    }

    /// Applies a change.
    pub(in crate::store) fn apply(&self, write: &Write) -> Result<(), StoreError> {
        super::writer::apply_write(&self.0, write).map_err(|error| super::sort_error(&error))
    }

    /// The value of a record.
    pub(in crate::store) fn get(&self, key: &str) -> Option<Vec<u8>> {
        let sql = "SELECT key, value, sum FROM record WHERE key = ?1";
        let mut select = self.0.prepare_cached(sql).ok()?;
        let mut rows = select.query([key]).ok()?;
        match sum::check(rows.next().ok()??).ok()? {
            Row::Good(_, value) => Some(value.to_vec()),
            Row::Damaged(_) => None,
        }
    }

    /// All is on disk when this has returned.
    pub(in crate::store) fn finish(self) -> Result<(), StoreError> {
        self.0
            .execute_batch("COMMIT")
            .and_then(|()| self.0.close().map_err(|(_, error)| error))
            .map_err(|error| super::sort_error(&error))
    }
}
