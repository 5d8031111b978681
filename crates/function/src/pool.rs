//! The connections of a link: finds one with room, opens the next, forgets those that ended.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use http::Request;
use tokio::sync::watch;
use tokio::task::{JoinHandle, spawn_local};
use tokio::time::timeout;
use tracing::debug;

use crate::connection::{self, Connection, Driver, Shared, Started};
use crate::metrics::Counters;
use crate::{Error, LinkOptions, Target};

/// A task that ends with its owner.
#[derive(Debug)]
struct Task(JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Counts a connection while it lives.
#[derive(Debug)]
struct Counted(Arc<Counters>);

impl Counted {
    fn begin(counters: &Arc<Counters>) -> Self {
        counters.connected.inc();
        Counted(counters.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.disconnected.inc();
    }
}

#[derive(Debug)]
struct Member {
    _counted: Counted,
    connection: Rc<Connection>,
    _driver: Task,
}

/// An attempt to connect. All who need a connection wait for the same one.
#[derive(Debug)]
struct Attempt {
    outcome: watch::Receiver<Option<Result<(), Error>>>,
    _task: Task,
}

/// Whether the function is there, as the connections tell.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Alive {
    /// Open now.
    pub(crate) connections: usize,
    /// How often the last open one has ended. A loss that was followed by a new connection at once shows here only.
    pub(crate) losses: u64,
}

/// Owns connections and their tasks; dropping it ends them all.
#[derive(Debug)]
pub(crate) struct Pool {
    target: Target,
    options: LinkOptions,
    shared: Rc<Shared>,
    members: RefCell<Vec<Member>>,
    /// Where a stream was last started: mostly there is room for the next.
    latest: Cell<usize>,
    attempt: RefCell<Option<Attempt>>,
    alive: watch::Sender<Alive>,
    closed: Cell<bool>,
}

impl Pool {
    pub(crate) fn new(target: Target, options: LinkOptions, counters: Arc<Counters>) -> Pool {
        let shared = Shared {
            target: target.to_string(),
            max_message_bytes: options.max_message_bytes,
            counters,
        };
        Pool {
            target,
            options,
            shared: Rc::new(shared),
            members: RefCell::default(),
            latest: Cell::new(0),
            attempt: RefCell::default(),
            alive: watch::Sender::default(),
            closed: Cell::new(false),
        }
    }

    pub(crate) fn options(&self) -> &LinkOptions {
        &self.options
    }

    pub(crate) fn target(&self) -> &str {
        &self.shared.target
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.shared.counters
    }

    pub(crate) fn alive(&self) -> watch::Receiver<Alive> {
        self.alive.subscribe()
    }

    /// Starts a stream, on a new connection if the others are full. Cancel-safe: dropped while waiting, nothing is
    /// sent.
    pub(crate) async fn start(
        self: &Rc<Self>,
        request: impl Fn() -> Result<Request<()>, Error>,
    ) -> Result<Started, Error> {
        let started = self.try_start(request).await;
        started.inspect_err(|error| self.counters().failed(error))
    }

    async fn try_start(
        self: &Rc<Self>,
        request: impl Fn() -> Result<Request<()>, Error>,
    ) -> Result<Started, Error> {
        loop {
            if self.closed.get() {
                return Err(self.closed_error());
            }
            if let Some(started) = self.start_on_existing(&request)? {
                return Ok(started);
            }
            let mut outcome = self.connect()?;
            // The sender is dropped without an outcome only when the pool closes.
            let outcome = outcome
                .wait_for(Option::is_some)
                .await
                .map_err(|_| self.closed_error())?
                .clone();
            outcome.unwrap_or(Ok(()))?;
        }
    }

    fn start_on_existing(
        &self,
        request: impl Fn() -> Result<Request<()>, Error>,
    ) -> Result<Option<Started>, Error> {
        while let Some(connection) = self.with_room() {
            if let Some(started) = connection.start(&self.shared, request()?, &self.options) {
                return Ok(Some(started));
            }
        }
        Ok(None)
    }

    fn with_room(&self) -> Option<Rc<Connection>> {
        let members = self.members.borrow();
        let latest = members
            .get(self.latest.get())
            .filter(|member| member.connection.has_room());
        if let Some(member) = latest {
            return Some(member.connection.clone());
        }
        let index = members.iter().position(|member| member.connection.has_room())?;
        self.latest.set(index);
        Some(members[index].connection.clone())
    }

    /// Joins the running attempt to connect, or begins one.
    fn connect(self: &Rc<Self>) -> Result<watch::Receiver<Option<Result<(), Error>>>, Error> {
        let mut attempt = self.attempt.borrow_mut();
        if let Some(attempt) = attempt
            .as_ref()
            .filter(|attempt| attempt.outcome.borrow().is_none())
        {
            return Ok(attempt.outcome.clone());
        }
        self.check_limit()?;
        let (sender, outcome) = watch::channel(None);
        let (target, options, pool) = (self.target.clone(), self.options.clone(), Rc::downgrade(self));
        let task = spawn_local(async move {
            let established = connection::establish(&target, &options).await;
            let Some(pool) = pool.upgrade() else { return };
            if established.is_err() {
                pool.counters().connect_failed.inc();
            }
            sender.send_replace(Some(
                established.map(|(connection, driver)| pool.add(connection, driver)),
            ));
        });
        *attempt = Some(Attempt {
            outcome: outcome.clone(),
            _task: Task(task),
        });
        Ok(outcome)
    }

    fn check_limit(&self) -> Result<(), Error> {
        let members = self.members.borrow();
        if members.len() < self.options.max_connections {
            return Ok(());
        }
        let streams = members.iter().map(|member| member.connection.active()).sum();
        Err(Error::StreamLimit {
            target: self.shared.target.clone(),
            connections: members.len(),
            streams,
        })
    }

    /// Takes in a connection and runs its driver.
    fn add(self: &Rc<Self>, connection: Connection, driver: Driver) {
        let connection = Rc::new(connection);
        let (pool, ended) = (Rc::downgrade(self), Rc::downgrade(&connection));
        let keepalive = self.options.keepalive;
        let driver = spawn_local(async move {
            let result = connection::drive(driver, keepalive).await;
            if let (Some(pool), Some(ended)) = (pool.upgrade(), ended.upgrade()) {
                pool.remove(&ended, result);
            }
        });
        let mut members = self.members.borrow_mut();
        self.latest.set(members.len());
        members.push(Member {
            _counted: Counted::begin(&self.shared.counters),
            connection,
            _driver: Task(driver),
        });
        self.count(members.len());
        debug!(
            target = self.target(),
            connections = members.len(),
            "connected to the function"
        );
    }

    fn remove(&self, ended: &Rc<Connection>, result: Result<(), String>) {
        let mut members = self.members.borrow_mut();
        members.retain(|member| !Rc::ptr_eq(&member.connection, ended));
        let reason = result.err();
        debug!(
            target = self.target(),
            connections = members.len(),
            reason,
            "a connection to the function ended"
        );
        self.count(members.len());
    }

    /// Lets open streams end, for the time of the options, and then ends all connections.
    pub(crate) async fn close(&self) {
        self.closed.set(true);
        self.attempt.take();
        for member in self.members.borrow().iter() {
            member.connection.retire();
        }
        let mut alive = self.alive();
        // An error means the time is over: what is still open is cut off.
        let _ = timeout(
            self.options.close_timeout,
            alive.wait_for(|alive| alive.connections == 0),
        )
        .await;
        self.members.take();
        self.count(0);
    }

    fn count(&self, connections: usize) {
        self.alive.send_modify(|alive| {
            alive.losses += u64::from(alive.connections > 0 && connections == 0);
            alive.connections = connections;
        });
    }

    fn closed_error(&self) -> Error {
        Error::Closed {
            target: self.shared.target.clone(),
        }
    }
}
