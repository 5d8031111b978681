use crate::Warning;
use crate::testing::action;

#[test]
fn well_formed_eventing_is_accepted_with_a_warning() {
    let (catalog, warnings) = action(
        r#"message M {}
        service Service {
            rpc Log(M) returns (M) { option (cloudstate.eventing) = { in: { event_log: "carts" } }; }
            rpc Publish(M) returns (M) { option (cloudstate.eventing).out.topic = "news"; }
            rpc Both(M) returns (M) { option (cloudstate.eventing) = { in: { topic: "a" } out: { topic: "b" } }; }
            rpc Plain(M) returns (M);
        }"#,
    )
    .unwrap();
    assert_eq!(catalog.methods().len(), 4, "all stay callable");
    assert_eq!(
        warnings.iter().map(ToString::to_string).collect::<Vec<_>>(),
        [
            "test.Service.Log: subscription to [carts] is not active in this version",
            "test.Service.Publish: publication to [news] is not active in this version",
            "test.Service.Both: subscription to [a] is not active in this version, nor is publication to [b]",
        ]
    );
    assert!(warnings.iter().all(Warning::is_reported));
}

#[test]
fn what_subscribes_and_has_no_http_rule_is_there_for_events() {
    let (catalog, _) = action(
        r#"message M {}
        service Service {
            rpc Log(M) returns (M) { option (cloudstate.eventing).in.event_log = "carts"; }
            rpc Bound(M) returns (M) {
                option (cloudstate.eventing).in.topic = "a";
                option (google.api.http) = { post: "/bound" body: "*" };
            }
            rpc Publish(M) returns (M) { option (cloudstate.eventing).out.topic = "news"; }
            rpc Plain(M) returns (M);
        }"#,
    )
    .unwrap();
    let for_events = catalog
        .methods()
        .iter()
        .filter(|method| catalog.is_for_events(method));
    assert_eq!(
        for_events.map(|method| &*method.name).collect::<Vec<_>>(),
        ["Log"]
    );
}

#[test]
fn malformed_eventing_is_refused() {
    let refused = |first: &str, second: &str| {
        let text = format!(
            "message M {{}} service Service {{
                rpc A(M) returns (M) {{ option (cloudstate.eventing) = {{ {first} }}; }}
                rpc B(M) returns (M) {{ option (cloudstate.eventing) = {{ {second} }}; }} }}"
        );
        action(&text).map(|_| ()).map_err(|error| error.to_string())
    };
    for no_source in ["in: {}", "in: { consumer_group: 'g' }", "in: { topic: '' }"] {
        assert_eq!(
            refused(no_source, ""),
            Err("Service call [test.Service.A] has declared an event in with no source. Name a topic or an event_log. \
                 (service [test.Service] in file [test.proto])"
                .to_owned())
        );
    }
    assert!(
        refused("", "out: {}")
            .unwrap_err()
            .starts_with("Service call [test.Service.B] has declared an event out with no topic.")
    );
    assert!(
        refused("in: { topic: 't' } out: { topic: 't' }", "")
            .unwrap_err()
            .starts_with(
                "Endpoint [test.Service.A] has the same input topic as output topic [t], this is not allowed."
            )
    );
    assert!(refused("in: { event_log: 'l' }", "in: { event_log: 'l' consumer_group: 'test.Service' }").unwrap_err().starts_with(
        "Endpoints [test.Service.A] and [test.Service.B] both subscribe to the same event source with the same input type."
    ));
    assert_eq!(
        refused(
            "in: { event_log: 'l' }",
            "in: { event_log: 'l' consumer_group: 'g' }"
        ),
        Ok(())
    );
    assert_eq!(
        refused("in: { event_log: 'l' }", "in: { topic: 'l' } out: { topic: 'x' }"),
        Ok(())
    );
}
