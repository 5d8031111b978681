//! The handle to the function.

use std::rc::Rc;

use cloudstate_protocol::{EntitySpec, ProxyInfo, UserFunctionError, names};
use prost::Message;
use tokio::time::{Instant, timeout_at};

use crate::metrics::Counters;
use crate::pool::{Alive, Pool};
use crate::request::Template;
use crate::stream::{self, StreamReceiver, StreamSender};
use crate::{Error, LinkOptions, Metrics, Target};

/// The link to the user function, for one thread. Clones share its connections, which end with the last clone.
///
/// All methods must run in a tokio local runtime (or `LocalSet`). Connections are opened when a stream needs one and
/// stay open; while the function is away, every request tries anew and fails fast with [`Error::Unavailable`].
#[derive(Debug, Clone)]
pub struct Link {
    pool: Rc<Pool>,
    template: Rc<Template>,
}

impl Link {
    /// A link to `target` that nobody counts. Does not connect yet.
    pub fn new(target: Target, options: LinkOptions) -> Link {
        Self::counted(target, options, &Metrics::default())
    }

    /// A link to `target`. Does not connect yet.
    pub fn counted(target: Target, options: LinkOptions, metrics: &Metrics) -> Link {
        let template = Rc::new(Template::new(&target));
        Link {
            pool: Rc::new(Pool::new(target, options, metrics.link())),
            template,
        }
    }

    /// Opens a stream in both directions. Returns when its headers are queued: the function answers headers with its
    /// first message at the earliest, so do not wait for it before sending. Cancel-safe.
    ///
    /// # Errors
    /// The function cannot be reached, or all connections are full.
    pub async fn open(&self, path: &'static str) -> Result<(StreamSender, StreamReceiver), Error> {
        let started = self.pool.start(|| self.template.request(path, None)).await?;
        Ok(stream::halves(started))
    }

    /// Sends one message and returns the one answer. Dropping the future cancels the call.
    ///
    /// With a deadline, the function is told the time left, and the call ends with [`Error::DeadlineExceeded`] when it
    /// is over.
    ///
    /// # Errors
    /// As [`open`](Self::open), and as [`StreamReceiver::message`].
    pub async fn unary<Req, Rep>(
        &self,
        path: &'static str,
        request: &Req,
        deadline: Option<Instant>,
    ) -> Result<Rep, Error>
    where
        Req: Message,
        Rep: Message + Default,
    {
        let call = self.call(path, request, deadline);
        match deadline {
            Some(deadline) => timeout_at(deadline, call)
                .await
                .map_err(|_| Error::DeadlineExceeded)?,
            None => call.await,
        }
    }

    async fn call<Req: Message, Rep: Message + Default>(
        &self,
        path: &'static str,
        request: &Req,
        deadline: Option<Instant>,
    ) -> Result<Rep, Error> {
        let left = || deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let started = self.pool.start(|| self.template.request(path, left())).await?;
        let (mut sender, mut receiver) = stream::halves(started);
        // A stream that ended early has an answer too, so the answer counts and not this error.
        let sent = sender.send_last(request);
        let Some(reply) = receiver.message().await? else {
            sent?;
            return Err(Error::malformed(format!("{path} ended without an answer")));
        };
        match receiver.message::<Rep>().await? {
            None => Ok(reply),
            Some(_) => Err(Error::malformed(format!("{path} answered more than one message"))),
        }
    }

    /// Asks the function what it serves.
    ///
    /// # Errors
    /// As [`unary`](Self::unary).
    pub async fn discover(&self, info: &ProxyInfo) -> Result<EntitySpec, Error> {
        self.unary(names::DISCOVER_PATH, info, None).await
    }

    /// Tells the function about a problem with what it declared or answered.
    ///
    /// # Errors
    /// As [`unary`](Self::unary).
    pub async fn report_error(&self, message: &str) -> Result<(), Error> {
        let error = UserFunctionError {
            message: message.to_owned(),
        };
        self.unary(names::REPORT_ERROR_PATH, &error, None).await
    }

    /// The cells of this link.
    pub(crate) fn counters(&self) -> &Counters {
        self.pool.counters()
    }

    /// Where the function should listen, for texts.
    pub fn target(&self) -> &str {
        self.pool.target()
    }

    /// The limits and times in force.
    pub fn options(&self) -> &LinkOptions {
        self.pool.options()
    }

    /// How many connections are open.
    pub fn connections(&self) -> usize {
        self.pool.alive().borrow().connections
    }

    /// Whether a connection is open. One whose function has just gone counts until that is noticed.
    pub fn is_connected(&self) -> bool {
        self.connections() > 0
    }

    /// Waits until no connection is open, which may be now. Cancel-safe.
    pub async fn disconnected(&self) {
        // The sender lives in the pool, which lives at least as long as this borrow.
        let _ = self.pool.alive().wait_for(|alive| alive.connections == 0).await;
    }

    /// How often the last open connection has ended.
    pub fn losses(&self) -> u64 {
        self.pool.alive().borrow().losses
    }

    /// Waits until there is no connection, or there was none for a moment since [`losses`](Self::losses) had this
    /// value. Unlike [`disconnected`](Self::disconnected) it sees a loss that another user of the link has repaired.
    /// Cancel-safe.
    pub async fn lost_since(&self, losses: u64) {
        let lost = |alive: &Alive| alive.connections == 0 || alive.losses > losses;
        // As above.
        let _ = self.pool.alive().wait_for(lost).await;
    }

    /// Takes no new streams, waits for the open ones as long as `close_timeout` allows, and ends the connections.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}
