use std::path::PathBuf;

use futures_util::FutureExt;
use futures_util::future::join_all;
use sqlx::any::install_default_drivers;
use uuid::Uuid;

use super::*;

/// A file with a table of numbers, in a folder of its own.
struct Scratch {
    folder: PathBuf,
    group: Group,
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Scratch {
    async fn new() -> Self {
        install_default_drivers();
        let folder = std::env::temp_dir().join(Uuid::new_v4().to_string());
        std::fs::create_dir(&folder).unwrap();
        let it = Self { group: Group::new(url(&folder, "rwc")), folder };
        // A row of `other` that names no number is noticed at the commit.
        let tables = "CREATE TABLE numbers (number INTEGER PRIMARY KEY); CREATE TABLE other \
            (number INTEGER REFERENCES numbers (number) DEFERRABLE INITIALLY DEFERRED)";
        let mut part = it.group.begin().await.unwrap();
        part.connection().unwrap().execute(tables).await.unwrap();
        part.keep().await.unwrap();
        it
    }

    /// Begins a part that writes this.
    async fn part(&self, table: &str, number: i64) -> Part {
        let mut part = self.group.begin().await.unwrap();
        let sql = format!("INSERT INTO {table} VALUES ({number})");
        let write = sqlx::query(sqlx::AssertSqlSafe(sql)).execute(part.connection().unwrap());
        write.await.unwrap();
        part
    }

    /// What another connection sees.
    async fn numbers(&self) -> Vec<i64> {
        let mut other = connection(&url(&self.folder, "rw"), &SQLITE_SETTINGS).await.unwrap();
        let numbers = sqlx::query_scalar("SELECT number FROM numbers ORDER BY number");
        numbers.fetch_all(&mut other).await.unwrap()
    }

    /// How many transactions the write-ahead log has: each ends with a frame that says how long the
    /// database is after it (SQLite's file format, section 4.1).
    fn commits(&self) -> usize {
        let log = std::fs::read(self.folder.join("db-wal")).unwrap();
        let page = u32::from_be_bytes(log[8..12].try_into().unwrap()) as usize;
        log[32..].chunks(24 + page).filter(|frame| frame[4..8] != [0; 4]).count()
    }
}

fn url(folder: &std::path::Path, mode: &str) -> String {
    format!("sqlite://{}?mode={mode}", folder.join("db").display())
}

#[tokio::test]
async fn writes_that_wait_for_each_other_share_a_commit_and_none_ends_before_it() {
    let it = Scratch::new().await;
    let before = it.commits();
    let first = it.part("numbers", 0).await;
    // They wait for the connection.
    let write = async |number| it.part("numbers", number).await.keep().await;
    let mut others = Box::pin(join_all((1..20).map(write)));
    assert!(others.as_mut().now_or_never().is_none());
    assert_eq!(it.numbers().await, [0_i64; 0]);
    let (first, others) = futures_util::future::join(first.keep(), others).await;
    first.unwrap();
    assert!(others.into_iter().all(|kept| kept.is_ok()));
    assert_eq!(it.numbers().await, Vec::from_iter(0..20));
    assert!(it.commits() - before <= 2, "{} commits", it.commits() - before);
    assert!(it.group.is_idle());
}

#[tokio::test]
async fn a_part_that_is_undone_or_given_up_leaves_the_others() {
    let it = Scratch::new().await;
    let first = it.part("numbers", 0).await;
    let undone = async { it.part("numbers", 1).await.undo().await };
    let given_up = async {
        drop(it.part("numbers", 2).await);
        Ok(())
    };
    let kept = async { it.part("numbers", 3).await.keep().await };
    let (first, undone, given_up, kept) =
        futures_util::future::join4(first.keep(), undone, given_up, kept).await;
    for ended in [first, undone, given_up, kept] {
        ended.unwrap();
    }
    assert_eq!(it.numbers().await, [0, 3]);
}

#[tokio::test]
async fn a_part_that_is_given_up_alone_leaves_no_transaction_open() {
    let it = Scratch::new().await;
    drop(it.part("numbers", 1).await);
    while !it.group.is_idle() {
        tokio::task::yield_now().await;
    }
    assert_eq!(it.numbers().await, [0_i64; 0]);
    it.part("numbers", 2).await.keep().await.unwrap();
    assert_eq!(it.numbers().await, [2]);
}

#[tokio::test]
async fn a_statement_that_fails_is_undone_alone() {
    let it = Scratch::new().await;
    it.part("numbers", 1).await.keep().await.unwrap();
    let first = it.part("numbers", 2).await;
    let failing = async {
        let mut part = it.group.begin().await?;
        let again = part.connection()?.execute("INSERT INTO numbers VALUES (3), (1)").await;
        assert!(again.is_err());
        part.undo().await
    };
    let (first, failing) = futures_util::future::join(first.keep(), failing).await;
    first.unwrap();
    failing.unwrap();
    assert_eq!(it.numbers().await, [1, 2]);
}

#[tokio::test]
async fn where_the_commit_fails_every_part_fails_and_the_next_ones_do_not() {
    let it = Scratch::new().await;
    let first = it.part("numbers", 1).await;
    let bad = async { it.part("other", 7).await.keep().await };
    let (first, bad) = futures_util::future::join(first.keep(), bad).await;
    assert!(first.is_err() && bad.is_err());
    assert_eq!(it.numbers().await, [0_i64; 0]);
    it.part("numbers", 2).await.keep().await.unwrap();
    assert_eq!(it.numbers().await, [2]);
}

#[tokio::test]
async fn where_the_transaction_is_lost_every_part_fails_and_none_is_committed_later() {
    let it = Scratch::new().await;
    let first = it.part("numbers", 1).await;
    let losing = async {
        let mut part = it.part("numbers", 2).await;
        // As SQLite does by itself where the disk is full.
        part.connection()?.execute("ROLLBACK").await?;
        part.keep().await
    };
    let later = async { it.part("numbers", 3).await.keep().await };
    let (first, losing, later) = futures_util::future::join3(first.keep(), losing, later).await;
    assert!(first.is_err() && losing.is_err());
    later.unwrap();
    assert_eq!(it.numbers().await, [3]);
}

#[tokio::test]
async fn a_caller_that_gives_up_waiting_for_its_commit_keeps_nobody_from_theirs() {
    let it = Scratch::new().await;
    let first = it.part("numbers", 1).await;
    let mut second = Box::pin(async { it.part("numbers", 2).await.keep().await });
    assert!(second.as_mut().now_or_never().is_none());
    assert!(Box::pin(first.keep()).now_or_never().is_none(), "given up");
    second.await.unwrap();
    assert_eq!(it.numbers().await, [1, 2]);
}

#[tokio::test]
async fn what_is_open_is_committed_when_it_is_closed_and_nothing_is_written_afterwards() {
    let it = Scratch::new().await;
    let first = it.part("numbers", 1).await;
    let kept = tokio::spawn(first.keep());
    it.group.close().await;
    kept.await.unwrap().unwrap();
    assert_eq!(it.numbers().await, [1]);
    assert!(it.group.begin().await.is_err());
}

#[tokio::test]
async fn a_write_by_itself_is_one_commit() {
    let it = Scratch::new().await;
    let before = it.commits();
    it.part("numbers", 1).await.keep().await.unwrap();
    it.part("numbers", 2).await.undo().await.unwrap();
    assert_eq!(it.commits() - before, 1);
}

#[tokio::test]
async fn a_transaction_has_a_bounded_number_of_parts() {
    let it = Scratch::new().await;
    let before = it.commits();
    let many = i64::try_from(MOST_PARTS).unwrap() * 3;
    let kept =
        join_all((0..many).map(async |number| it.part("numbers", number).await.keep().await));
    assert!(kept.await.into_iter().all(|kept| kept.is_ok()));
    let commits = it.commits() - before;
    assert!((3..=4).contains(&commits), "{commits} commits");
}

#[tokio::test]
async fn a_part_that_is_given_up_amid_its_statement_is_undone() {
    let it = Scratch::new().await;
    let first = it.part("numbers", 0).await;
    let given_up = async {
        let mut part = it.group.begin().await.unwrap();
        let many = "WITH RECURSIVE to_come (number) AS (VALUES (10) UNION ALL \
            SELECT number + 1 FROM to_come WHERE number < 50000) \
            INSERT INTO numbers SELECT number FROM to_come RETURNING number";
        assert!(part.connection().unwrap().fetch_all(many).now_or_never().is_none());
    };
    let kept = async { it.part("numbers", 1).await.keep().await };
    let (first, (), kept) = futures_util::future::join3(first.keep(), given_up, kept).await;
    first.unwrap();
    kept.unwrap();
    assert_eq!(it.numbers().await, [0, 1]);
}

#[tokio::test]
async fn a_part_that_ended_neither_way_is_not_committed_with_the_next_one() {
    let it = Scratch::new().await;
    let part = it.part("numbers", 1).await;
    // There is no runtime to undo it on.
    std::thread::spawn(move || drop(part)).join().unwrap();
    it.part("numbers", 2).await.keep().await.unwrap();
    assert_eq!(it.numbers().await, [2]);
}

#[tokio::test]
async fn of_a_batch_with_a_part_that_ended_neither_way_nothing_is_committed() {
    let it = Scratch::new().await;
    let first = it.part("numbers", 1).await;
    let bad = async {
        let part = it.part("numbers", 2).await;
        std::thread::spawn(move || drop(part)).join().unwrap();
    };
    let (first, ()) = futures_util::future::join(first.keep(), bad).await;
    assert!(first.is_err());
    assert_eq!(it.numbers().await, [0_i64; 0]);
}

#[tokio::test]
async fn where_the_disk_is_full_nothing_of_the_batch_is_committed_and_the_next_one_is() {
    let it = Scratch::new().await;
    let first = it.part("numbers", 1).await;
    let full = async {
        let mut part = it.part("numbers", 2).await;
        let connection = part.connection().unwrap();
        connection.execute("PRAGMA max_page_count = 4").await.unwrap();
        let many = "WITH RECURSIVE to_come (number) AS (VALUES (10) UNION ALL \
            SELECT number + 1 FROM to_come WHERE number < 50000) \
            INSERT INTO numbers SELECT number FROM to_come";
        assert!(connection.execute(many).await.is_err());
        part.undo().await
    };
    let (first, full) = futures_util::future::join(first.keep(), full).await;
    // SQLite may undo the statement alone or all.
    assert_eq!(first.is_ok(), full.is_ok());
    let expected: &[i64] = if first.is_ok() { &[1] } else { &[] };
    assert_eq!(it.numbers().await, expected);
    it.part("numbers", 20).await.keep().await.unwrap();
    assert_eq!(it.numbers().await.last(), Some(&20));
}

#[tokio::test]
async fn a_close_that_is_given_up_leaves_nobody_waiting() {
    let it = Scratch::new().await;
    let first = it.part("numbers", 1).await;
    let mut waits = Box::pin(it.group.begin());
    assert!(waits.as_mut().now_or_never().is_none());
    let mut close = Box::pin(it.group.close());
    assert!(close.as_mut().now_or_never().is_none());
    let kept = tokio::spawn(first.keep());
    drop(waits);
    for _ in 0..20 {
        tokio::task::yield_now().await;
        let _ = close.as_mut().now_or_never();
    }
    drop(close);
    let ended = kept.await.unwrap();
    // What fails may be committed all the same; what succeeds is.
    assert!(ended.is_err() || it.numbers().await == [1]);
    it.group.close().await;
    assert!(it.group.begin().await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_process_gets_its_turn_beside_a_crowd_that_writes_without_a_pause() {
    let it = Arc::new(Scratch::new().await);
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let numbers = Arc::new(std::sync::atomic::AtomicI64::new(1000));
    let crowd: Vec<_> = (0..64)
        .map(|_| {
            let (it, stop, numbers) = (Arc::clone(&it), Arc::clone(&stop), Arc::clone(&numbers));
            tokio::spawn(async move {
                while !stop.load(Ordering::SeqCst) {
                    let number = numbers.fetch_add(1, Ordering::SeqCst);
                    it.part("numbers", number).await.keep().await.unwrap();
                }
            })
        })
        .collect();
    let other = Group::new(url(&it.folder, "rw"));
    for number in 1..10 {
        let mut part = other.begin().await.expect("a turn");
        let sql = format!("INSERT INTO numbers VALUES ({number})");
        let insert = sqlx::query(sqlx::AssertSqlSafe(sql)).execute(part.connection().unwrap());
        insert.await.unwrap();
        part.keep().await.unwrap();
    }
    stop.store(true, Ordering::SeqCst);
    for task in crowd {
        task.await.unwrap();
    }
    assert_eq!(it.numbers().await[..9], Vec::from_iter(1..10));
}
