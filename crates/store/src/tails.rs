//! A bounded memory of entities' tails, so that a busy entity costs no look-up.

use std::collections::HashMap;

use crate::{EntityKey, Tail};

/// Two generations: what is used moves to the young one; when that is full it becomes the old one, and what was left in
/// the old one is forgotten. So at least the `limit / 2` entities used last are remembered, at most `limit`.
pub(crate) struct Tails {
    young: HashMap<EntityKey, Known>,
    old: HashMap<EntityKey, Known>,
    generation: usize,
}

struct Known {
    tail: Tail,
    /// The last batch that the entity had a commit in.
    batch: u64,
}

/// The answer to a commit that wants to be in a batch.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// It is; the entity ends here.
    Granted(Tail),
    /// Another commit of the entity is.
    Taken,
    /// The entity has to be looked up first.
    Unknown,
}

impl Tails {
    pub(crate) fn new(limit: usize) -> Tails {
        Tails {
            young: HashMap::new(),
            old: HashMap::new(),
            generation: (limit / 2).max(1),
        }
    }

    /// Asks for the entity's place in a batch.
    pub(crate) fn claim(&mut self, entity: &EntityKey, batch: u64) -> Claim {
        if let Some(known) = self.young.get_mut(entity) {
            return known.claim(batch);
        }
        let Some((key, mut known)) = self.old.remove_entry(entity) else {
            return Claim::Unknown;
        };
        let claim = known.claim(batch);
        self.insert(key, known);
        claim
    }

    /// Remembers an entity that was looked up.
    pub(crate) fn learn(&mut self, entity: EntityKey, tail: Tail) {
        if !self.young.contains_key(&entity) {
            self.insert(entity, Known { tail, batch: 0 });
        }
    }

    /// Remembers what a commit made of an entity.
    pub(crate) fn advance(&mut self, entity: &EntityKey, tail: Tail) {
        match self.young.get_mut(entity).or_else(|| self.old.get_mut(entity)) {
            Some(known) => known.tail = tail,
            None => self.insert(entity.clone(), Known { tail, batch: 0 }),
        }
    }

    /// Forgets what an entity looked like: the next commit looks it up.
    pub(crate) fn forget(&mut self, entity: &EntityKey) {
        self.young.remove(entity);
        self.old.remove(entity);
    }

    /// Forgets everything, as another owner may have written.
    pub(crate) fn clear(&mut self) {
        self.young.clear();
        self.old.clear();
    }

    fn insert(&mut self, entity: EntityKey, known: Known) {
        if self.young.len() >= self.generation {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(entity, known);
    }
}

impl Known {
    fn claim(&mut self, batch: u64) -> Claim {
        if self.batch == batch {
            return Claim::Taken;
        }
        self.batch = batch;
        Claim::Granted(self.tail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u32) -> EntityKey {
        EntityKey::new("p", number.to_string()).unwrap()
    }

    fn tail(sequence: u64) -> Tail {
        Tail {
            reference: sequence,
            stored: true,
            sequence,
            version: None,
        }
    }

    #[test]
    fn what_is_used_stays_and_the_rest_is_forgotten() {
        let mut tails = Tails::new(20);
        for number in 0..1000 {
            tails.learn(key(number), tail(u64::from(number)));
            let batch = u64::from(number) + 1;
            assert_eq!(
                tails.claim(&key(0), batch),
                Claim::Granted(tail(0)),
                "used all the time"
            );
            assert!(tails.young.len() + tails.old.len() <= 20);
        }
        assert_eq!(tails.claim(&key(1), 2000), Claim::Unknown);
        assert_eq!(tails.claim(&key(999), 2000), Claim::Granted(tail(999)));
    }

    #[test]
    fn an_entity_has_one_place_in_a_batch_wherever_it_is_remembered() {
        let mut tails = Tails::new(2);
        tails.learn(key(1), tail(1));
        assert_eq!(tails.claim(&key(1), 1), Claim::Granted(tail(1)));
        assert_eq!(tails.claim(&key(1), 1), Claim::Taken);
        tails.learn(key(2), tail(2));
        assert_eq!(tails.claim(&key(1), 1), Claim::Taken);
        assert_eq!(tails.claim(&key(1), 2), Claim::Granted(tail(1)));
    }

    #[test]
    fn an_advance_is_seen_wherever_the_entity_is_remembered() {
        let mut tails = Tails::new(2);
        tails.learn(key(1), tail(1));
        tails.learn(key(2), tail(2));
        tails.advance(&key(1), tail(7));
        assert_eq!(tails.claim(&key(1), 1), Claim::Granted(tail(7)));
    }

    #[test]
    fn a_forgotten_entity_is_looked_up_again() {
        let mut tails = Tails::new(2);
        tails.learn(key(1), tail(1));
        tails.learn(key(2), tail(2));
        tails.forget(&key(1));
        assert_eq!(tails.claim(&key(1), 1), Claim::Unknown);
    }
}
