//! A real server: how one gets to it, what is refused, and what happens when it dies or the way to it breaks.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by a panic")]

mod relay;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use cloudstate_store::{Backend, EntityKey, Error, Options as StoreOptions, Outcome, Store, block_on};
use cloudstate_store_conformance::{applied, event, key, write_events};
use cloudstate_store_postgres::{FORMAT, Options, Postgres};
use cloudstate_test_support::PostgresServer;
use relay::{Relay, Way};

fn open(url: &str) -> Result<Store, Error> {
    let backend = Arc::new(Postgres::open(Options::from_url(url).unwrap())?);
    let options = StoreOptions {
        shards: 8,
        resolve_within: Duration::from_secs(30),
        ..StoreOptions::default()
    };
    block_on(Store::open(backend as Arc<dyn Backend>, options))
}

fn refusal(url: &str) -> String {
    open(url).err().expect("it is refused").to_string()
}

/// A port that is free now.
fn port() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port().to_string()
}

#[test]
fn a_server_is_reached_by_password_certificate_and_tls_and_a_stranger_is_refused() {
    let port = port();
    let settings = [("PG_TLS", "1".to_owned()), ("PG_PORT", port.clone())];
    let Some(server) = PostgresServer::start("TLS to PostgreSQL", &settings) else {
        return;
    };
    let of = |file: &str| server.directory().join(file).display().to_string();
    let ca = of("ca.crt");
    let full = format!("sslmode=verify-full&sslrootcert={ca}");
    let at = |user: &str, host: &str, database: &str, more: &str| {
        format!("postgres://{user}@{host}:{port}/{database}?{more}")
    };
    let store = open(&at("cloudstate:secret", "localhost", "cloudstate", &full)).unwrap();
    applied(&store, write_events(&key("a"), 0, vec![event("one")]));
    drop(store);
    let own = format!("{full}&sslcert={}&sslkey={}", of("client.crt"), of("client.key"));
    drop(open(&at("cloudstate", "localhost", "certified", &own)).unwrap());
    let ca_only = format!("sslmode=verify-ca&sslrootcert={ca}");
    drop(open(&at("cloudstate:secret", "127.0.0.1", "cloudstate", &ca_only)).unwrap());
    for (url, told) in [
        (
            at("cloudstate:wrong", "localhost", "cloudstate", &full),
            "password",
        ),
        (
            at("cloudstate:secret", "127.0.0.1", "cloudstate", &full),
            "certificate",
        ),
        (
            at(
                "cloudstate:secret",
                "localhost",
                "cloudstate",
                "sslmode=verify-full",
            ),
            "certificate",
        ),
        (
            at("cloudstate:secret", "localhost", "cloudstate", "sslmode=disable"),
            "no encryption",
        ),
        (at("cloudstate", "localhost", "certified", &full), "certificate"),
        (at("cloudstate:secret", "localhost", "nowhere", &full), "nowhere"),
        (
            at(
                "cloudstate:secret",
                "localhost",
                "cloudstate",
                "sslmode=verify-ca&sslrootcert=/no.crt",
            ),
            "/no.crt",
        ),
    ] {
        let refused = refusal(&url);
        assert!(refused.contains(told), "{url}: {refused}");
        assert!(
            !refused.contains("secret") && !refused.contains("wrong"),
            "{refused}"
        );
    }
}

#[test]
fn an_unsafe_server_is_refused() {
    let settings = [("PG_CONF", "fsync = off".to_owned())];
    let Some(server) = PostgresServer::start("fsync of PostgreSQL", &settings) else {
        return;
    };
    let refused = refusal(&server.fresh_url());
    assert!(refused.contains("fsync = off"), "{refused}");
}

#[test]
fn the_schema_is_made_once_checked_and_never_lowered() {
    let Some(server) = PostgresServer::shared("the schema in PostgreSQL") else {
        return;
    };
    let url = server.fresh_url();
    let refused = refusal(&format!("{url}&migrate=check"));
    assert!(refused.contains("store migrate"), "{refused}");
    // Several nodes at once.
    std::thread::scope(|scope| {
        let nodes: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| Postgres::open(Options::from_url(&url).unwrap()).map(drop)))
            .collect();
        for node in nodes {
            node.join().unwrap().unwrap();
        }
    });
    assert_eq!(
        Postgres::migrate(Options::from_url(&url).unwrap()).unwrap(),
        (FORMAT, FORMAT)
    );
    drop(open(&format!("{url}&migrate=check")).unwrap());
    let schema = url.split_once("schema=").unwrap().1;
    server.sql(&format!("UPDATE {schema}.format SET version = 99"));
    assert!(matches!(
        open(&url).err().unwrap(),
        Error::Format { found: 99, .. }
    ));
    // Tables of somebody else are left alone.
    let url = server.fresh_url();
    let schema = url.split_once("schema=").unwrap().1;
    server.sql(&format!("CREATE SCHEMA {schema} CREATE TABLE events (mine int)"));
    let refused = refusal(&url);
    assert!(
        refused.contains("permission denied") || refused.contains("exists"),
        "{refused}"
    );
}

#[test]
fn a_read_only_server_is_named_and_is_used_again_when_it_writes() {
    let Some(server) = PostgresServer::start("a read-only PostgreSQL", &[]) else {
        return;
    };
    let url = server.fresh_url();
    let store = open(&url).unwrap();
    applied(&store, write_events(&key("a"), 0, vec![event("one")]));
    server.sql("ALTER DATABASE cloudstate SET default_transaction_read_only = on");
    server
        .sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'cloudstate'");
    let refused = loop {
        match block_on(store.commit(write_events(&key("a"), 1, vec![event("x")]))) {
            Outcome::NotApplied(error) => break error,
            Outcome::Unknown => {}
            other => panic!("{other:?}"),
        }
    };
    assert!(store.stats().failing.is_some(), "{refused}");
    server.sql("SET TRANSACTION READ WRITE; ALTER DATABASE cloudstate RESET default_transaction_read_only");
    until_applied(&store, &key("a"), 1);
    assert!(store.stats().failing.is_none());
}

/// Tries until it applies; every other answer says that it did not.
fn until_applied(store: &Store, entity: &EntityKey, after: u64) {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        match block_on(store.commit(write_events(entity, after, vec![event("again")]))) {
            Outcome::Applied { .. } => return,
            Outcome::NotApplied(error) => assert!(Instant::now() < deadline, "{error}"),
            other => panic!("{other:?}"),
        }
    }
}

/// Clients that write, each its own entity, and what they were told.
struct Load {
    store: Store,
    stop: AtomicBool,
}

impl Load {
    /// Writes events that count, until told to stop. Answers how many applied, and whether the next one may have.
    fn client(&self, number: u64) -> (u64, bool) {
        let entity = key(&format!("client-{number}"));
        let mut sequence = 0;
        while !self.stop.load(Ordering::SeqCst) {
            let write = write_events(&entity, sequence, vec![event(sequence.to_string())]);
            match block_on(self.store.commit(write)) {
                Outcome::Applied { .. } => sequence += 1,
                Outcome::NotApplied(_) => std::thread::park_timeout(Duration::from_millis(5)),
                Outcome::Unknown => return (sequence, true),
                other => panic!("{entity}: {other:?}"),
            }
        }
        (sequence, false)
    }

    /// What is stored is what was acknowledged, and at most the one commit whose fate was not told.
    fn verify(&self, told: &HashMap<u64, (u64, bool)>) {
        for (number, (sequence, open)) in told {
            let page = block_on(self.store.events(&key(&format!("client-{number}")), 0, 1 << 30)).unwrap();
            assert!(!page.more);
            let there = page.events.len() as u64;
            assert!(
                there == *sequence || (*open && there == sequence + 1),
                "{there} of {sequence}"
            );
            for (index, (_, payload)) in page.events.iter().enumerate() {
                assert_eq!(payload.value, index.to_string(), "written once, in order");
            }
        }
    }
}

/// Runs clients while `harm` is done, then checks what they were told against the store.
fn survives(url: &str, clean: &str, harm: impl FnOnce(&Store)) {
    let load = Load {
        store: open(url).unwrap(),
        stop: AtomicBool::new(false),
    };
    let told = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..8)
            .map(|number| {
                let load = &load;
                scope.spawn(move || (number, load.client(number)))
            })
            .collect();
        until_more(&load.store, 200);
        harm(&load.store);
        until_more(&load.store, 200);
        load.stop.store(true, Ordering::SeqCst);
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });
    block_on(load.store.close()).unwrap();
    let again = Load {
        store: open(clean).unwrap(),
        stop: AtomicBool::new(true),
    };
    again.verify(&told);
}

/// Waits until so many further commits applied.
fn until_more(store: &Store, more: u64) {
    let wanted = store.stats().applied + more;
    let deadline = Instant::now() + Duration::from_secs(120);
    while store.stats().applied < wanted {
        assert!(Instant::now() < deadline, "{:?}", store.stats());
        std::thread::park_timeout(Duration::from_millis(1));
    }
}

#[test]
fn a_server_killed_and_started_again_under_load_loses_and_repeats_nothing() {
    let Some(server) = PostgresServer::start("a killed PostgreSQL", &[]) else {
        return;
    };
    let url = server.fresh_url();
    survives(&url, &url, |store| {
        for _ in 0..3 {
            server.kill();
            server.start_again();
            until_more(store, 100);
        }
        server.stop();
        server.start_again();
    });
}

#[test]
fn a_connection_cut_in_the_middle_of_a_commit_loses_and_repeats_nothing() {
    let Some(server) = PostgresServer::start("a cut connection to PostgreSQL", &[]) else {
        return;
    };
    let url = server.fresh_url();
    let relay = Relay::start(server.socket());
    let schema = url.split_once('?').unwrap().1;
    let through = format!(
        "postgres://cloudstate@127.0.0.1:{}/cloudstate?{schema}&sslmode=disable&timeout=1000&connect_timeout=2",
        relay.port()
    );
    survives(&through, &url, |store| {
        for way in [
            Way::CutRequests,
            Way::CutAnswers,
            Way::CutAnswers,
            Way::DropAnswers,
        ] {
            relay.harm(way);
            relay.until_harmed();
            relay.heal();
            until_more(store, 100);
        }
        // A server that takes longer than the limit, and one that only takes long.
        relay.delay(Duration::from_millis(300));
        until_more(store, 16);
        relay.delay(Duration::ZERO);
    });
}
