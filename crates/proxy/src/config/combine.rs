//! Rules between values of different keys.

mod cluster;
mod security;

use super::{Error, Host, Key, Loaded, Origin};

/// Adds an error for each rule that is broken.
pub(super) fn check(loaded: &Loaded, errors: &mut Vec<Error>) {
    let rules = [
        socket_or_port,
        backoff_in_order,
        room_in_entity_queue,
        room_in_all_queues,
        room_in_store_queue,
        cookies_for_named_origins,
    ];
    errors.extend(rules.iter().filter_map(|rule| rule(loaded)));
    errors.extend(ports_differ(loaded));
    errors.extend(security::check(loaded));
    errors.extend(cluster::check(loaded));
}

fn socket_or_port(loaded: &Loaded) -> Option<Error> {
    loaded.config.function.socket.as_ref()?;
    let other = ["function.port", "function.host"].into_iter().find(|name| {
        let key = Key::find(name);
        key.is_some_and(|key| loaded.is_explicit(key))
    })?;
    Some(together(
        loaded,
        &["function.socket", other],
        "exclude each other",
        "set either the socket or host and port",
    ))
}

fn backoff_in_order(loaded: &Loaded) -> Option<Error> {
    let function = &loaded.config.function;
    (function.backoff_min > function.backoff_max).then(|| {
        together(
            loaded,
            &["function.backoff_min", "function.backoff_max"],
            "are in the wrong order",
            "the first wait must not be longer than the longest",
        )
    })
}

fn room_in_entity_queue(loaded: &Loaded) -> Option<Error> {
    let config = &loaded.config;
    holds_a_request(loaded, "entity.queue_bytes", config.entity.queue_bytes.bytes())
}

fn room_in_all_queues(loaded: &Loaded) -> Option<Error> {
    let config = &loaded.config;
    holds_a_request(
        loaded,
        "runtime.max_queued_bytes",
        config.runtime.max_queued_bytes.bytes(),
    )
}

fn holds_a_request(loaded: &Loaded, queue: &'static str, bytes: usize) -> Option<Error> {
    (bytes < loaded.config.http.max_request_bytes.bytes()).then(|| {
        together(
            loaded,
            &[queue, "http.max_request_bytes"],
            "do not fit together",
            "a queue must have room for the largest request",
        )
    })
}

fn room_in_store_queue(loaded: &Loaded) -> Option<Error> {
    let config = &loaded.config;
    (config.store.queue_bytes.bytes() < config.function.max_message_bytes.bytes()).then(|| {
        together(
            loaded,
            &["store.queue_bytes", "function.max_message_bytes"],
            "do not fit together",
            "the queue must have room for the largest answer of the function",
        )
    })
}

fn cookies_for_named_origins(loaded: &Loaded) -> Option<Error> {
    let cors = &loaded.config.cors;
    (cors.credentials && cors.origins.is_any()).then(|| {
        together(
            loaded,
            &["http.cors.origins", "http.cors.credentials"],
            "do not fit together",
            "list the origins that may send cookies: browsers refuse it for `*`",
        )
    })
}

/// Ports that the proxy listens on must differ where their addresses overlap.
fn ports_differ(loaded: &Loaded) -> Vec<Error> {
    let (http, admin) = (&loaded.config.http, &loaded.config.admin);
    let peers = loaded.config.peer_port();
    let ports: [(&'static str, &Host, u16); 4] = [
        (peers.0, &loaded.config.cluster.peer_host, peers.1),
        ("http.port", &http.host, http.port),
        ("admin.port", &admin.host, admin.port),
        (
            "admin.management_port",
            &admin.host,
            admin.management_port.unwrap_or(0),
        ),
    ];
    let mut errors = Vec::new();
    for (index, (first, host, port)) in ports.iter().enumerate() {
        for (second, other_host, other_port) in &ports[index + 1..] {
            // Port 0 is a free one each time.
            if *port != 0 && port == other_port && host.overlaps(other_host) {
                let fix = "give each its own, or 0 for a free one";
                errors.push(together(loaded, &[first, second], "are the same port", fix));
            }
        }
    }
    errors
}

fn together(loaded: &Loaded, names: &[&'static str], rule: &'static str, fix: &'static str) -> Error {
    Error::Together {
        values: values(loaded, names),
        rule,
        fix,
    }
}

/// Keys with their values and places.
fn values(loaded: &Loaded, names: &[&'static str]) -> Vec<(&'static str, String, Origin)> {
    let value = |name: &&'static str| {
        let key = Key::find(name)?;
        Some((*name, key.show(&loaded.config), loaded.origin(key)))
    };
    names.iter().filter_map(value).collect()
}
