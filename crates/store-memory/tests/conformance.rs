//! The suite of all backends, over memory.

use std::sync::Arc;

use cloudstate_store::Backend;
use cloudstate_store_memory::Memory;

fn fresh() -> Arc<dyn Backend> {
    Arc::new(Memory::new())
}

cloudstate_store_conformance::suite!(crate::fresh());
