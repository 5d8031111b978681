//! What the proxy counts, seen from outside.

use prost::Message as _;

use crate::harness::{CELL, Function, JOB, LOG, Proxy, add, ask, done, read, run, start, whole};

const PASSIVATION: (&str, &str) = ("entity.passivation-timeout", "50ms");

#[test]
fn the_life_of_an_event_sourced_entity_is_counted() {
    run(async {
        let (proxy, function, client) = start(&[]).await;
        let first = client.begin(LOG, &ask("a", "hold, add", "x")).await;
        function.saw("a: command 1 hold, add x").await;
        let second = client.begin(LOG, &ask("a", "snapshot", "y")).await;
        let third = client.begin(LOG, &add("a", "z")).await;
        let waiting = proxy
            .scrape_until(|scrape| scrape.log("queued_commands") == 2.0)
            .await;
        assert_eq!(waiting.log("active_entities"), 1.0);
        function.release();
        for call in [first, second, third] {
            assert_eq!(call.answer().await.status().0, 0);
        }
        // It comes back from its snapshot and one event.
        assert_eq!(
            client.call(LOG, &ask("a", "restart", "again")).await.status().0,
            2
        );
        proxy
            .scrape_until(|scrape| scrape.log("recovery_time_seconds_count") == 2.0)
            .await;
        assert_eq!(client.text(LOG, read("a")).await, "x,y,z");
        assert_eq!(
            client
                .call(LOG, &ask("a", "fail the stream", ""))
                .await
                .status()
                .0,
            2
        );

        let seen = proxy
            .scrape_until(|scrape| scrape.log("passivated_entities_total") == 2.0)
            .await;
        for (name, value) in [
            ("activated_entities_total", 2.0),
            ("failed_entities_total", 1.0),
            ("active_entities", 0.0),
            ("received_commands_total", 6.0),
            ("completed_commands_total", 6.0),
            ("failed_commands_total", 2.0),
            ("stashed_commands_total", 2.0),
            ("unstashed_commands_total", 2.0),
            ("queued_commands", 0.0),
            ("persisted_events_total", 3.0),
            ("persisted_snapshots_total", 1.0),
            ("loaded_snapshots_total", 1.0),
            ("loaded_events_total", 1.0),
            ("command_stash_time_seconds_count", 2.0),
            ("command_total_time_seconds_count", 6.0),
            ("turn_time_seconds_count", 6.0),
            ("persist_time_seconds_count", 3.0),
            ("recovery_time_seconds_count", 2.0),
            ("entity_active_time_seconds_count", 2.0),
        ] {
            assert_eq!(seen.log(name), value, "{name}");
        }
        let event = f64::from(u32::try_from(done("x").encoded_len()).unwrap());
        assert_eq!(seen.log("persisted_event_bytes_total"), 3.0 * event);
        assert_eq!(seen.log("loaded_event_bytes_total"), event);
        assert!(seen.log("turn_time_seconds_sum") <= seen.log("command_total_time_seconds_sum"));
    });
}

#[test]
fn values_actions_forwards_and_effects_are_counted() {
    run(async {
        let (proxy, _function, client) = start(&[]).await;
        let request = add("j", "")
            .effect(CELL, add("c", "x"), true)
            .effect(LOG, ask("l", "decline", "no"), false)
            .forward(CELL, add("c", "y"));
        assert_eq!(client.text(JOB, request).await, "x,y");
        assert_eq!(client.call(JOB, &ask("j", "decline", "no")).await.status().0, 2);
        client.call(CELL, &ask("c", "delete", "")).await;
        let failed = "cloudstate_runtime_failed_side_effects_total";
        let seen = proxy
            .scrape_until(|scrape| scrape.value(failed, &[]) == 1.0)
            .await;
        for (name, labels, value) in [
            (
                "cloudstate_action_received_commands_total",
                ("entity_name", "whole.Job"),
                2.0,
            ),
            (
                "cloudstate_action_completed_commands_total",
                ("entity_name", "whole.Job"),
                2.0,
            ),
            (
                "cloudstate_action_failed_commands_total",
                ("entity_name", "whole.Job"),
                1.0,
            ),
            (
                "cloudstate_action_command_processing_time_seconds_count",
                ("entity_name", "whole.Job"),
                2.0,
            ),
            (
                "cloudstate_valueentity_persisted_values_total",
                ("entity_name", "cell"),
                2.0,
            ),
            (
                "cloudstate_valueentity_deleted_values_total",
                ("entity_name", "cell"),
                1.0,
            ),
            (
                "cloudstate_runtime_side_effects_total",
                ("synchronous", "true"),
                1.0,
            ),
            (
                "cloudstate_runtime_side_effects_total",
                ("synchronous", "false"),
                1.0,
            ),
        ] {
            assert_eq!(seen.value(name, &[labels]), value, "{name}");
        }
        assert_eq!(seen.value("cloudstate_runtime_forwards_total", &[]), 1.0);
        assert_eq!(seen.value("cloudstate_runtime_calls_in_flight", &[]), 0.0);
    });
}

#[test]
fn a_value_is_counted_when_it_is_loaded_again() {
    run(async {
        let (proxy, function, client) = start(&[PASSIVATION]).await;
        client.text(CELL, add("c", "x")).await;
        function.saw("c: half-closed").await;
        client.text(CELL, read("c")).await;
        let seen = proxy.scrape().await;
        let cell = |name: &str| seen.value(name, &[("entity_name", "cell")]);
        assert_eq!(cell("cloudstate_valueentity_loaded_values_total"), 1.0);
        let value = f64::from(u32::try_from(done("x").encoded_len()).unwrap());
        assert_eq!(cell("cloudstate_valueentity_loaded_value_bytes_total"), value);
        assert_eq!(cell("cloudstate_valueentity_activated_entities_total"), 2.0);
    });
}

#[test]
fn what_is_shed_is_counted_by_reason() {
    run(async {
        let flags = [("entity.queue-commands", "1"), ("runtime.max-in-flight", "3")];
        let (proxy, function, client) = start(&flags).await;
        let running = client.begin(LOG, &ask("a", "hold, add", "x")).await;
        function.saw("a: command 1 hold, add x").await;
        let waiting = client.begin(LOG, &add("a", "y")).await;
        proxy
            .scrape_until(|scrape| scrape.log("queued_commands") == 1.0)
            .await;
        assert_eq!(client.call(LOG, &add("a", "z")).await.status().0, 8);
        let other = client.begin(LOG, &ask("b", "hold, add", "x")).await;
        function.saw("b: command 1 hold, add x").await;
        assert_eq!(client.call(LOG, &add("c", "x")).await.status().0, 14);
        let seen = proxy.scrape().await;
        let shed = |reason| seen.value("cloudstate_runtime_shed_commands_total", &[("reason", reason)]);
        assert_eq!(shed("entity_queue"), 1.0);
        assert_eq!(shed("max_in_flight"), 1.0);
        assert_eq!(shed("draining"), 0.0);
        assert_eq!(seen.value("cloudstate_runtime_calls_in_flight", &[]), 3.0);
        function.release_times(2);
        for call in [running, waiting, other] {
            assert_eq!(call.answer().await.status().0, 0);
        }
    });
}

#[test]
fn a_new_declaration_goes_on_counting() {
    run(async {
        let (proxy, mut function, client) = start(&[]).await;
        client.text(LOG, add("a", "x")).await;
        function.crash().await;
        let mut entities = crate::harness::whole();
        entities.entities.pop();
        let seen = proxy.events();
        function.come_back(entities);
        let serving = |event: &cloudstate_proxy::Event| {
            matches!(event, cloudstate_proxy::Event::Serving { .. }).then_some(())
        };
        proxy.event_after(seen, serving).await.unwrap();
        client.text(LOG, add("a", "y")).await;
        let scrape = proxy.scrape().await;
        assert_eq!(scrape.log("received_commands_total"), 2.0);
        let labels = [("code", "OK"), ("method", "Act"), ("service", "whole.Log")];
        assert_eq!(scrape.value("cloudstate_gateway_requests_total", &labels), 2.0);
    });
}

#[test]
fn the_link_to_the_function_and_its_discovery_are_counted() {
    run(async {
        let mut function = Function::start(whole());
        let proxy = Proxy::start(function.port, &[("runtime.threads", "1")]);
        let client = proxy.client().await;
        client.text(LOG, add("a", "x")).await;
        let seen = proxy.scrape().await;
        // One for discovery, one for the entities.
        assert_eq!(seen.value("cloudstate_function_connections_open", &[]), 2.0);
        assert_eq!(seen.value("cloudstate_function_streams_open", &[]), 1.0);
        assert_eq!(
            seen.value(
                "cloudstate_discovery_declarations_total",
                &[("verdict", "accepted")]
            ),
            1.0
        );
        let failed = client.call(JOB, &ask("j", "end with a status", "no")).await;
        assert_eq!(failed.status().0, 5);
        let held = client.begin(LOG, &ask("a", "hold, add", "y")).await;
        function.saw("a: command 2 hold, add y").await;
        function.crash().await;
        assert_eq!(held.answer().await.status().0, 14);
        let lost = "cloudstate_discovery_losses_total";
        let gone = [("outcome", "failed")];
        let seen = proxy
            .scrape_until(|scrape| {
                scrape.value(lost, &[]) == 1.0
                    && scrape.value("cloudstate_discovery_attempts_total", &gone) > 0.0
                    && scrape.value("cloudstate_function_streams_open", &[]) == 0.0
                    && scrape.value("cloudstate_function_connections_open", &[]) == 0.0
            })
            .await;
        let errors = |kind| seen.value("cloudstate_function_stream_errors_total", &[("kind", kind)]);
        assert_eq!(errors("status"), 1.0);
        assert!(errors("connection_lost") >= 1.0);
        assert!(seen.value("cloudstate_function_failed_connections_total", &[]) > 0.0);
        assert!(seen.value("cloudstate_function_connections_total", &[]) >= 2.0);
    });
}

#[test]
#[cfg(target_os = "linux")]
fn the_process_tells_what_it_uses() {
    run(async {
        let (proxy, _function, _client) = start(&[]).await;
        let seen = proxy.scrape().await;
        for name in [
            "process_cpu_seconds_total",
            "process_resident_memory_bytes",
            "process_virtual_memory_bytes",
            "process_open_fds",
            "process_max_fds",
            "process_threads",
            "process_start_time_seconds",
        ] {
            assert!(seen.value(name, &[]) > 0.0, "{name}");
        }
        let version = [("version", env!("CARGO_PKG_VERSION"))];
        assert_eq!(seen.value("cloudstate_build_info", &version), 1.0);
    });
}

#[test]
fn a_restart_counts_each_command_once() {
    run(async {
        let (proxy, function, client) = start(&[]).await;
        let first = client.begin(LOG, &ask("a", "hold, restart", "again")).await;
        function.saw("a: command 1 hold, restart again").await;
        let others = [
            client.begin(LOG, &add("a", "x")).await,
            client.begin(LOG, &add("a", "y")).await,
        ];
        proxy
            .scrape_until(|scrape| scrape.log("queued_commands") == 2.0)
            .await;
        function.release();
        assert_eq!(first.answer().await.status().0, 2);
        for other in others {
            assert_eq!(other.answer().await.status().0, 0);
        }
        let seen = proxy.scrape().await;
        for (name, value) in [
            ("received_commands_total", 3.0),
            ("completed_commands_total", 3.0),
            ("failed_commands_total", 1.0),
            ("stashed_commands_total", 2.0),
            ("unstashed_commands_total", 2.0),
            ("activated_entities_total", 2.0),
            ("passivated_entities_total", 1.0),
            // The function asked for it: nothing failed.
            ("failed_entities_total", 0.0),
            ("active_entities", 1.0),
        ] {
            assert_eq!(seen.log(name), value, "{name}");
        }
    });
}

#[test]
fn readiness_is_a_metric_too() {
    run(async {
        let mut function = Function::start(whole());
        let proxy = Proxy::start(function.port, &[]);
        proxy.address().await;
        let ready = |scrape: &crate::harness::scrape::Scrape, component| {
            scrape.value("cloudstate_ready", &[("component", component)]) == 1.0
        };
        proxy
            .scrape_until(|scrape| {
                ["function", "store", "proxy"]
                    .iter()
                    .all(|part| ready(scrape, part))
            })
            .await;
        function.crash().await;
        let seen = proxy.scrape_until(|scrape| !ready(scrape, "function")).await;
        assert!(ready(&seen, "store") && ready(&seen, "proxy"));
    });
}

/// Whatever callers send, and whatever the function forwards to, the series stay the same.
#[test]
fn strangers_make_no_series() {
    run(async {
        let (proxy, _function, client) = start(&[]).await;
        let http = proxy.http().await;
        let mut few = None;
        for number in 0..50 {
            let (name, id) = (format!("/nope.Nope{number}/Nope"), number.to_string());
            assert_eq!(client.call(&name, &add("a", "x")).await.status().0, 12);
            assert_eq!(
                client
                    .call(&format!("/whole.Log/Nope{number}"), &add("a", "x"))
                    .await
                    .status()
                    .0,
                12
            );
            assert_eq!(http.send("GET", &name, "").await.status(), 404);
            client.text(LOG, add(&id, "x")).await;
            client.text(CELL, add(&id, "x")).await;
            let nowhere = add("j", "x").forward(&name, add("n", "x"));
            assert_ne!(client.call(JOB, &nowhere).await.status().0, 0);
            let series = proxy.scrape().await.samples.len();
            assert_eq!(*few.get_or_insert(series), series, "{number}");
        }
    });
}
