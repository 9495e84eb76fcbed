use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;

use super::*;

/// Two files that belong together, and what was made of them.
struct Pair {
    folder: PathBuf,
    applied: Arc<Mutex<Vec<String>>>,
    /// What they must not hold.
    unwanted: Arc<Mutex<&'static str>>,
    all: Watches,
    counts: Counts,
}

impl Drop for Pair {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Pair {
    fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("sunmi-trade-{}", uuid::Uuid::new_v4()));
        fs::create_dir(&folder).unwrap();
        let files = ["one", "two"].map(|name| folder.join(name));
        fs::write(&files[0], "a").unwrap();
        fs::write(&files[1], "b").unwrap();
        let (_, origin) = read(files.into()).unwrap();
        let applied = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&applied);
        let unwanted = Arc::new(Mutex::new("bad"));
        let refused = Arc::clone(&unwanted);
        let watched = Watched::new(Kind::Certificate, origin, move |contents| {
            let text = String::from_utf8(contents.join(&b'+'))?;
            let unwanted = *refused.lock().unwrap();
            if text.contains(unwanted) {
                return Err(format!("must not hold {unwanted}").into());
            }
            noted.lock().unwrap().push(text);
            Ok(())
        });
        Self {
            folder,
            applied,
            unwanted,
            all: Watches { fixed: vec![watched], ..Watches::default() },
            counts: Counts::default(),
        }
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) -> &Self {
        fs::write(self.folder.join(name), text).unwrap();
        self
    }

    fn remove(&self, name: &str) -> &Self {
        fs::remove_file(self.folder.join(name)).unwrap();
        self
    }

    /// Looks so often, and says what was applied, and what is counted as loaded, failed and
    /// stale.
    fn looks(&mut self, times: usize) -> (Vec<String>, (u64, u64, bool)) {
        (0..times).for_each(|_| self.all.look(&self.counts));
        let (counts, kind) = (&self.counts, Kind::Certificate);
        let counted = (counts.loaded(kind), counts.failed(kind), counts.stale(kind));
        (std::mem::take(&mut self.applied.lock().unwrap()), counted)
    }
}

#[test]
fn files_are_applied_together_once_two_looks_saw_them_the_same() {
    let mut pair = Pair::new();
    assert_eq!(pair.looks(3), (vec![], (0, 0, false)));
    pair.write("one", "c");
    assert_eq!(pair.looks(1), (vec![], (0, 0, false)));
    pair.write("two", "d");
    assert_eq!(pair.looks(1), (vec![], (0, 0, false)));
    assert_eq!(pair.looks(3), (vec!["c+d".to_owned()], (1, 0, false)));
    pair.write("one", "a").write("two", "b");
    assert_eq!(pair.looks(2), (vec!["a+b".to_owned()], (2, 0, false)));
    // The same bytes, and other files.
    pair.write("one", "ab").write("two", "");
    assert_eq!(pair.looks(2), (vec!["ab+".to_owned()], (3, 0, false)));
}

#[test]
fn what_cannot_be_used_is_tried_once_until_it_changes() {
    let mut pair = Pair::new();
    pair.write("two", "bad");
    assert_eq!(pair.looks(5), (vec![], (0, 1, true)));
    pair.write("two", "worse and bad");
    assert_eq!(pair.looks(5), (vec![], (0, 2, true)));
    pair.write("two", "fine");
    assert_eq!(pair.looks(2), (vec!["a+fine".to_owned()], (1, 2, false)));
    // What was in force all the time is nothing new.
    pair.write("two", "bad");
    assert_eq!(pair.looks(5), (vec![], (1, 3, true)));
    pair.write("two", "fine");
    assert_eq!(pair.looks(5), (vec![], (1, 3, false)));
}

#[test]
fn what_was_refused_is_in_force_once_the_reason_has_passed() {
    let mut pair = Pair::new();
    pair.write("one", "bad");
    assert_eq!(pair.looks(5), (vec![], (0, 1, true)));
    *pair.unwanted.lock().unwrap() = "ba";
    assert_eq!(pair.looks(5), (vec![], (0, 2, true)), "told again for another reason alone");
    *pair.unwanted.lock().unwrap() = "worse";
    assert_eq!(pair.looks(5), (vec!["bad+b".to_owned()], (1, 2, false)));
}

#[test]
fn what_cannot_be_read_leaves_what_is_in_force() {
    let mut pair = Pair::new();
    pair.remove("two");
    assert_eq!(pair.looks(5), (vec![], (0, 1, true)));
    fs::create_dir(pair.folder.join("two")).unwrap();
    assert_eq!(pair.looks(5), (vec![], (0, 2, true)));
    fs::remove_dir(pair.folder.join("two")).unwrap();
    pair.write("two", vec![b'x'; (1 << 20) + 1]);
    assert_eq!(pair.looks(5), (vec![], (0, 3, true)));
    pair.write("two", "b");
    assert_eq!(pair.looks(5), (vec![], (0, 3, false)));
    pair.write("two", vec![b'x'; 1 << 20]);
    assert_eq!(pair.looks(2).1, (1, 3, false));
}

#[test]
fn what_is_no_file_is_not_waited_for_and_nothing_of_a_file_is_printed() {
    let pair = Pair::new();
    let unreadable = read(vec!["/dev/null".into()]).unwrap_err();
    assert_eq!(unreadable.to_string(), "/dev/null: not a regular file");
    pair.write("one", "hunter2");
    let (_, origin) = read(vec![pair.folder.join("one")]).unwrap();
    let shown = format!("{origin:?} {:?}", pair.all);
    assert!(shown.contains("Fingerprint([redacted])"), "{shown}");
    assert!(!shown.contains("hunter2"), "{shown}");
}
