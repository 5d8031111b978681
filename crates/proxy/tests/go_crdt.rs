//! The CRDT models of a published SDK of the original, unmodified: what the original's conformance kit asks of them through
//! a proxy, and every type.

use std::process::Command;

use prost::{Enumeration, Message, Oneof};

use crate::go_function::build;
use crate::harness::process::Process;
use crate::harness::{Client, Proxy, Watch, run};

const TEST: &str = "the_crdt_models_of_the_go_sdk_0_3_0_run_unmodified";
const PACKAGE: &str = "github.com/cloudstateio/go-support/tck/cmd/tck_eventsourced";
const PROCESS: &str = "/cloudstate.tck.model.crdt.CrdtTckModel/Process";
const STREAMED: &str = "/cloudstate.tck.model.crdt.CrdtTckModel/ProcessStreamed";
const TWO: &str = "/cloudstate.tck.model.crdt.CrdtTwo/Call";
const CONFIGURED: &str = "/cloudstate.tck.model.crdt.CrdtConfigured/Call";

#[derive(Clone, PartialEq, Message)]
struct Request {
    #[prost(string, tag = "1")]
    id: String,
    #[prost(message, repeated, tag = "2")]
    actions: Vec<RequestAction>,
}

#[derive(Clone, PartialEq, Message)]
struct StreamedRequest {
    #[prost(string, tag = "1")]
    id: String,
    #[prost(message, optional, tag = "2")]
    end_state: Option<State>,
    #[prost(message, optional, tag = "3")]
    cancel_update: Option<Update>,
    #[prost(message, repeated, tag = "4")]
    effects: Vec<Effect>,
    #[prost(message, optional, tag = "5")]
    initial_update: Option<Update>,
    #[prost(bool, tag = "6")]
    empty: bool,
}

#[derive(Clone, PartialEq, Message)]
struct RequestAction {
    #[prost(oneof = "Act", tags = "1, 2, 3, 4, 5")]
    act: Option<Act>,
}

#[derive(Clone, PartialEq, Oneof)]
enum Act {
    #[prost(message, tag = "1")]
    Update(Update),
    #[prost(message, tag = "2")]
    Delete(()),
    #[prost(message, tag = "3")]
    Forward(Text),
    #[prost(message, tag = "4")]
    Fail(Text),
    #[prost(message, tag = "5")]
    Effect(Effect),
}

#[derive(Clone, PartialEq, Message)]
struct Text {
    #[prost(string, tag = "1")]
    text: String,
}

#[derive(Clone, PartialEq, Message)]
struct Effect {
    #[prost(string, tag = "1")]
    id: String,
    #[prost(bool, tag = "2")]
    synchronous: bool,
}

#[derive(Clone, PartialEq, Message)]
struct Update {
    #[prost(oneof = "Change", tags = "1, 2, 3, 4, 5, 6, 7, 8")]
    change: Option<Change>,
    #[prost(enumeration = "Consistency", tag = "9")]
    write_consistency: i32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Enumeration)]
enum Consistency {
    Local = 0,
    Majority = 1,
    All = 2,
}

#[derive(Clone, PartialEq, Oneof)]
enum Change {
    #[prost(message, tag = "1")]
    GCounter(GCounter),
    #[prost(message, tag = "2")]
    PnCounter(PnCounter),
    #[prost(message, tag = "3")]
    GSet(Text),
    #[prost(message, tag = "4")]
    OrSet(OrSetUpdate),
    #[prost(message, tag = "5")]
    Register(RegisterUpdate),
    #[prost(message, tag = "6")]
    Flag(()),
    #[prost(message, tag = "7")]
    OrMap(OrMapUpdate),
    #[prost(message, tag = "8")]
    Vote(Flag),
}

#[derive(Clone, PartialEq, Message)]
struct GCounter {
    #[prost(uint64, tag = "1")]
    value: u64,
}

#[derive(Clone, PartialEq, Message)]
struct PnCounter {
    #[prost(sint64, tag = "1")]
    change: i64,
}

#[derive(Clone, PartialEq, Message)]
struct Flag {
    #[prost(bool, tag = "1")]
    value: bool,
}

#[derive(Clone, PartialEq, Message)]
struct OrSetUpdate {
    #[prost(oneof = "OrSetAct", tags = "1, 2, 3")]
    act: Option<OrSetAct>,
}

#[derive(Clone, PartialEq, Oneof)]
enum OrSetAct {
    #[prost(string, tag = "1")]
    Add(String),
    #[prost(string, tag = "2")]
    Remove(String),
    #[prost(bool, tag = "3")]
    Clear(bool),
}

#[derive(Clone, PartialEq, Message)]
struct RegisterUpdate {
    #[prost(string, tag = "1")]
    value: String,
    #[prost(message, optional, tag = "2")]
    clock: Option<Clock>,
}

#[derive(Clone, PartialEq, Message)]
struct Clock {
    #[prost(int32, tag = "1")]
    clock_type: i32,
    #[prost(int64, tag = "2")]
    custom_clock_value: i64,
}

#[derive(Clone, PartialEq, Message)]
struct OrMapUpdate {
    #[prost(oneof = "OrMapAct", tags = "1, 2, 3, 4")]
    act: Option<OrMapAct>,
}

#[derive(Clone, PartialEq, Oneof)]
enum OrMapAct {
    #[prost(string, tag = "1")]
    Add(String),
    #[prost(message, tag = "2")]
    Update(EntryUpdate),
    #[prost(string, tag = "3")]
    Remove(String),
    #[prost(bool, tag = "4")]
    Clear(bool),
}

#[derive(Clone, PartialEq, Message)]
struct EntryUpdate {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(message, optional, boxed, tag = "2")]
    update: Option<Box<Update>>,
}

#[derive(Clone, PartialEq, Message)]
struct Response {
    #[prost(message, optional, tag = "1")]
    state: Option<State>,
}

#[derive(Clone, PartialEq, Message)]
struct State {
    #[prost(oneof = "Value", tags = "1, 2, 3, 4, 5, 6, 7, 8")]
    value: Option<Value>,
}

#[derive(Clone, PartialEq, Oneof)]
enum Value {
    #[prost(message, tag = "1")]
    GCounter(GCounter),
    #[prost(message, tag = "2")]
    PnCounter(Number),
    #[prost(message, tag = "3")]
    GSet(Texts),
    #[prost(message, tag = "4")]
    OrSet(Texts),
    #[prost(message, tag = "5")]
    Register(Text),
    #[prost(message, tag = "6")]
    Flag(Flag),
    #[prost(message, tag = "7")]
    OrMap(Entries),
    #[prost(message, tag = "8")]
    Vote(Vote),
}

#[derive(Clone, PartialEq, Message)]
struct Number {
    #[prost(int64, tag = "1")]
    value: i64,
}

#[derive(Clone, PartialEq, Message)]
struct Texts {
    #[prost(string, repeated, tag = "1")]
    texts: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
struct Entries {
    #[prost(message, repeated, tag = "1")]
    entries: Vec<Entry>,
}

#[derive(Clone, PartialEq, Message)]
struct Entry {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(message, optional, tag = "2")]
    value: Option<State>,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct Vote {
    #[prost(bool, tag = "1")]
    self_vote: bool,
    #[prost(int32, tag = "2")]
    votes_for: i32,
    #[prost(int32, tag = "3")]
    total_voters: i32,
}

fn update(change: Change) -> Update {
    Update {
        change: Some(change),
        write_consistency: 0,
    }
}

fn count(change: i64) -> Update {
    update(Change::PnCounter(PnCounter { change }))
}

fn votes(value: bool) -> Update {
    update(Change::Vote(Flag { value }))
}

fn text(text: &str) -> Text {
    Text {
        text: text.to_owned(),
    }
}

fn texts(texts: &[&str]) -> Texts {
    Texts {
        texts: texts.iter().map(|text| (*text).to_owned()).collect(),
    }
}

fn effect(id: &str, synchronous: bool) -> Act {
    Act::Effect(Effect {
        id: id.to_owned(),
        synchronous,
    })
}

fn number(value: i64) -> Value {
    Value::PnCounter(Number { value })
}

fn request(id: &str, acts: Vec<Act>) -> Request {
    Request {
        id: id.to_owned(),
        actions: acts
            .into_iter()
            .map(|act| RequestAction { act: Some(act) })
            .collect(),
    }
}

/// The only message of a successful call.
async fn call(client: &Client, path: &str, id: &str, acts: Vec<Act>) -> Option<Value> {
    let answer = client.call(path, &request(id, acts)).await;
    assert_eq!(answer.status(), (0, String::new()), "{path} {id}");
    let response = Response::decode(answer.body.slice(5..)).expect("a response");
    response.state.and_then(|state| state.value)
}

async fn process(client: &Client, id: &str, acts: Vec<Act>) -> Option<Value> {
    call(client, PROCESS, id, acts).await
}

async fn updated(client: &Client, id: &str, change: Change) -> Option<Value> {
    process(client, id, vec![Act::Update(update(change))]).await
}

async fn deleted(client: &Client, id: &str) {
    let answer = client.call(PROCESS, &request(id, Vec::new())).await;
    assert_eq!(answer.status(), (2, "Entity deleted".to_owned()), "{id}");
}

async fn next(watch: &mut Watch<Response>) -> Option<Value> {
    let response = watch.message().await.expect("a message");
    response.state.and_then(|state| state.value)
}

async fn every_type_changes(client: &Client) {
    let grow = |value| Change::GCounter(GCounter { value });
    assert_eq!(
        updated(client, "GCounter-1", grow(0)).await,
        Some(Value::GCounter(GCounter { value: 0 }))
    );
    assert_eq!(
        updated(client, "GCounter-1", grow(42)).await,
        Some(Value::GCounter(GCounter { value: 42 }))
    );
    for element in ["two", "one", "two"] {
        updated(client, "GSet-1", Change::GSet(text(element))).await;
    }
    let set = process(client, "GSet-1", Vec::new()).await;
    assert_eq!(set, Some(Value::GSet(texts(&["one", "two"]))));
    let set = |act| Change::OrSet(OrSetUpdate { act: Some(act) });
    for act in [
        OrSetAct::Add("one".to_owned()),
        OrSetAct::Add("two".to_owned()),
        OrSetAct::Remove("one".to_owned()),
        OrSetAct::Add("three".to_owned()),
    ] {
        updated(client, "ORSet-1", set(act)).await;
    }
    let left = process(client, "ORSet-1", Vec::new()).await;
    assert_eq!(left, Some(Value::OrSet(texts(&["three", "two"]))));
    let cleared = updated(client, "ORSet-1", set(OrSetAct::Clear(true))).await;
    assert_eq!(cleared, Some(Value::OrSet(texts(&[]))));
    let fresh = process(client, "LWWRegister-1", Vec::new()).await;
    assert_eq!(fresh, Some(Value::Register(text(""))));
    let write = |value: &str, clock_type, custom_clock_value| {
        Change::Register(RegisterUpdate {
            value: value.to_owned(),
            clock: Some(Clock {
                clock_type,
                custom_clock_value,
            }),
        })
    };
    let written = updated(client, "LWWRegister-1", write("one", 0, 0)).await;
    assert_eq!(written, Some(Value::Register(text("one"))));
    // One that is older than the wall clock's loses, and the function is told after its reply.
    let loses = updated(client, "LWWRegister-1", write("older", 2, 5)).await;
    assert_eq!(loses, Some(Value::Register(text("older"))));
    let won = process(client, "LWWRegister-1", Vec::new()).await;
    assert_eq!(won, Some(Value::Register(text("one"))));
    let flag = |value| Some(Value::Flag(Flag { value }));
    assert_eq!(process(client, "Flag-1", Vec::new()).await, flag(false));
    assert_eq!(updated(client, "Flag-1", Change::Flag(())).await, flag(true));
    assert_eq!(updated(client, "Flag-1", Change::Flag(())).await, flag(true));
    maps_change(client).await;
}

async fn maps_change(client: &Client) {
    let map = |act| Change::OrMap(OrMapUpdate { act: Some(act) });
    let entry = |key: &str, change| {
        map(OrMapAct::Update(EntryUpdate {
            key: key.to_owned(),
            update: Some(Box::new(update(change))),
        }))
    };
    let counter = Change::PnCounter(PnCounter { change: 5 });
    for change in [
        map(OrMapAct::Add("PNCounter-1".to_owned())),
        entry("PNCounter-1", counter.clone()),
        entry("ORMap-1", entry("GSet-1", Change::GSet(text("deep")))),
        entry("PNCounter-2", counter),
        map(OrMapAct::Remove("PNCounter-2".to_owned())),
    ] {
        updated(client, "ORMap-1", change).await;
    }
    let of = |key: &str, value| Entry {
        key: key.to_owned(),
        value: Some(State { value: Some(value) }),
    };
    let inner = Entries {
        entries: vec![of("GSet-1", Value::GSet(texts(&["deep"])))],
    };
    let entries = Entries {
        entries: vec![of("ORMap-1", Value::OrMap(inner)), of("PNCounter-1", number(5))],
    };
    let value = process(client, "ORMap-1", Vec::new()).await;
    assert_eq!(value, Some(Value::OrMap(entries)));
}

/// Kit: state changes; write consistency.
async fn a_counter_changes_until_it_is_deleted(client: &Client) {
    assert_eq!(process(client, "PNCounter-1", Vec::new()).await, Some(number(0)));
    let mut total = 0;
    for (change, consistency) in [
        (2, Consistency::Local),
        (5, Consistency::Majority),
        (-10, Consistency::All),
    ] {
        total += change;
        let update = Update {
            write_consistency: consistency as i32,
            ..count(change)
        };
        let value = process(client, "PNCounter-1", vec![Act::Update(update)]).await;
        assert_eq!(value, Some(number(total)));
    }
    let last = process(client, "PNCounter-1", vec![Act::Delete(())]).await;
    assert_eq!(last, Some(number(-3)));
    deleted(client, "PNCounter-1").await;
}

/// Kit: forwards and side effects.
async fn forwards_and_effects_reach_the_second_service(client: &Client) {
    let add = Act::Update(update(Change::GSet(text("one"))));
    let value = process(client, "GSet-2", vec![add]).await;
    assert_eq!(value, Some(Value::GSet(texts(&["one"]))));
    let forward = vec![Act::Forward(text("GSet-2"))];
    assert_eq!(process(client, "GSet-2", forward).await, None);
    let value = process(
        client,
        "GSet-2",
        vec![effect("GSet-2", true), effect("GSet-2", false)],
    )
    .await;
    assert_eq!(value, Some(Value::GSet(texts(&["one"]))));
    call(client, TWO, "GSet-2", vec![Act::Delete(())]).await;
    process(client, "GSet-2", vec![Act::Delete(())]).await;
    deleted(client, "GSet-2").await;
}

/// Kit: failures.
async fn failures_have_their_text(client: &Client) {
    updated(client, "GCounter-2", Change::GCounter(GCounter { value: 42 })).await;
    let answer = client
        .call(
            PROCESS,
            &request("GCounter-2", vec![Act::Fail(text("expected failure"))]),
        )
        .await;
    assert_eq!(answer.status(), (2, "expected failure".to_owned()));
    let value = process(client, "GCounter-2", Vec::new()).await;
    assert_eq!(value, Some(Value::GCounter(GCounter { value: 42 })));
}

/// Kit: streamed responses for connection tracking.
async fn connections_are_tracked_by_a_vote(client: &Client) {
    let vote = |self_vote, votes_for| {
        Some(Value::Vote(Vote {
            self_vote,
            votes_for,
            total_voters: 1,
        }))
    };
    let monitor = StreamedRequest {
        id: "Vote-1".to_owned(),
        ..StreamedRequest::default()
    };
    let mut monitor = Watch::<Response>::begin(client, STREAMED, &monitor).await;
    assert_eq!(next(&mut monitor).await, vote(false, 0));
    let connect = StreamedRequest {
        id: "Vote-1".to_owned(),
        initial_update: Some(votes(true)),
        cancel_update: Some(votes(false)),
        empty: true,
        ..StreamedRequest::default()
    };
    let connection = Watch::<Response>::begin(client, STREAMED, &connect).await;
    assert_eq!(next(&mut monitor).await, vote(true, 1));
    connection.leave();
    assert_eq!(next(&mut monitor).await, vote(false, 0));
    monitor.leave();
    process(client, "Vote-1", vec![Act::Delete(())]).await;
    deleted(client, "Vote-1").await;
}

async fn a_stream_follows_a_counter_to_its_end(client: &Client) {
    let until_three = StreamedRequest {
        id: "PNCounter-3".to_owned(),
        end_state: Some(State {
            value: Some(number(3)),
        }),
        ..StreamedRequest::default()
    };
    let mut watch = Watch::<Response>::begin(client, STREAMED, &until_three).await;
    assert_eq!(next(&mut watch).await, Some(number(0)));
    for (change, total) in [(1, 1), (2, 3)] {
        process(client, "PNCounter-3", vec![Act::Update(count(change))]).await;
        assert_eq!(next(&mut watch).await, Some(number(total)));
    }
    assert_eq!(watch.message().await, Err((0, String::new())));
}

/// Kit: HTTP API.
async fn http_serves_the_same(proxy: &Proxy) {
    let http = proxy.http().await;
    let path = "/tck/model/crdt/PNCounter-4";
    for (body, expected) in [
        ("{}", r#"{"state":{"pncounter":{"value":"0"}}}"#),
        (
            r#"{"actions":[{"update":{"pncounter":{"change":42}}}]}"#,
            r#"{"state":{"pncounter":{"value":"42"}}}"#,
        ),
        (
            r#"{"actions":[{"update":{"pncounter":{"change":-123}}}]}"#,
            r#"{"state":{"pncounter":{"value":"-81"}}}"#,
        ),
    ] {
        let response = http.post(path, body).await;
        assert_eq!(
            (response.status().as_u16(), response.body().as_str()),
            (200, expected)
        );
    }
    let two = http.post(TWO, r#"{"id":"PNCounter-4"}"#).await;
    assert_eq!((two.status().as_u16(), two.body().as_str()), (200, "{}"));
    let failed = http
        .post(path, r#"{"actions":[{"fail":{"message":"expected failure"}}]}"#)
        .await;
    assert_eq!(
        (failed.status().as_u16(), failed.body().as_str()),
        (500, "expected failure")
    );
    let last = http.post(path, r#"{"actions":[{"delete":{}}]}"#).await;
    assert_eq!(last.body(), r#"{"state":{"pncounter":{"value":"-81"}}}"#);
    let gone = http.post(path, "{}").await;
    assert_eq!(
        (gone.status().as_u16(), gone.body().as_str()),
        (500, "Entity deleted")
    );
}

#[test]
fn the_crdt_models_of_the_go_sdk_0_3_0_run_unmodified() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let Some(binary) = build(TEST, PACKAGE, directory.path()) else {
        return;
    };
    run(async {
        let function = Process::start(&mut Command::new(&binary));
        let proxy = Proxy::start(function.port, &[]);
        everything_the_kit_asks(&proxy).await;
    });
}

/// What the original's kit asks of CRDTs through a proxy, of any function with the models.
pub(crate) async fn everything_the_kit_asks(proxy: &Proxy) {
    let client = proxy.client().await;
    a_counter_changes_until_it_is_deleted(&client).await;
    forwards_and_effects_reach_the_second_service(&client).await;
    failures_have_their_text(&client).await;
    connections_are_tracked_by_a_vote(&client).await;
    a_stream_follows_a_counter_to_its_end(&client).await;
    every_type_changes(&client).await;
    http_serves_the_same(proxy).await;

    // Kit: passivation, after the 100 ms that the entity declares.
    call(&client, CONFIGURED, "PNCounter-5", Vec::new()).await;
    let configured = [("entity_name", "cloudstate.tck.model.crdt.CrdtConfigured")];
    proxy
        .scrape_until(|scrape| scrape.value("cloudstate_crdt_active_entities", &configured) == 0.0)
        .await;
}
