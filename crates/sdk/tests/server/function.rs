//! The function under test.

use std::sync::Arc;
use std::time::Duration;

use cloudstate_sdk::action::{self, Commands};
use cloudstate_sdk::doc_example::{Count, Counted, Increase, Number, Pair, Read, counter, sums};
use cloudstate_sdk::event_sourced::{self, Registration};
use cloudstate_sdk::{
    EventSourced, Failure, Listener, NoSnapshot, Reply, ServeError, ServerOptions, Stream, UserFunction,
    stream,
};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;

use crate::client::Client;

#[derive(Default)]
pub(crate) struct Counter {
    count: i64,
}

impl EventSourced for Counter {
    type Event = Counted;
    type Snapshot = NoSnapshot;

    fn apply(&mut self, event: Counted) {
        self.count += event.by;
    }
}

pub(crate) struct CounterEntity;

impl counter::EventSourcedEntity for CounterEntity {
    type State = Counter;

    fn increase(
        &self,
        command: Increase,
        ctx: &mut event_sourced::Context<Counter>,
    ) -> Result<Reply<Count>, Failure> {
        assert_ne!(command.by, 13, "unlucky");
        ctx.emit(Counted { by: command.by });
        Ok(Count {
            value: ctx.state().count,
        }
        .into())
    }

    fn read(&self, _: Read, ctx: &mut event_sourced::Context<Counter>) -> Result<Reply<Count>, Failure> {
        Ok(Count {
            value: ctx.state().count,
        }
        .into())
    }
}

/// An action that a test can hold up.
#[derive(Clone, Default)]
pub(crate) struct Sums {
    /// Told when `Add` of a negative number has begun.
    pub(crate) begun: Arc<Notify>,
    /// Lets it go on.
    pub(crate) go_on: Arc<Notify>,
    /// Told when its handler is dropped.
    pub(crate) dropped: Arc<Notify>,
}

struct TellsWhenDropped(Arc<Notify>);

impl Drop for TellsWhenDropped {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

impl sums::Action for Sums {
    async fn add(&self, pair: Pair, _: action::Context) -> Result<Reply<Count>, Failure> {
        if pair.left < 0 {
            let _guard = TellsWhenDropped(self.dropped.clone());
            self.begun.notify_one();
            self.go_on.notified().await;
        }
        Ok(Count {
            value: pair.left + pair.right,
        }
        .into())
    }

    async fn total(
        &self,
        mut numbers: Commands<Number>,
        _: action::Context,
    ) -> Result<Reply<Count>, Failure> {
        let mut total = 0;
        while let Some(number) = numbers.next().await {
            total += number.value;
        }
        Ok(Count { value: total }.into())
    }

    fn upto(
        &self,
        number: Number,
        _: action::Context,
    ) -> impl Stream<Item = Result<Reply<Count>, Failure>> + Send {
        stream::iter(1..=number.value).map(|value| Ok(Count { value }.into()))
    }

    fn running(
        &self,
        numbers: Commands<Number>,
        _: action::Context,
    ) -> impl Stream<Item = Result<Reply<Count>, Failure>> + Send {
        numbers.scan(0, |sum, number| {
            *sum += number.value;
            std::future::ready(Some(Ok(Count { value: *sum }.into())))
        })
    }

    async fn forget(&self, _: Number, _: action::Context) -> Result<Reply<()>, Failure> {
        Ok(Reply::empty())
    }
}

use stream::StreamExt;

/// A function that is being served.
pub(crate) struct Served {
    pub(crate) address: String,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<Result<(), ServeError>>,
}

pub(crate) fn counters() -> Registration {
    counter::event_sourced("counter", CounterEntity)
}

pub(crate) fn options() -> ServerOptions {
    ServerOptions::default()
}

impl Served {
    /// Serves counters and sums on a free port.
    pub(crate) fn start() -> Self {
        Self::with(Sums::default(), options())
    }

    pub(crate) fn with(sums: Sums, options: ServerOptions) -> Self {
        let function = UserFunction::new("test", "1")
            .with(counters())
            .with(sums::action(sums));
        Self::on(function, Listener::tcp("127.0.0.1", 0).unwrap(), options)
    }

    pub(crate) fn on(function: UserFunction, listener: Listener, options: ServerOptions) -> Self {
        let (stop, stopped) = oneshot::channel();
        let address = listener.address();
        let shutdown = async {
            let _ = stopped.await;
        };
        let task = tokio::spawn(async move { function.serve(listener, options, shutdown).await });
        Served {
            address,
            stop: Some(stop),
            task,
        }
    }

    pub(crate) async fn client(&self) -> Client {
        Client::tcp(&self.address).await
    }

    /// Asks the function to stop.
    pub(crate) fn stop(&mut self) {
        let _ = self.stop.take().map(|stop| stop.send(()));
    }

    /// Waits until serving has ended.
    pub(crate) async fn ended(self) {
        let ended = tokio::time::timeout(Duration::from_secs(30), self.task).await;
        ended.expect("serving ends soon").unwrap().unwrap();
    }
}
