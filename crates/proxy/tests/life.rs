//! What is kept and when: passivation, restarts, draining; and ports and stores that cannot be had.

use std::time::Duration;

use cloudstate_proxy::RunError;

use crate::harness::{CELL, Client, Function, JOB, LOG, Proxy, add, ask, read, run, start, whole};

const UNAVAILABLE: u32 = 14;

fn sqlite(directory: &tempfile::TempDir) -> String {
    format!("sqlite:{}", directory.path().join("store").display())
}

#[test]
fn an_idle_entity_leaves_and_is_loaded_again() {
    run(async {
        let (_proxy, function, client) = start(&[("entity.passivation-timeout", "50ms")]).await;
        client.text(LOG, add("log", "1")).await;
        client.text(CELL, add("cell", "1")).await;
        function.saw("log: half-closed").await;
        function.saw("cell: half-closed").await;
        assert_eq!(client.text(LOG, add("log", "2")).await, "1,2");
        assert_eq!(client.text(CELL, add("cell", "2")).await, "1,2");
        function.saw("log: event 1").await;
        function.saw("cell: init 1").await;

        client.text(LOG, ask("log", "snapshot", "3")).await;
        client.text(LOG, add("log", "4")).await;
        client.text(CELL, ask("cell", "delete", "")).await;
        function.saw_times("log: half-closed", 2).await;
        function.saw_times("cell: half-closed", 2).await;
        assert_eq!(client.text(LOG, read("log")).await, "1,2,3,4");
        assert_eq!(client.text(CELL, read("cell")).await, "");
        function.saw("log: init 1,2,3").await;
        assert!(
            !function.log().contains(&"log: event 3".to_owned()),
            "the snapshot was not used"
        );
    });
}

#[test]
fn a_time_of_its_own_is_taken_from_the_declaration() {
    use cloudstate_protocol::{
        EntityPassivationStrategy, TimeoutPassivationStrategy, entity_passivation_strategy::Strategy,
    };
    run(async {
        let mut spec = whole();
        spec.entities[0].passivation_strategy = Some(EntityPassivationStrategy {
            strategy: Some(Strategy::Timeout(TimeoutPassivationStrategy { timeout: 20 })),
        });
        let function = Function::start(spec);
        let proxy = Proxy::start(function.port, &[]);
        proxy.client().await.text(LOG, add("a", "x")).await;
        function.saw("a: half-closed").await;
    });
}

#[test]
fn the_longest_idle_entity_makes_room_and_busy_ones_are_not_disturbed() {
    run(async {
        let flags = [("runtime.threads", "1"), ("entity.max-active", "2")];
        let (_proxy, function, client) = start(&flags).await;
        client.text(LOG, add("first", "x")).await;
        let held = client.begin(LOG, &ask("busy", "hold, add", "x")).await;
        function.saw("busy: command 1 hold, add x").await;
        client.text(LOG, add("second", "x")).await;
        function.saw("first: half-closed").await;
        let more = client.begin(LOG, &ask("second", "hold, add", "y")).await;
        function.saw("second: command 2 hold, add y").await;

        let answer = client.call(LOG, &read("third")).await;
        let (code, text) = answer.status();
        assert_eq!(code, UNAVAILABLE, "{text}");
        assert!(text.contains("2 entities are active"), "{text}");
        assert_eq!(answer.header("retry-after"), Some("1"));
        function.release_times(2);
        assert_eq!(held.answer().await.text(), "x");
        assert_eq!(more.answer().await.text(), "x,y");
        assert_eq!(client.text(LOG, read("first")).await, "x");
    });
}

/// Changes entities of both kinds in every way.
async fn change_all(client: &Client) {
    for n in 0..20 {
        for path in [LOG, CELL] {
            let id = format!("{path}{}", n % 5);
            client.text(path, add(&id, &n.to_string())).await;
        }
    }
    client.text(LOG, ask("/whole.Log/Act0", "snapshot", "s")).await;
    client.text(LOG, add("/whole.Log/Act0", "after")).await;
    client.text(CELL, ask("/whole.Cell/Act0", "delete", "")).await;
}

async fn all_is_there(client: &Client) {
    for id in 1..5 {
        let expected = format!("{id},{},{},{}", id + 5, id + 10, id + 15);
        for path in [LOG, CELL] {
            assert_eq!(client.text(path, read(&format!("{path}{id}"))).await, expected);
        }
    }
    assert_eq!(
        client.text(LOG, read("/whole.Log/Act0")).await,
        "0,5,10,15,s,after"
    );
    assert_eq!(client.text(CELL, read("/whole.Cell/Act0")).await, "");
}

#[test]
fn everything_is_there_after_a_restart_of_the_proxy() {
    run(async {
        let directory = tempfile::tempdir().unwrap();
        let store = sqlite(&directory);
        let function = Function::start(whole());
        let proxy = Proxy::start(function.port, &[("store.url", &store)]);
        change_all(&proxy.client().await).await;
        proxy.stop().await;
        for _ in 0..2 {
            let proxy = Proxy::start(function.port, &[("store.url", &store)]);
            all_is_there(&proxy.client().await).await;
            proxy.stop().await;
        }
        function.saw("/whole.Log/Act0: init 0,5,10,15,s").await;
    });
}

#[test]
fn a_store_in_memory_forgets_at_the_end() {
    run(async {
        let function = Function::start(whole());
        for _ in 0..2 {
            let proxy = Proxy::start(function.port, &[]);
            assert_eq!(proxy.client().await.text(LOG, add("a", "x")).await, "x");
            proxy.stop().await;
        }
    });
}

#[test]
fn shutting_down_lets_calls_in_progress_end() {
    run(async {
        let directory = tempfile::tempdir().unwrap();
        let store = sqlite(&directory);
        let flags = [("store.url", &*store), ("runtime.drain-timeout", "30s")];
        let (proxy, function, client) = {
            let function = Function::start(whole());
            let proxy = Proxy::start(function.port, &flags);
            let client = proxy.client().await;
            (proxy, function, client)
        };
        let address = proxy.address().await;
        let mut calls = Vec::new();
        for path in [LOG, CELL, JOB] {
            calls.push(client.begin(path, &ask(path, "hold, add", "x")).await);
        }
        function.saw(&format!("{LOG}: command 1 hold, add x")).await;
        function.saw(&format!("{CELL}: command 1 hold, add x")).await;
        function.saw("job: hold, add x").await;
        proxy.shut_down();
        // The port closes at once.
        while tokio::net::TcpStream::connect(address).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        function.release_times(3);
        for call in calls {
            assert_eq!(call.answer().await.text(), "x");
        }
        proxy.ended().await.unwrap();
        function.saw(&format!("{LOG}: half-closed")).await;
        function.saw(&format!("{CELL}: half-closed")).await;

        let proxy = Proxy::start(function.port, &flags);
        let client = proxy.client().await;
        assert_eq!(client.text(LOG, read(LOG)).await, "x");
        assert_eq!(client.text(CELL, read(CELL)).await, "x");
        proxy.stop().await;
    });
}

#[test]
fn shutting_down_does_not_wait_longer_than_it_may() {
    run(async {
        let (proxy, function, client) = start(&[("runtime.drain-timeout", "100ms")]).await;
        let call = client.begin(LOG, &ask("a", "hold, add", "x")).await;
        function.saw("a: command 1 hold, add x").await;
        let began = std::time::Instant::now();
        proxy.stop().await;
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        // Cut off or refused, but not left without an end.
        if let Ok(answer) = call.try_answer().await {
            assert_ne!(answer.status().0, 0);
        }
    });
}

#[test]
fn a_port_in_use_ends_the_start_at_once() {
    run(async {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port().to_string();
        // No function is needed to notice.
        let error = Proxy::start(1, &[("http.port", &port)])
            .ended()
            .await
            .unwrap_err();
        assert!(matches!(error, RunError::Listen(_)), "{error}");
        let text = error.to_string();
        assert!(
            text.contains(&port) && text.contains("http.port") && text.contains("in use"),
            "{text}"
        );
    });
}

#[test]
fn a_store_that_another_proxy_has_open_ends_the_start_at_once() {
    run(async {
        let directory = tempfile::tempdir().unwrap();
        let store = sqlite(&directory);
        let function = Function::start(whole());
        let first = Proxy::start(function.port, &[("store.url", &store)]);
        let client = first.client().await;
        let error = Proxy::start(function.port, &[("store.url", &store)])
            .ended()
            .await
            .unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, RunError::Store(_)), "{text}");
        let id = std::process::id().to_string();
        assert!(text.contains(&id), "it does not say which process: {text}");
        assert_eq!(client.text(LOG, add("a", "x")).await, "x");
    });
}

#[test]
fn a_store_that_cannot_be_made_ends_the_start_at_once() {
    run(async {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        std::fs::write(&file, "in the way").unwrap();
        let store = format!("sqlite:{}", file.join("store").display());
        let error = Proxy::start(1, &[("store.url", &store)])
            .ended()
            .await
            .unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, RunError::Store(_)), "{text}");
        assert!(text.contains(&file.display().to_string()), "{text}");
    });
}
