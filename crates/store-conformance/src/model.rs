//! Any history of commits, faults and restarts against a plain model.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use cloudstate_store::{Backend, EntityKey, Options, Outcome, Payload, Snapshot, Store, Write, block_on};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::support::*;
use crate::{Fault, Faulty};

#[derive(Debug, Clone)]
enum Step {
    /// Entity, how far the expected sequence is off, texts.
    Events(u8, i8, Vec<String>),
    /// Entity, whether the expected version is right, text.
    Put(u8, bool, String),
    Delete(u8, bool),
    Snapshot(u8, String),
    Fault(Fault),
    /// Several commits at once, each of one event.
    Burst(Vec<u8>),
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let off = prop_oneof![8 => Just(0i8), 1 => Just(1i8), 1 => Just(-1i8)];
    let right = prop::bool::weighted(0.9);
    let fault = prop_oneof![
        Just(Fault::LoseAnswer),
        Just(Fault::LoseBatch),
        Just(Fault::Delay),
        Just(Fault::Refuse)
    ];
    prop_oneof![
        6 => (0u8..4, off, prop::collection::vec("[a-c]{0,5}", 1..4)).prop_map(|(e, o, t)| Step::Events(e, o, t)),
        4 => (0u8..4, right, "[a-c]{0,5}").prop_map(|(e, r, t)| Step::Put(e, r, t)),
        2 => (0u8..4, right).prop_map(|(e, r)| Step::Delete(e, r)),
        2 => (0u8..4, "[a-c]{0,5}").prop_map(|(e, t)| Step::Snapshot(e, t)),
        2 => fault.prop_map(Step::Fault),
        2 => prop::collection::vec(0u8..4, 1..10).prop_map(Step::Burst),
        1 => Just(Step::Reopen),
    ]
}

#[derive(Default)]
struct Model {
    events: HashMap<u8, Vec<Payload>>,
    values: HashMap<u8, (Payload, u64)>,
}

struct Run {
    faulty: Faulty,
    backend: Arc<dyn Backend>,
    store: Store,
    model: Model,
}

/// After any history, what is stored is what the answers said, and nothing else.
pub fn any_history_matches_the_model(fresh: Fresh<'_>) {
    let mut runner = TestRunner::new(Config {
        cases: 40,
        failure_persistence: None,
        ..Config::default()
    });
    let histories = prop::collection::vec(step(), 1..40);
    let result = runner.run(&histories, |steps| {
        let faulty = Faulty::new(fresh());
        let backend: Arc<dyn Backend> = Arc::new(faulty.clone());
        let store = open_with(&backend, limits());
        let mut run = Run {
            faulty,
            backend,
            store,
            model: Model::default(),
        };
        for step in steps {
            run.step(step);
        }
        run.compare();
        Ok(())
    });
    if let Err(failure) = result {
        panic!("{failure}");
    }
}

fn limits() -> Options {
    // Few tails, so that entities are forgotten and looked up; small batches, so that bursts are cut.
    Options {
        batch_commits: 1,
        tails: 2,
        resolve_within: Duration::from_millis(200),
        ..options()
    }
}

fn cart(number: u8) -> EntityKey {
    key(&format!("c{number}"))
}

fn user(number: u8) -> EntityKey {
    key(&format!("u{number}"))
}

impl Run {
    fn step(&mut self, step: Step) {
        match step {
            Step::Events(entity, off, texts) => self.events(entity, off, texts),
            Step::Put(entity, right, text) => self.put(entity, right, &text),
            Step::Delete(entity, right) => self.delete(entity, right),
            Step::Snapshot(entity, text) => {
                let sequence = self.model.events.get(&entity).map_or(0, Vec::len) as u64;
                self.store.save_snapshot(
                    &cart(entity),
                    Snapshot {
                        sequence,
                        payload: event(text),
                    },
                );
            }
            Step::Fault(fault) => self.faulty.next_batches([fault]),
            Step::Burst(entities) => self.burst(entities),
            Step::Reopen => {
                block_on(self.store.close()).expect("closes");
                self.store = open_with(&self.backend, limits());
            }
        }
    }

    fn events(&mut self, entity: u8, off: i8, texts: Vec<String>) {
        let known = self.model.events.entry(entity).or_default();
        let Some(after) = (known.len() as u64).checked_add_signed(i64::from(off)) else {
            return;
        };
        let events: Vec<Payload> = texts.into_iter().map(event).collect();
        let outcome = outcome(&self.store, write_events(&cart(entity), after, events.clone()));
        match outcome {
            Outcome::Applied { .. } if off == 0 => known.extend(events),
            Outcome::Conflict if off != 0 => {}
            Outcome::NotApplied(_) if off == 0 => {}
            other => panic!("{other:?} with the expectation off by {off}"),
        }
    }

    fn version(&self, entity: u8, right: bool) -> Option<u64> {
        let version = self.model.values.get(&entity).map(|(_, version)| *version);
        if right {
            version
        } else {
            version.map_or(Some(1 << 40), |_| None)
        }
    }

    fn put(&mut self, entity: u8, right: bool, text: &str) {
        let write = put(&user(entity), self.version(entity, right), event(text));
        if let Some(offset) = self.value_outcome(write, right) {
            self.model.values.insert(entity, (event(text), offset));
        }
    }

    fn delete(&mut self, entity: u8, right: bool) {
        let write = delete(&user(entity), self.version(entity, right));
        if self.value_outcome(write, right).is_some() {
            self.model.values.remove(&entity);
        }
    }

    fn value_outcome(&self, write: Write, right: bool) -> Option<u64> {
        match outcome(&self.store, write) {
            Outcome::Applied { offset } if right => Some(offset),
            Outcome::NotApplied(_) if right => None,
            Outcome::Conflict if !right => None,
            other => panic!("{other:?} with the expectation {right}"),
        }
    }

    /// Commits without waiting. One that fails makes later ones of its entity conflict.
    fn burst(&mut self, entities: Vec<u8>) {
        let mut next: HashMap<u8, u64> = HashMap::new();
        let waiting: Vec<_> = entities
            .into_iter()
            .map(|entity| {
                let known = self.model.events.get(&entity).map_or(0, Vec::len) as u64;
                let after = next.entry(entity).or_insert(known);
                *after += 1;
                let text = event(format!("burst {after}"));
                (
                    entity,
                    text.clone(),
                    self.store
                        .commit(write_events(&cart(entity), *after - 1, vec![text])),
                )
            })
            .collect();
        for (entity, text, commit) in waiting {
            match block_on(commit) {
                Outcome::Applied { .. } => self.model.events.entry(entity).or_default().push(text),
                Outcome::NotApplied(_) | Outcome::Conflict => {}
                other => panic!("{other:?}"),
            }
        }
    }

    fn compare(&self) {
        for entity in 0..4 {
            let expected = self.model.events.get(&entity).cloned().unwrap_or_default();
            let stored: Vec<Payload> = all_events(&self.store, &cart(entity))
                .into_iter()
                .map(|(_, p)| p)
                .collect();
            assert_eq!(stored, expected, "events of {entity}");
            let value = block_on(self.store.value(&user(entity))).expect("reads");
            assert_eq!(
                value.map(|v| (v.payload, v.version)),
                self.model.values.get(&entity).cloned()
            );
            let snapshot = block_on(self.store.snapshot(&cart(entity))).expect("reads");
            let beyond = snapshot.is_some_and(|s| s.sequence > stored.len() as u64);
            assert!(!beyond, "a snapshot of events that are not there");
        }
    }
}
