//! The table of all settings. Everything else about them is derived from it.

use std::path::PathBuf;
use std::time::Duration;

use cloudstate_access::{Algorithms, Allowed, Rules};
use cloudstate_gateway::Origins;

use super::key::{Group, Key, parse, settings};
use super::value::{
    ClientAuth, ClusterTlsMode, Endpoint, Host, Level, List, LogFormat, Pairs, PeerAddress, SecretPairs,
    Seeds, Size, StoreUrl, TlsVersion, TraceSampler, Value,
};

/// Reads a default of the table below.
#[expect(
    clippy::expect_used,
    reason = "the texts are constants of this file; a test reads every one of them"
)]
fn default_value<T: Value>(text: &str) -> T {
    T::parse(text).expect("a default of the table is well-formed")
}

settings! {
    /// The port that clients call: gRPC, HTTP/JSON, reflection and health.
    http "http" => Http {
        /// Address to listen on.
        host: Host = "0.0.0.0" env "HTTP_HOST";
        /// Port to listen on; 0 takes a free one and logs which.
        port: u16 = "9000" env "HTTP_PORT";
        /// Largest request message. A larger one is answered with RESOURCE_EXHAUSTED, or 413 over HTTP/JSON.
        max_request_bytes: Size = "8MiB" from "1KiB" to "1GiB";
        /// Open client connections; further ones wait in the listener's backlog until one closes.
        max_connections: usize = "10000" from "1" to "1000000";
        /// Calls that one HTTP/2 connection may have open; the client is told and waits.
        max_concurrent_streams: u32 = "1000" from "1" to "1000000";
        /// Largest sum of a request's header names and values.
        max_header_bytes: Size = "16KiB" from "1KiB" to "1MiB";
        /// Time that a client has to send the head of a request.
        header_timeout: Duration = "10s" from "10ms" to "1h";
        /// Time that a client has to send a request that is one message. A stream of requests has none.
        body_timeout: Duration = "30s" from "10ms" to "1h";
        /// Time in which a client may take nothing of what is sent to it. After it its connection is closed.
        send_timeout: Duration = "60s" from "10ms" to "1d";
        /// A stream of server-sent events on which nothing happened for this long gets a comment, so that nobody in
        /// between takes it for dead; 0 sends none.
        sse_heartbeat: Duration = "15s" from "0s" to "1h";
        /// Describe what the function serves at `/openapi.json`.
        openapi: bool = "true";
        /// How often the files that `http.tls` and `http.jwt` name are looked at. One that has changed is taken; if it is no
        /// good, the log says so and what was there before stays in force.
        reload_interval: Duration = "10s" from "10ms" to "1d";
    }

    /// Files that are served beside the function, where it has no endpoint of its own.
    static_files "http.static" => StaticFiles {
        /// Directory of the files. Its `index.html` answers at `/`. Nothing is served when empty.
        dir: Option<PathBuf> = "" flag "static";
        /// Files being sent at once. Further requests for files are answered with 503.
        max_open: usize = "1000" from "1" to "1000000";
    }

    /// TLS on the client port. Off while `cert` is empty. See [security](../security.md).
    tls "http.tls" => Tls {
        /// PEM file: the certificate that clients see, followed by those that lead to its root.
        cert: Option<PathBuf> = "";
        /// PEM file: the private key of the certificate, not encrypted (PKCS #8, PKCS #1 or SEC 1).
        key: Option<PathBuf> = "";
        /// PEM file: the roots of the certificates that clients show. When set, clients are asked for one.
        client_ca: Option<PathBuf> = "";
        /// Whether a client that shows no certificate is refused, or served as an anonymous caller.
        client_auth: ClientAuth = "required";
        /// The oldest version that is spoken.
        min_version: TlsVersion = "1.2";
        /// Time that a client has for the TLS handshake.
        handshake_timeout: Duration = "10s" from "10ms" to "1h";
    }

    /// Tokens (JWT) that callers send as `authorization: Bearer TOKEN`. Off while `keys` is empty. See
    /// [security](../security.md).
    jwt "http.jwt" => Jwt {
        /// JSON file: the keys that may sign tokens, as a key set (JWKS).
        keys: Option<PathBuf> = "";
        /// For whom tokens must be: one of these must stand in their claim `aud`. Required with `keys`.
        audience: List = "";
        /// By whom they must be issued: their claim `iss` must be one of these. Not checked when empty, which is right only
        /// if the keys belong to one issuer.
        issuer: List = "";
        /// How far the clocks of issuer and proxy may differ.
        leeway: Duration = "60s" from "0s" to "1h";
        /// How they may be signed. `HS256` and its kin need the secret in the key set, so that whoever can check a token
        /// can also make one.
        algorithms: Algorithms = "RS256,RS384,RS512,PS256,PS384,PS512,ES256,ES384,EdDSA";
    }

    /// Who may call what on the client port. See [security](../security.md).
    access "access" => Access {
        /// Methods for which no rule says it. When empty, `authenticated` if `http.jwt.keys` or `http.tls.client_ca` is set,
        /// else `anyone`.
        default: Option<Allowed> = "";
        /// Methods (`package.Service/Method`) and services (`package.Service/*`). The rule of a method comes before that of
        /// its service. One that names what the function does not have refuses its declaration.
        rules: Rules = "";
        /// Server reflection. As `default` when empty.
        reflection: Option<Allowed> = "";
        /// `grpc.health.v1.Health`.
        health: Allowed = "anyone";
        /// The OpenAPI document. As `default` when empty.
        openapi: Option<Allowed> = "";
        /// Static files.
        static_files: Allowed = "anyone";
    }

    /// Pages that may call from a browser, if they do not come from the client port itself (CORS).
    cors "http.cors" => Cors {
        /// Their origins. `https://*.example.com` means all hosts below, `localhost` this machine on any port, `*` every
        /// page; none when empty.
        origins: Origins = "";
        /// Whether they may send and receive cookies. Not together with `*`.
        credentials: bool = "false";
    }

    /// The port of operators: `/ready`, `/alive`, `/metrics`.
    admin "admin" => Admin {
        /// Address to listen on.
        host: Host = "0.0.0.0" env "METRICS_HOST";
        /// Port to listen on; 0 takes a free one and logs which.
        port: u16 = "9090" env "METRICS_PORT";
        /// A second port with the same content, where existing deployments probe. Not opened when empty.
        management_port: Option<u16> = "" env "MANAGEMENT_PORT";
    }

    /// The link to the user function.
    function "function" => Function {
        /// Host of the user function.
        host: Host = "127.0.0.1" env "USER_FUNCTION_HOST";
        /// Port of the user function.
        port: u16 = "8080" from "1" to "65535" env "USER_FUNCTION_PORT";
        /// Unix socket of the user function, in place of host and port.
        socket: Option<PathBuf> = "" env "USER_FUNCTION_SOCKET";
        /// Largest message accepted from the function.
        max_message_bytes: Size = "12MiB" from "1KiB" to "2147483647B";
        /// Connections to the function that each thread may have; a further one is opened when those there are have as
        /// many streams as the function allows.
        max_connections: usize = "1024" from "1" to "65535";
        /// Wait before the first retry of a failed connection or discovery; doubles with each further failure.
        backoff_min: Duration = "1s" from "1ms" to "1h";
        /// Longest wait between retries.
        backoff_max: Duration = "10s" from "1ms" to "1h";
        /// Share of a wait by which it is randomly lengthened, so that many proxies do not retry in step.
        backoff_random: f64 = "0.2" from "0" to "1";
        /// Refuse a function of another protocol version. When false, the proxy warns and goes on.
        compatibility_check: bool = "true";
    }

    /// Where state is kept.
    store "store" => Store {
        /// `sqlite:DIRECTORY` keeps it in that directory, which is created when missing; `postgres://…` in that database, see
        /// `stores/postgresql.md`; `memory:` forgets it at exit.
        url: StoreUrl = "sqlite:./cloudstate-data" flag "store";
        /// Shards that entities are spread over. Fixed when a store is made: another value refuses to start.
        shards: u32 = "128" from "1" to "4096";
        /// Commits that wait for the store. Beyond it, commands are refused as overload.
        queue_commits: usize = "65536" from "1" to "10000000";
        /// Bytes of the commits that wait for the store. Beyond it, commands are refused as overload.
        queue_bytes: Size = "64MiB" from "1MiB" to "64GiB";
    }

    /// Entities in memory.
    entity "entity" => Entity {
        /// An entity without commands for this long leaves memory, unless its function declares a time of its own.
        passivation_timeout: Duration = "30s" from "10ms" to "30d";
        /// Time that the function has to answer one command. After it the caller gets DEADLINE_EXCEEDED and the
        /// entity starts anew from its stored state.
        turn_timeout: Duration = "60s" from "10ms" to "1d";
        /// Entities in memory at once. When reached, idle ones leave early; if none is idle, commands are refused.
        max_active: usize = "250000" from "1" to "100000000";
        /// Commands that wait for one entity. Beyond it, they are refused with RESOURCE_EXHAUSTED.
        queue_commands: usize = "100" from "1" to "1000000";
        /// Bytes of the commands that wait for one entity. Beyond it, they are refused with RESOURCE_EXHAUSTED.
        queue_bytes: Size = "16MiB" from "1KiB" to "4GiB";
    }

    /// CRDT entities. See [CRDT entities](../crdt.md).
    crdt "crdt" => Crdt {
        /// How deep maps may be nested in maps; a map without maps in it is 1. A deeper one is refused.
        max_depth: usize = "32" from "1" to "32";
        /// Messages of a streamed command that wait for a slow client. Beyond it, its stream ends with ABORTED.
        stream_messages: usize = "100" from "1" to "1000000";
    }

    /// Several proxies as one: they keep CRDT entities equal. Off while neither `join` nor `peer_addr` is set. See
    /// [cluster](../cluster.md).
    cluster "cluster" => Cluster {
        /// The name of the cluster. Nodes of other names are not let in.
        name: String = "cloudstate";
        /// Where to look for the cluster: `host:port` of nodes, or `dns:name:port` for all addresses of a name, looked up again
        /// and again. When empty, this node begins a cluster that others may join.
        join: Seeds = "" flag "join";
        /// The name of this node, the same for every start of it, and of no other node. The address for other nodes when
        /// empty.
        node_name: Option<String> = "" flag "node-name";
        /// `host:port` where other nodes reach this one. When empty, the name of the machine and `peer_port`.
        peer_addr: PeerAddress = "" flag "peer-addr";
        /// Address to listen on for other nodes.
        peer_host: Host = "0.0.0.0";
        /// Port to listen on for other nodes, if `peer_addr` does not say it.
        peer_port: u16 = "2552" env "REMOTING_PORT";
        /// Where this node runs, for operators.
        zone: Option<String> = "";
        /// How often a random other node is asked for a sign of life.
        probe_interval: Duration = "300ms" from "20ms" to "1m";
        /// How long a node that did not answer may object before it is taken for dead. Votes then do not count it.
        suspicion: Duration = "600ms" from "20ms" to "10m";
        /// How long a member has not to answer before a majority of the members goes on without it.
        remove_after: Duration = "20s" from "100ms" to "1d";
        /// How long a node looks for a cluster before it begins one with others that look for it too.
        form_after: Duration = "3s" from "100ms" to "1h";
        /// Time to leave at shutdown. After it the others have to find out.
        leave_timeout: Duration = "5s" from "0s" to "10m";
        /// Changes are collected for this long before they are sent together.
        push_interval: Duration = "2ms" from "0s" to "10s";
        /// How often all replicas are compared with those of a random other member.
        digest_interval: Duration = "2s" from "10ms" to "1h";
        /// Time for a change to reach a majority or all members, if the function asks for that.
        write_timeout: Duration = "5s" from "10ms" to "1h";
        /// Time to ask a majority what it knows of an entity that is used for the first time.
        read_timeout: Duration = "3s" from "10ms" to "1h";
        /// Changes that wait to be sent. Beyond it, they are left to the comparison; those for a majority or all fail.
        max_waiting: usize = "65536" from "1" to "10000000";
        /// Bytes that wait for one other node. Beyond it, changes are left to the comparison.
        queue_bytes: Size = "16MiB" from "64KiB" to "4GiB";
        /// How long another node may take to connect, or to answer a sign of life on its link.
        link_timeout: Duration = "2s" from "50ms" to "10m";
    }

    /// Certificates of links between nodes. Both sides show one.
    cluster_tls "cluster.tls" => ClusterTls {
        /// `required` asks other nodes for certificates; `off` lets in whoever reaches the port. The file may say
        /// `cluster.tls = "off"` for it.
        mode: ClusterTlsMode = "required" flag "cluster.tls";
        /// PEM file: the roots of the certificates of all nodes. An authority for this cluster alone: whoever has a certificate
        /// of it is let in.
        ca: Option<PathBuf> = "";
        /// PEM file: this node's certificate, good as a server's and as a client's.
        cert: Option<PathBuf> = "";
        /// PEM file: its private key, not encrypted.
        key: Option<PathBuf> = "";
        /// The name that the certificates of other nodes must be for. When empty, the host under which they are reached.
        server_name: Option<String> = "";
    }

    /// The proxy's own use of the machine.
    runtime "runtime" => Runtime {
        /// Threads that run entities; 0 takes one for each core.
        threads: usize = "0" from "0" to "1024";
        /// Calls in progress, all entities together. Beyond it, they are refused with UNAVAILABLE.
        max_in_flight: usize = "10000" from "1" to "10000000";
        /// Bytes of waiting requests, all entities together. Beyond it, they are refused with UNAVAILABLE.
        max_queued_bytes: Size = "256MiB" from "1MiB" to "64GiB";
        /// How much longer a command may take in the function than without load, or that time once more if it is longer.
        /// When more are in progress than are answered in that time, further ones of the same method are refused with
        /// UNAVAILABLE. 0s never refuses for it.
        max_delay: Duration = "500ms" from "0s" to "1h";
        /// While no more calls than this are in progress, none is refused for `runtime.max_delay`.
        min_in_flight: usize = "32" from "1" to "10000000";
        /// Forwards and side effects that may follow from one call, one out of another; stops circles.
        forward_limit: u32 = "16" from "1" to "1000";
        /// Time for calls in progress to end at shutdown, before the rest is cut.
        drain_timeout: Duration = "10s" from "0s" to "1h";
    }

    /// What is written to standard error.
    log "log" => Log {
        /// Least important level that is written.
        level: Level = "info";
        /// `human` for reading, `json` for one object a line.
        format: LogFormat = "human";
    }

    /// Traces of calls, sent to a collector of OpenTelemetry. See [observability](../observability.md#traces).
    tracing "tracing" => Tracing {
        /// Where a collector takes OTLP over gRPC, mostly on port 4317; `https` for TLS. Nothing is traced when empty.
        endpoint: Option<Endpoint> = "" env "OTEL_EXPORTER_OTLP_ENDPOINT" env "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
        /// Which traces are recorded. `parentbased_…` leaves it to a caller who says so, which clients of a public port may
        /// abuse; the others do not ask.
        sampler: TraceSampler = "parentbased_traceidratio" env "OTEL_TRACES_SAMPLER";
        /// Share of the traces that are recorded, if `sampler` asks for one.
        ratio: f64 = "1.0" from "0" to "1" env "OTEL_TRACES_SAMPLER_ARG";
        /// The name of this service in traces.
        service_name: String = "cloudstate-proxy" env "OTEL_SERVICE_NAME";
        /// Further facts about this process, by OpenTelemetry's conventions, such as `deployment.environment.name=test`.
        attributes: Pairs = "" env "OTEL_RESOURCE_ATTRIBUTES";
        /// Headers that are sent to the collector, such as a key of access. Their values are not shown anywhere.
        headers: SecretPairs = "" env "OTEL_EXPORTER_OTLP_HEADERS";
        /// PEM file: the roots that the collector's certificate may have, in place of the system's.
        ca: Option<PathBuf> = "" env "OTEL_EXPORTER_OTLP_CERTIFICATE";
        /// Spans that wait for being sent. Beyond it, they are dropped and counted; calls never wait.
        queue: usize = "2048" from "1" to "1000000" env "OTEL_BSP_MAX_QUEUE_SIZE";
        /// Spans that are sent at once.
        batch: usize = "512" from "1" to "100000" env "OTEL_BSP_MAX_EXPORT_BATCH_SIZE";
        /// How long a span may wait for others to be sent with.
        interval: Duration = "1s" from "1ms" to "1h";
        /// Time that the collector has to take what is sent to it.
        timeout: Duration = "10s" from "10ms" to "1h";
    }
}
