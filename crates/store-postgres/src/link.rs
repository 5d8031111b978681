//! A connection that is made again when it is lost.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cloudstate_store::Error;
use tokio::task::AbortHandle;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row, Statement};

use crate::error::{Failure, failed, unsuitable};
use crate::io::Io;
use crate::options::Options;

/// What all connections of a store share.
pub(crate) struct Shared {
    options: Options,
    name: String,
    io: Io,
}

impl Shared {
    pub(crate) fn start(options: Options) -> Result<Shared, Error> {
        let name = options.name();
        let io = Io::start().map_err(|cause| Error::Failed {
            store: name.clone(),
            attempt: "starting its thread",
            cause: Arc::new(cause),
        })?;
        Ok(Shared { options, name, io })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn options(&self) -> &Options {
        &self.options
    }

    /// Runs work on the thread of the connections.
    pub(crate) fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> impl Future<Output = Result<T, Error>> + Send + 'static {
        self.io.run(work)
    }
}

/// Parameters of a statement.
pub(crate) type Params<'a> = &'a [&'a (dyn ToSql + Sync)];

/// A place for one connection. Statements sent at once are pipelined, and run in the order in which they were sent.
pub(crate) struct Link {
    shared: Arc<Shared>,
    session: tokio::sync::Mutex<Option<Arc<Session>>>,
}

/// An open connection, and what was prepared on it.
pub(crate) struct Session {
    client: Client,
    statements: Mutex<HashMap<String, Statement>>,
    task: AbortHandle,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Link {
    pub(crate) fn new(shared: Arc<Shared>) -> Link {
        Link {
            shared,
            session: tokio::sync::Mutex::new(None),
        }
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Runs one statement as a transaction of its own. Nothing is tried twice.
    ///
    /// An answer is given only after the server is ready for the next statement: the message that a command is complete comes
    /// before the commit of an implicit transaction.
    pub(crate) async fn query(&self, sql: &str, params: Params<'_>) -> Result<Vec<Row>, Failure> {
        let session = self.session().await.map_err(Failure::NotSent)?;
        let limit = self.shared.options.timeout();
        let statement = match tokio::time::timeout(limit, session.prepared(sql)).await {
            Ok(Ok(statement)) => statement,
            Ok(Err(error)) => {
                return Err(Failure::NotSent(failed(
                    self.name(),
                    "preparing a statement",
                    error,
                )));
            }
            Err(_) => {
                self.forget(&session).await;
                return Err(Failure::NotSent(self.late("preparing a statement", limit)));
            }
        };
        match tokio::time::timeout(limit, session.client.query(&statement, params)).await {
            Ok(answer) => answer.map_err(Failure::Sent),
            Err(_) => {
                self.forget(&session).await;
                Err(Failure::Late(limit))
            }
        }
    }

    /// As [`Link::query`], for statements of which it does not matter whether they ran.
    pub(crate) async fn read(
        &self,
        attempt: &'static str,
        sql: &str,
        params: Params<'_>,
    ) -> Result<Vec<Row>, Error> {
        let answer = self.query(sql, params).await;
        answer.map_err(|failure| failure.into_error(self.name(), attempt))
    }

    /// Runs several statements without parameters as one transaction.
    pub(crate) async fn batch(&self, attempt: &'static str, sql: &str) -> Result<(), Error> {
        let session = self.session().await?;
        let limit = self.shared.options.timeout();
        match tokio::time::timeout(limit, session.client.batch_execute(sql)).await {
            Ok(done) => done.map_err(|error| failed(self.name(), attempt, error)),
            Err(_) => {
                self.forget(&session).await;
                Err(self.late(attempt, limit))
            }
        }
    }

    fn name(&self) -> &str {
        self.shared.name()
    }

    fn late(&self, attempt: &'static str, limit: Duration) -> Error {
        Failure::Late(limit).into_error(self.name(), attempt)
    }

    /// Lets go of a connection that does not answer. What runs there may still be written.
    async fn forget(&self, late: &Arc<Session>) {
        let mut session = self.session.lock().await;
        if session.as_ref().is_some_and(|current| Arc::ptr_eq(current, late)) {
            *session = None;
        }
        late.task.abort();
    }

    async fn session(&self) -> Result<Arc<Session>, Error> {
        let mut session = self.session.lock().await;
        if let Some(open) = session.as_ref().filter(|open| !open.client.is_closed()) {
            return Ok(Arc::clone(open));
        }
        *session = None;
        let limit = self.shared.options.connect_timeout();
        let opened = tokio::time::timeout(limit, Session::open(&self.shared)).await;
        let opened = Arc::new(opened.unwrap_or_else(|_| Err(self.late("connecting", limit)))?);
        *session = Some(Arc::clone(&opened));
        Ok(opened)
    }
}

/// Index scans only: a plan that was made while a table was small would read all of it once it is large.
const SETTINGS: &str = "
SELECT set_config('synchronous_commit',
           CASE current_setting('synchronous_commit') WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, false),
       set_config('enable_seqscan', 'off', false), set_config('jit', 'off', false),
       set_config('lock_timeout', $1, false), set_config('search_path', $2, false),
       current_setting('fsync'), current_setting('full_page_writes')";

impl Session {
    async fn open(shared: &Shared) -> Result<Session, Error> {
        let options = shared.options();
        let connecting = options.config().connect(options.tls(shared.name())?);
        let (client, connection) = connecting
            .await
            .map_err(|error| failed(shared.name(), "connecting", error))?;
        let task = tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection to the store has ended");
            }
        });
        let session = Session {
            client,
            statements: Mutex::default(),
            task: task.abort_handle(),
        };
        session.set_up(shared).await?;
        Ok(session)
    }

    async fn set_up(&self, shared: &Shared) -> Result<(), Error> {
        let lock_timeout = format!("{}ms", shared.options().lock_timeout().as_millis());
        let search_path = crate::schema::quoted(shared.options().schema());
        let settings = self.client.query(SETTINGS, &[&lock_timeout, &search_path]).await;
        let rows = settings.map_err(|error| failed(shared.name(), "setting a connection up", error))?;
        let setting = |column| rows.first().and_then(|row| row.try_get::<_, String>(column).ok());
        for (column, name) in [(5, "fsync"), (6, "full_page_writes")] {
            if setting(column).as_deref() != Some("on") {
                return Err(unsuitable(
                    shared.name(),
                    format!(
                        "its server runs with {name} = off, and loses acknowledged state in a crash; set it to on"
                    ),
                ));
            }
        }
        Ok(())
    }

    async fn prepared(&self, sql: &str) -> Result<Statement, tokio_postgres::Error> {
        let lock = || self.statements.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(statement) = lock().get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.client.prepare(sql).await?;
        lock().insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }
}
