//! The records of refunds, one file each. A record is on the disk before its refund is sent, and is
//! read after a restart: without it nobody would know which number to repeat.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::json::{self, Defaults};
use crate::v1::RefundRequest;

/// What is known of a refund.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Outcome {
    /// It may have moved money, or may yet: to be asked for again, with the same number.
    Pending,
    /// The money was refunded.
    Done,
    /// No money moved under this number. Another try is another refund, with a new number.
    Declined,
}

/// A refund that is wanted, and what became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// What became of it.
    pub outcome: Outcome,
    /// Its number and content, as it is sent each time.
    pub request: RefundRequest,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    outcome: Outcome,
    request: Value,
}

/// A folder of records.
#[derive(Clone, Debug)]
pub struct Store(PathBuf);

impl Store {
    /// Uses this folder, and makes it where it is not there, durably, too.
    pub fn open(folder: &Path) -> io::Result<Self> {
        let folder = std::path::absolute(folder)?;
        let missing: Vec<&Path> = folder.ancestors().take_while(|it| !it.exists()).collect();
        fs::create_dir_all(&folder)?;
        for parent in missing.iter().filter_map(|it| it.parent()) {
            File::open(parent)?.sync_all()?;
        }
        Ok(Self(folder))
    }

    /// Keeps other processes off a record for as long as the file is open; None where one works on
    /// it. Of two, one could note that no money moved while the other sends it again.
    pub fn lock(&self, number: &str) -> io::Result<Option<File>> {
        let file = File::create(self.path(number).with_extension("lock"))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// The record of a number, if there is one.
    pub fn read(&self, number: &str) -> io::Result<Option<Record>> {
        match read(&self.path(number)) {
            Ok(record) => Ok(Some(record)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Every record, or why it cannot be read, in the order of their names.
    pub fn all(&self) -> io::Result<Vec<io::Result<Record>>> {
        let entries = fs::read_dir(&self.0)?.map(|entry| Ok(entry?.path()));
        let mut paths: Vec<PathBuf> = entries.collect::<io::Result<_>>()?;
        // One that is being written has another ending.
        paths.retain(|path| path.extension().is_some_and(|ending| ending == "json"));
        paths.sort();
        Ok(paths.iter().map(|path| read(path)).collect())
    }

    /// Writes a record: once this returns it survives a crash of the machine, and before that the
    /// one before is whole.
    pub fn write(&self, record: &Record) -> io::Result<()> {
        let request = json::write(&record.request, Defaults::Left).map_err(io::Error::other)?;
        let written = serde_json::to_vec(&Written { outcome: record.outcome, request })?;
        let path = self.path(&record.request.order_id);
        let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
        let mut file = File::create(&temporary)?;
        file.write_all(&written)?;
        file.sync_all()?;
        fs::rename(&temporary, &path)?;
        File::open(&self.0)?.sync_all()
    }

    fn path(&self, number: &str) -> PathBuf {
        self.0.join(escaped(number) + ".json")
    }
}

fn read(path: &Path) -> io::Result<Record> {
    let named = |why: String| io::Error::other(format!("{}: {why}", path.display()));
    let written: Written =
        serde_json::from_slice(&fs::read(path)?).map_err(|error| named(error.to_string()))?;
    let request: RefundRequest =
        json::read(&written.request).map_err(|error| named(error.to_string()))?;
    // A copy, say: the refund may have another record, which says something else.
    if path.file_name() != Some((escaped(&request.order_id) + ".json").as_ref()) {
        return Err(named(format!("its name is not that of {}", request.order_id)));
    }
    Ok(Record { outcome: written.outcome, request })
}

/// A number as the name of a file, or of a call: percent-encoded, see RFC 3986.
pub fn escaped(number: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    let escape = |byte| if plain(byte) { char::from(byte).into() } else { format!("%{byte:02X}") };
    number.bytes().map(escape).collect()
}

/// Whether two requests are the same refund to the server: the rest is no part of what a number
/// stands for.
pub fn is_same_refund(one: &RefundRequest, other: &RefundRequest) -> bool {
    let content = |it: &RefundRequest| RefundRequest {
        acknowledged_open_order_ids: Vec::new(),
        operator: String::new(),
        reason: String::new(),
        ..it.clone()
    };
    content(one) == content(other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v1::refund_request::Original;

    fn record(number: &str) -> Record {
        let request = RefundRequest {
            msn: "TL05D91940002".into(),
            amount_minor: 100,
            original: Some(Original::OriOrderId("DEMO-1".into())),
            order_id: number.into(),
            business_id: "B-1".into(),
            ..RefundRequest::default()
        };
        Record { outcome: Outcome::Pending, request }
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let record = record("R/1.é");
        store.write(&record).unwrap();
        assert_eq!(store.read("R/1.é").unwrap(), Some(record));
        let names: Vec<_> =
            fs::read_dir(&folder).unwrap().map(|it| it.unwrap().file_name()).collect();
        assert_eq!(names, ["R%2F1%2E%C3%A9.json"]);
        assert_eq!(
            fs::read_to_string(folder.path().join(&names[0])).unwrap(),
            r#"{"outcome":"PENDING","request":{"amountMinor":"100","businessId":"B-1","msn":"TL05D91940002","orderId":"R/1.é","oriOrderId":"DEMO-1"}}"#
        );
    }

    #[test]
    fn a_record_that_was_cut_short_while_it_was_written_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        fs::write(folder.path().join("R-1.77.tmp"), "{").unwrap();
        assert_eq!(store.read("R-1").unwrap(), None);
        assert!(store.all().unwrap().is_empty());
    }

    #[test]
    fn a_record_that_cannot_be_read_is_not_taken_for_none() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        fs::write(folder.path().join("R-1.json"), "{}").unwrap();
        assert!(store.read("R-1").is_err());
        assert!(store.all().unwrap()[0].is_err());
    }

    #[test]
    fn another_amount_is_another_refund_and_other_open_numbers_are_not() {
        let one = record("R-1").request;
        let named =
            RefundRequest { acknowledged_open_order_ids: vec!["R-9".into()], ..one.clone() };
        let other = RefundRequest { amount_minor: 101, ..one.clone() };
        assert!(is_same_refund(&one, &named));
        assert!(!is_same_refund(&one, &other));
    }
}
