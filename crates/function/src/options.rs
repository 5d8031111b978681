//! Limits and times of a link.

use std::time::Duration;

/// How a link behaves. The defaults fit a function beside the proxy on the same machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkOptions {
    /// Longest message accepted from the function, in bytes, without the gRPC prefix. Default 12 MiB.
    pub max_message_bytes: usize,
    /// Time for one attempt to connect, including the function's HTTP/2 settings. Default 5 s.
    pub connect_timeout: Duration,
    /// Most connections of this link. With a server that allows 100 streams a connection, the default 1,024 is
    /// enough for 102,400 active entities on this core.
    pub max_connections: usize,
    /// Unread bytes that the function may send on one stream. Bounds what a stream whose caller is slow keeps in
    /// memory. Default 256 KiB.
    pub stream_window_bytes: u32,
    /// Unread bytes that the function may send on one connection. The default is 1 GiB, which leaves the limit to the
    /// streams: with less, streams that nobody reads would hold up all others.
    pub connection_window_bytes: u32,
    /// After this many streams a connection takes no new ones and ends with its last stream: HTTP/2 has 2³⁰ stream
    /// numbers a connection. Default 2²⁹.
    pub max_streams_over_lifetime: u64,
    /// Pings that find a function that hangs or whose host is gone. Default none: the end of a process closes its
    /// connections by itself, and some servers (grpc-go) punish clients that ping more often than every 5 minutes.
    pub keepalive: Option<Keepalive>,
    /// How long [`Link::close`](crate::Link::close) waits for open streams. Default 10 s.
    pub close_timeout: Duration,
}

/// HTTP/2 pings on every connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keepalive {
    /// Pause between an answered ping and the next.
    pub interval: Duration,
    /// A ping without an answer for this long ends the connection.
    pub timeout: Duration,
}

impl Default for LinkOptions {
    fn default() -> LinkOptions {
        LinkOptions {
            max_message_bytes: 12 * 1024 * 1024,
            connect_timeout: Duration::from_secs(5),
            max_connections: 1024,
            stream_window_bytes: 256 * 1024,
            connection_window_bytes: 1 << 30,
            max_streams_over_lifetime: 1 << 29,
            keepalive: None,
            close_timeout: Duration::from_secs(10),
        }
    }
}
