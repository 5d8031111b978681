//! Work for a process that is going to be killed, and the proof that nothing acknowledged was lost.
//!
//! ```text
//!   child:  run(store) ──▶ commits without end, a line on stdout after each acknowledgement ──✂ killed
//!   parent: Acknowledged ◀── lines;  verify(store opened again)
//! ```

use std::collections::HashMap;
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use cloudstate_store::{EntityKey, Idempotency, Outcome, Payload, Snapshot, Store, Write, block_on};

use crate::support::{all_events, event, key, put, write_events};

const WRITERS: u64 = 8;
const ENTITIES: u64 = 3;

/// Commits from several threads until the process dies or a commit is not applied. Goes on where an earlier run on the
/// same store ended.
pub fn run(store: &Store) {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let stop = &stop;
            scope.spawn(move || {
                write(store, writer, stop);
                stop.store(true, Ordering::SeqCst);
            });
        }
    });
}

fn write(store: &Store, writer: u64, stop: &AtomicBool) {
    let mut rounds: Vec<Round> = (0..ENTITIES)
        .map(|entity| Round::load(store, writer, entity))
        .collect();
    while !stop.load(Ordering::SeqCst) {
        for round in &mut rounds {
            if !round.commit_events(store) || !round.commit_value(store) {
                return;
            }
        }
    }
}

/// Where one entity and its value are.
struct Round {
    cart: EntityKey,
    user: EntityKey,
    /// The number of the next commit of events, and the sequence that it follows.
    number: u64,
    sequence: u64,
    version: Option<u64>,
    value: u64,
}

fn names(writer: u64, entity: u64) -> (EntityKey, EntityKey) {
    (
        key(&format!("cart-{writer}-{entity}")),
        key(&format!("user-{writer}-{entity}")),
    )
}

/// How many events commit `number` has.
fn width(number: u64) -> u64 {
    number % 4 + 1
}

impl Round {
    fn load(store: &Store, writer: u64, entity: u64) -> Round {
        let (cart, user) = names(writer, entity);
        let events = all_events(store, &cart);
        let number = commits(&cart, &events);
        let value = block_on(store.value(&user)).expect("reads");
        let version = value.as_ref().map(|v| v.version);
        let value = value.map_or(0, |v| number_of(&v.payload) + 1);
        Round {
            cart,
            user,
            number,
            sequence: events.len() as u64,
            version,
            value,
        }
    }

    fn commit_events(&mut self, store: &Store) -> bool {
        let (number, width) = (self.number, width(self.number));
        let events = (0..width)
            .map(|index| event(format!("{number} {index} {:>150}", "x")))
            .collect();
        let idempotency = (number % 5 == 0).then(|| record(number));
        let write = Write {
            idempotency,
            ..write_events(&self.cart, self.sequence, events)
        };
        if !matches!(block_on(store.commit(write)), Outcome::Applied { .. }) {
            return false;
        }
        acknowledge(&self.cart, number);
        self.sequence += width;
        self.number += 1;
        if number % 10 == 9 {
            store.save_snapshot(
                &self.cart,
                Snapshot {
                    sequence: self.sequence,
                    payload: event("state"),
                },
            );
        }
        true
    }

    fn commit_value(&mut self, store: &Store) -> bool {
        let number = self.value;
        let Outcome::Applied { offset } =
            block_on(store.commit(put(&self.user, self.version, event(format!("{number} v")))))
        else {
            return false;
        };
        acknowledge(&self.user, number);
        (self.version, self.value) = (Some(offset), number + 1);
        true
    }
}

fn record(number: u64) -> Idempotency {
    Idempotency {
        key: format!("key-{number}"),
        recorded: 0,
        expires: u64::MAX >> 1,
        answer: Bytes::from_static(b"a"),
    }
}

/// One write, so that a line is there whole or not at all.
fn acknowledge(entity: &EntityKey, number: u64) {
    let line = format!("{} {number}\n", entity.entity_id());
    let _ = std::io::stdout()
        .write_all(line.as_bytes())
        .and_then(|()| std::io::stdout().flush());
}

fn number_of(payload: &Payload) -> u64 {
    let text = String::from_utf8_lossy(&payload.value);
    text.split(' ')
        .next()
        .and_then(|number| number.parse().ok())
        .expect("a payload of this workload")
}

/// Counts commits; none may be partial, repeated, out of order or changed.
fn commits(entity: &EntityKey, events: &[(u64, Payload)]) -> u64 {
    let mut rest = events.iter().map(|(_, payload)| payload);
    for number in 0.. {
        for index in 0..width(number) {
            match rest.next() {
                None if index == 0 => return number,
                None => panic!("{entity}: commit {number} is there in part: {index} events"),
                Some(payload) => {
                    let expected = event(format!("{number} {index} {:>150}", "x"));
                    assert_eq!(*payload, expected, "{entity}: commit {number}");
                }
            }
        }
    }
    0
}

/// What a killed process had acknowledged.
#[derive(Debug, Default)]
pub struct Acknowledged {
    last: HashMap<String, u64>,
    count: u64,
}

impl Acknowledged {
    /// Takes a line of the child's output; others than acknowledgements are ignored.
    pub fn line(&mut self, line: &str) {
        let Some((entity, number)) = line.split_once(' ') else {
            return;
        };
        let known = entity.starts_with("cart-") || entity.starts_with("user-");
        if let (true, Ok(number)) = (known, number.parse()) {
            self.last.insert(entity.to_owned(), number);
            self.count += 1;
        }
    }

    /// How many commits were acknowledged.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Everything acknowledged is there, nothing is there in part, and at most the one commit that each entity had in
    /// flight is there beyond.
    ///
    /// # Panics
    /// If not.
    pub fn verify(&self, store: &Store) {
        for (writer, entity) in (0..WRITERS).flat_map(|w| (0..ENTITIES).map(move |e| (w, e))) {
            let (cart, user) = names(writer, entity);
            let events = all_events(store, &cart);
            let there = commits(&cart, &events);
            self.check(&cart, there);
            for number in (0..there).filter(|number| number % 5 == 0) {
                let kept = block_on(store.idempotency(&cart, &format!("key-{number}"))).expect("reads");
                assert_eq!(
                    kept,
                    Some(record(number)),
                    "{cart}: the record of commit {number}"
                );
            }
            let snapshot = block_on(store.snapshot(&cart)).expect("reads");
            assert!(
                snapshot.is_none_or(|s| s.sequence <= events.len() as u64),
                "{cart}: a snapshot of the future"
            );
            let value = block_on(store.value(&user)).expect("reads");
            self.check(&user, value.map_or(0, |v| number_of(&v.payload) + 1));
        }
    }

    fn check(&self, entity: &EntityKey, there: u64) {
        // What earlier runs acknowledged is not in this run's lines: then only the lower bound is unknown.
        let Some(last) = self.last.get(&**entity.entity_id()) else {
            return;
        };
        assert!(
            there > *last,
            "{entity}: commit {last} was acknowledged, and {there} are there"
        );
        assert!(
            there <= last + 2,
            "{entity}: {there} commits are there, asked for were {}",
            last + 2
        );
    }
}
