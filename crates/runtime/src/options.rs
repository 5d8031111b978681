//! The limits and times of the runtime. Every queue and wait has one.

use std::time::Duration;

/// Limits and times; see each field for what happens at the limit.
#[derive(Debug, Clone)]
pub struct Options {
    /// Idle time before an entity is passivated, unless its declaration says otherwise.
    pub passivation_timeout: Duration,
    /// How long a function may take for one turn, for taking a page of replayed events, or for a unary action. Then
    /// the activation is lost and the caller gets `DEADLINE_EXCEEDED`.
    pub turn_timeout: Duration,
    /// How long a function may take to close its side of a stream, or to respond to the end of a streamed command of a CRDT
    /// entity. Then the stream is reset, or the proxy goes on without a response.
    pub close_timeout: Duration,
    /// Commands that may wait for one entity; further ones get `RESOURCE_EXHAUSTED`.
    pub queue_commands: usize,
    /// Bytes of commands that may wait for one entity; further ones get `RESOURCE_EXHAUSTED`.
    pub queue_bytes: usize,
    /// Active entities on this node. Beyond, the longest idle ones are passivated early; when none is idle, commands
    /// for further entities get `UNAVAILABLE`.
    pub max_active: usize,
    /// Calls of clients in progress on this node; further ones get `UNAVAILABLE`.
    pub max_in_flight: usize,
    /// Bytes of requests in progress on this node; further ones get `UNAVAILABLE`.
    pub max_in_flight_bytes: usize,
    /// How much longer a command may take in the function than without load: then further ones of the same method get
    /// `UNAVAILABLE`. The time without load is allowed once more if it is longer. Zero: no matter how long.
    pub max_delay: Duration,
    /// While no more calls of clients are in progress on this node, `max_delay` refuses none.
    pub min_in_flight: usize,
    /// How often a command may be forwarded, or cause a side effect that causes another, before it is taken for a
    /// circle.
    pub forward_limit: usize,
    /// Asynchronous side effects in progress on one core; beyond, commands wait for theirs.
    pub max_effects: usize,
    /// Bytes of events read from the store at a time.
    pub replay_page_bytes: usize,
    /// Commands under way from one core to another; further ones get `UNAVAILABLE`.
    pub handover_queue: usize,
    /// Messages of a streamed command of a CRDT entity that may wait for a slow client; then its stream ends with
    /// `ABORTED`.
    pub stream_messages: usize,
    /// When a refused caller is told to come back.
    pub retry_after: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            passivation_timeout: Duration::from_secs(30),
            turn_timeout: Duration::from_secs(60),
            close_timeout: Duration::from_secs(5),
            queue_commands: 100,
            queue_bytes: 8 << 20,
            max_active: 1_000_000,
            max_in_flight: 10_000,
            max_in_flight_bytes: 256 << 20,
            max_delay: Duration::from_millis(500),
            min_in_flight: 32,
            forward_limit: 16,
            max_effects: 1_000,
            replay_page_bytes: 256 << 10,
            handover_queue: 16_384,
            stream_messages: 100,
            retry_after: Duration::from_secs(1),
        }
    }
}
