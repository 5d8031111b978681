//! SQLite stores full of carts, written through the store contract in large batches, without a proxy or a function.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Result, bail};
use cloudstate_store::{
    Backend, Change, CommitFuture, EntityKey, Expected, Options, Outcome, Payload, Store, Write, block_on,
};
use cloudstate_store_sqlite::Sqlite;

use crate::shopping_cart;

/// Commits asked for before their answers are awaited; a transaction holds as many.
const BATCH: usize = 10_000;

/// Puts one item into each of the first `carts` carts of a new store in `directory`; none makes an empty store.
///
/// # Errors
/// The store cannot be written, or had one of these carts before.
pub fn fill(directory: &Path, carts: usize) -> Result<()> {
    let backend: Arc<dyn Backend> = Arc::new(Sqlite::open(directory)?);
    let options = Options {
        batch_commits: BATCH,
        ..Options::default()
    };
    let store = block_on(Store::open(backend, options))?;
    for first in (0..carts).step_by(BATCH) {
        let batch = first..carts.min(first + BATCH);
        let commits: Result<Vec<CommitFuture>> =
            batch.map(|index| Ok(store.commit(item_added(index)?))).collect();
        for commit in commits? {
            match block_on(commit) {
                Outcome::Applied { .. } => {}
                other => bail!("a cart was not stored: {other:?}"),
            }
        }
    }
    Ok(block_on(store.close())?)
}

fn item_added(index: usize) -> Result<Write> {
    let event = shopping_cart::item_added();
    let payload = Payload {
        type_url: event.type_url,
        value: event.value,
    };
    Ok(Write {
        entity: EntityKey::new(shopping_cart::PERSISTENCE_ID, shopping_cart::user_id(index))?,
        expected: Expected::Sequence(0),
        change: Change::Events(vec![payload]),
        idempotency: None,
    })
}
