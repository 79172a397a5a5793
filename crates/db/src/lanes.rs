use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use tokio::sync::{oneshot, watch};

use crate::conn::{Conn, DbTarget, Tx};
use crate::queue::Queue;
use crate::{DbError, DbResult, migrate};

/// The most jobs that share one SQLite transaction, and so one flush to the disk.
const GROUP_JOBS: usize = 64;

/// How a [`Db`] is opened.
#[derive(Debug, Clone)]
pub struct DbSettings {
    /// The database.
    pub target: DbTarget,
    /// Connections that read. PostgreSQL gets as many again that write, SQLite exactly one.
    pub readers: usize,
    /// The most jobs that may wait to read, and the most that may wait to write.
    pub queue: usize,
}

/// How a job ended, as far as its lane must know.
enum Ran {
    Done,
    Refused,
    Panicked,
}

/// A closure of somebody who waits, and the answer once there is one.
trait Job: Send {
    fn run(&mut self, conn: &mut Conn) -> Ran;
    /// Whether anybody still waits.
    fn is_awaited(&self) -> bool;
    /// Turns success, or not having run, into a failure. A failure of its own stays.
    fn spoil(&mut self, error: DbError);
    fn answer(self: Box<Self>);
}

struct Work<F, T, E> {
    work: F,
    outcome: Option<Result<T, E>>,
    reply: oneshot::Sender<Result<T, E>>,
}

impl<F, T, E> Job for Work<F, T, E>
where
    F: FnMut(&mut Conn) -> Result<T, E> + Send,
    T: Send,
    E: From<DbError> + Send,
{
    fn run(&mut self, conn: &mut Conn) -> Ran {
        // a connection that saw a panic is thrown away, so nothing half-done is looked at again
        match catch_unwind(AssertUnwindSafe(|| (self.work)(conn))) {
            Ok(outcome) => {
                let ran = if outcome.is_ok() {
                    Ran::Done
                } else {
                    Ran::Refused
                };
                self.outcome = Some(outcome);
                ran
            }
            Err(_panic) => {
                tracing::error!("work on the database panicked");
                self.outcome = Some(Err(DbError::Lost.into()));
                Ran::Panicked
            }
        }
    }

    fn is_awaited(&self) -> bool {
        !self.reply.is_closed()
    }

    fn spoil(&mut self, error: DbError) {
        if !matches!(self.outcome, Some(Err(_))) {
            self.outcome = Some(Err(error.into()));
        }
    }

    fn answer(self: Box<Self>) {
        let outcome = self.outcome.unwrap_or_else(|| Err(DbError::Lost.into()));
        // whoever asked may have gone
        drop(self.reply.send(outcome));
    }
}

/// When a transaction survives a loss of power.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Durability {
    Synced,
    /// With the next one that is synced.
    Later,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Inside a transaction of the lane.
    Transaction(Durability),
    /// On the bare connection: migrations and checkpoints.
    Bare,
}

struct Task {
    job: Box<dyn Job>,
    mode: Mode,
    queued_at: Instant,
}

struct Lanes {
    reads: Arc<Queue<Task>>,
    writes: Arc<Queue<Task>>,
    /// Closed once every lane's thread has ended.
    running: watch::Receiver<()>,
    is_shared: bool,
}

impl Drop for Lanes {
    fn drop(&mut self) {
        self.reads.close();
        self.writes.close();
    }
}

/// The database: reading and writing lanes, each a thread with a connection of its own.
///
/// Clones share the lanes. When the last is dropped the lanes finish what waits and end.
#[derive(Clone)]
pub struct Db(Arc<Lanes>);

impl fmt::Debug for Db {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Db")
    }
}

impl Db {
    /// Starts the lanes. They connect with their first job, so an unreachable server shows in
    /// the first answers.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] when a thread cannot be started.
    pub fn open(settings: DbSettings) -> DbResult<Self> {
        let DbSettings {
            target,
            readers,
            queue,
        } = settings;
        let readers = readers.max(1);
        let reads = Arc::new(Queue::new(queue));
        let writes = Arc::new(Queue::new(queue));
        let (alive, running) = watch::channel(());
        let alive = Arc::new(alive);
        let start = |name: String, lane: Lane| -> DbResult<()> {
            let alive = Arc::clone(&alive);
            thread::Builder::new()
                .name(name)
                .spawn(move || {
                    lane.run();
                    drop(alive);
                })
                .map(drop)
                .map_err(|error| DbError::Unavailable(Box::new(error)))
        };
        let lane = |kind| Lane {
            kind,
            queue: Arc::clone(if kind == LaneKind::Read {
                &reads
            } else {
                &writes
            }),
            target: target.clone(),
            slot: None,
            syncs: Durability::Synced,
        };
        // made first: dropping it ends whatever was started when a later lane cannot be
        let db = Self(Arc::new(Lanes {
            reads: Arc::clone(&reads),
            writes: Arc::clone(&writes),
            running,
            is_shared: matches!(target, DbTarget::Postgres(_)),
        }));
        for index in 0..readers {
            start(format!("db-read-{index}"), lane(LaneKind::Read))?;
        }
        match target {
            DbTarget::Sqlite(_) => start("db-write".to_owned(), lane(LaneKind::GroupWrite))?,
            DbTarget::Postgres(_) => {
                for index in 0..readers {
                    start(format!("db-write-{index}"), lane(LaneKind::Write))?;
                }
            }
        }
        Ok(db)
    }

    /// Brings the schema up to date. Several processes may do so at once.
    ///
    /// # Errors
    /// [`DbError::Migration`], or the failure to connect.
    pub async fn migrate(&self) -> DbResult<()> {
        self.write_bare(migrate::run).await
    }

    /// Moves SQLite's log into the database file and cuts it to nothing; does nothing on
    /// PostgreSQL. A reader in the way makes it do less, not fail.
    ///
    /// # Errors
    /// The failure of the engine.
    pub async fn checkpoint(&self) -> DbResult<()> {
        self.write_bare(|conn| {
            if conn.is_sqlite() {
                // the writer waits meanwhile, so it does not wait long for readers
                conn.batch(
                    "pragma busy_timeout = 200; pragma wal_checkpoint(truncate); \
                     pragma busy_timeout = 5000;",
                )?;
            }
            Ok(())
        })
        .await
    }

    /// Whether other processes may write to the same database.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.0.is_shared
    }

    /// Runs `work` on a reading connection. Each statement sees what was committed before it;
    /// [`Conn::snapshot`] makes several see one state. A lost connection is reopened and `work`
    /// run once more, which is why it is `FnMut`.
    ///
    /// # Errors
    /// What `work` answers; [`DbError::Busy`] when the queue is full; [`DbError::Lost`] when
    /// `work` panics.
    pub async fn read<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: FnMut(&mut Conn) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
    {
        submit(&self.0.reads, "read", Mode::Bare, work).await
    }

    /// Runs `work` in a transaction that is durable when this answers `Ok`, and leaves nothing
    /// behind when it answers `Err`. It runs to its end even if the caller goes away.
    ///
    /// On SQLite the jobs that wait share one transaction, each in a savepoint of its own.
    ///
    /// # Errors
    /// What `work` answers; [`DbError::Busy`] when the queue is full; [`DbError::Lost`] when
    /// `work` panics; [`DbError::Commit`] when the commit fails.
    pub async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
    {
        self.transaction(Durability::Synced, work).await
    }

    /// As [`Db::write`], for what may be forgotten: everybody sees it when this answers, and it
    /// outlives the process, but a loss of power undoes it unless something was written since.
    ///
    /// # Errors
    /// As [`Db::write`].
    pub async fn write_soon<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
    {
        self.transaction(Durability::Later, work).await
    }

    async fn transaction<T, E, F>(&self, durability: Durability, work: F) -> Result<T, E>
    where
        F: FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
    {
        let mut work = Some(work);
        let once = move |conn: &mut Conn| match work.take() {
            Some(work) => work(&mut Tx::new(conn)),
            None => Err(DbError::Lost.into()),
        };
        submit(&self.0.writes, "write", Mode::Transaction(durability), once).await
    }

    /// Lets the lanes finish what waits and waits for their end, so that no connection is open
    /// any more. Later work of other clones is refused as [`DbError::Busy`].
    pub async fn close(self) {
        self.0.reads.close();
        self.0.writes.close();
        let mut running = self.0.running.clone();
        // nothing is ever sent: this ends when the last lane drops its half
        while running.changed().await.is_ok() {}
    }

    async fn write_bare<T: Send + 'static>(
        &self,
        work: impl FnMut(&mut Conn) -> DbResult<T> + Send + 'static,
    ) -> DbResult<T> {
        submit(&self.0.writes, "write", Mode::Bare, work).await
    }
}

async fn submit<T, E, F>(
    queue: &Queue<Task>,
    lane: &'static str,
    mode: Mode,
    work: F,
) -> Result<T, E>
where
    F: FnMut(&mut Conn) -> Result<T, E> + Send + 'static,
    T: Send + 'static,
    E: From<DbError> + Send + 'static,
{
    let (reply, answer) = oneshot::channel();
    let task = Task {
        job: Box::new(Work {
            work,
            outcome: None,
            reply,
        }),
        mode,
        queued_at: Instant::now(),
    };
    let waiting = queue.push(task).ok_or(DbError::Busy)?;
    count_depth(lane, waiting);
    answer
        .await
        .unwrap_or_else(|_gone| Err(DbError::Lost.into()))
}

fn count_depth(lane: &'static str, waiting: usize) {
    let depth = u32::try_from(waiting).unwrap_or(u32::MAX);
    metrics::gauge!("packhouse_db_queue_depth", "lane" => lane).set(f64::from(depth));
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum LaneKind {
    Read,
    /// One transaction per job.
    Write,
    /// One transaction for all that wait.
    GroupWrite,
}

/// Jobs of one SQLite transaction.
#[derive(Default)]
struct Group {
    jobs: Vec<Box<dyn Job>>,
    /// One of them must be durable, so all are.
    is_synced: bool,
}

struct Lane {
    kind: LaneKind,
    queue: Arc<Queue<Task>>,
    target: DbTarget,
    slot: Option<Conn>,
    /// What the connection on SQLite is set to.
    syncs: Durability,
}

impl Lane {
    fn run(mut self) {
        let (label, limit) = match self.kind {
            LaneKind::Read => ("read", 1),
            LaneKind::Write => ("write", 1),
            LaneKind::GroupWrite => ("write", GROUP_JOBS),
        };
        while let Some((tasks, left)) = self.queue.take(limit) {
            count_depth(label, left);
            for task in &tasks {
                metrics::histogram!("packhouse_db_wait_seconds", "lane" => label)
                    .record(task.queued_at.elapsed());
            }
            let mut group = Group::default();
            for Task { mut job, mode, .. } in tasks {
                match (self.kind, mode) {
                    (LaneKind::GroupWrite, Mode::Transaction(durability)) => {
                        group.is_synced |= durability == Durability::Synced;
                        group.jobs.push(job);
                    }
                    (LaneKind::Write | LaneKind::Read, Mode::Transaction(durability)) => {
                        self.transaction(&mut *job, durability);
                        job.answer();
                    }
                    (_, Mode::Bare) => {
                        self.groups(std::mem::take(&mut group));
                        self.bare(&mut *job);
                        job.answer();
                    }
                }
            }
            self.groups(group);
        }
    }

    /// The open connection; opened now if the last one was lost.
    fn conn(&mut self) -> DbResult<&mut Conn> {
        match self.slot {
            Some(ref mut conn) => Ok(conn),
            None => {
                self.syncs = Durability::Synced;
                Ok(self.slot.insert(Conn::open(&self.target)?))
            }
        }
    }

    fn bare(&mut self, job: &mut dyn Job) {
        if !job.is_awaited() {
            return;
        }
        for _attempt in 0..2 {
            let conn = match self.conn() {
                Ok(conn) => conn,
                Err(error) => return job.spoil(error),
            };
            match job.run(conn) {
                Ran::Done => return,
                Ran::Refused if conn.answers() => return,
                Ran::Refused => self.slot = None,
                Ran::Panicked => {
                    self.slot = None;
                    return;
                }
            }
        }
    }

    /// A connection on which `begin` went through. One that was lost while idle shows here, and
    /// trying once more is safe, for nothing was done yet.
    fn begun(&mut self, begin: &str) -> DbResult<&mut Conn> {
        if self
            .slot
            .as_mut()
            .is_some_and(|conn| conn.batch(begin).is_err())
        {
            self.slot = None;
        } else if let Some(ref mut conn) = self.slot {
            return Ok(conn);
        }
        self.conn()?.batch(begin)?;
        self.conn()
    }

    fn transaction(&mut self, job: &mut dyn Job, durability: Durability) {
        let begin = match durability {
            Durability::Synced => "begin",
            Durability::Later => "begin; set local synchronous_commit = off",
        };
        let conn = match self.begun(begin) {
            Ok(conn) => conn,
            Err(error) => return job.spoil(error),
        };
        let is_open = match job.run(conn) {
            // COMMIT of a transaction in which a statement failed rolls back and reports success;
            // any statement before it does fail then
            Ran::Done => match conn.batch("select 1; commit") {
                Ok(()) => true,
                Err(error) => {
                    job.spoil(DbError::Commit(Arc::new(error)));
                    conn.batch("rollback").is_ok()
                }
            },
            Ran::Refused => conn.batch("rollback").is_ok(),
            Ran::Panicked => false,
        };
        if !is_open {
            self.slot = None;
        }
    }

    fn groups(&mut self, group: Group) {
        let durability = match group.is_synced {
            true => Durability::Synced,
            false => Durability::Later,
        };
        let mut jobs = group.jobs.into_iter();
        while jobs.len() > 0 {
            self.group(&mut jobs, durability);
        }
    }

    /// Makes SQLite's commits sync from now on, or leave that to the next one that does.
    fn set_syncs(&mut self, durability: Durability) -> DbResult<()> {
        let conn = self.conn()?;
        conn.batch(match durability {
            Durability::Synced => "pragma synchronous = full",
            Durability::Later => "pragma synchronous = normal",
        })?;
        self.syncs = durability;
        Ok(())
    }

    /// A group's transaction, begun.
    fn begun_group(&mut self, durability: Durability) -> DbResult<&mut Conn> {
        if self.syncs != durability {
            self.set_syncs(durability)?;
        }
        self.begun("begin immediate")
    }

    /// Takes jobs into one transaction, commits it, and only then answers them. If the
    /// transaction breaks on the way, those that were in it are told and the rest stay untaken.
    fn group(&mut self, jobs: &mut std::vec::IntoIter<Box<dyn Job>>, durability: Durability) {
        let conn = match self.begun_group(durability) {
            Ok(conn) => conn,
            Err(error) => {
                // none has run, and trying for each would make the last wait many times over
                for mut job in jobs.by_ref() {
                    job.spoil(match error {
                        DbError::Contended => DbError::Contended,
                        ref other => DbError::Unavailable(other.to_string().into()),
                    });
                    job.answer();
                }
                return;
            }
        };
        let mut ran = Vec::with_capacity(jobs.len());
        let mut is_sound = true;
        let mut broken = None;
        for mut job in jobs.by_ref() {
            let mut step = conn.batch("savepoint job");
            if step.is_ok() {
                step = match job.run(conn) {
                    Ran::Done => conn.batch("release job"),
                    Ran::Refused => conn.batch("rollback to job; release job"),
                    Ran::Panicked => {
                        is_sound = false;
                        conn.batch("rollback to job; release job")
                    }
                };
            }
            ran.push(job);
            if let Err(error) = step {
                broken = Some(error);
                break;
            }
        }
        let end = match broken {
            Some(error) => Err(error),
            None => conn.batch("commit"),
        };
        match end {
            Ok(()) => {
                let jobs = u32::try_from(ran.len()).unwrap_or(u32::MAX);
                metrics::histogram!("packhouse_db_commit_jobs").record(f64::from(jobs));
            }
            Err(error) => {
                let error = Arc::new(error);
                for job in &mut ran {
                    job.spoil(DbError::Commit(Arc::clone(&error)));
                }
                is_sound = false;
            }
        }
        if !is_sound {
            // closing the connection rolls back whatever is still open on it
            self.slot = None;
        }
        for job in ran {
            job.answer();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use diesel::prelude::*;
    use diesel::sql_types::Integer;

    use super::*;
    use crate::conn::Link;

    const NORMAL: i32 = 1;
    const FULL: i32 = 2;

    #[derive(QueryableByName)]
    struct Setting {
        #[diesel(sql_type = Integer)]
        synchronous: i32,
    }

    fn synchronous(tx: &mut Tx<'_>) -> DbResult<i32> {
        let Link::Sqlite(link) = &mut tx.link else {
            panic!("it was opened as SQLite");
        };
        let setting: Setting = diesel::sql_query("pragma synchronous").get_result(link)?;
        Ok(setting.synchronous)
    }

    #[tokio::test]
    async fn a_group_is_synced_unless_none_of_its_jobs_needs_it() {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(DbSettings {
            target: DbTarget::Sqlite(folder.path().join("house.db")),
            readers: 1,
            queue: 8,
        })
        .unwrap();
        assert_eq!(db.write(synchronous).await.unwrap(), FULL);
        assert_eq!(db.write_soon(synchronous).await.unwrap(), NORMAL);
        assert_eq!(db.write(synchronous).await.unwrap(), FULL);

        // the first job holds the writer until the others wait, so that they share a group
        let (release, held) = mpsc::channel::<()>();
        let (_first, soon, synced, ()) = tokio::join!(
            db.write_soon(move |tx| {
                held.recv().unwrap();
                synchronous(tx)
            }),
            db.write_soon(synchronous),
            db.write(synchronous),
            async move { release.send(()).unwrap() },
        );
        assert_eq!((soon.unwrap(), synced.unwrap()), (FULL, FULL));
    }
}
