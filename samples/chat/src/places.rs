//! Where the chat can be reached, as its windows say.

use cloudstate_sdk::crdt::{Context, Next, ORSet, Streamed};
use cloudstate_sdk::{Failure, Primitive, Reply};

use crate::proto::cloudstate::samples::chat::places::{PlaceList, Window, places::CrdtEntity};

type Origins = ORSet<Primitive<String>>;

/// Anybody may name a place, so there is an end to it.
const MAX_PLACES: usize = 50;
const MAX_ORIGIN: usize = 200;

/// The places of every chat.
pub(crate) struct PlacesEntity;

impl CrdtEntity for PlacesEntity {
    type State = Origins;

    fn follow(
        &self,
        window: Window,
        origins: &mut Origins,
        _: &mut Context,
    ) -> Result<Streamed<Origins, PlaceList>, Failure> {
        let Window { origin, .. } = window;
        let is_meant = origin.starts_with("http://") || origin.starts_with("https://");
        if !is_meant || origin.len() > MAX_ORIGIN {
            return Err(format!("{origin:.60} is no place where a node can be reached.").into());
        }
        if origins.len() < MAX_PLACES {
            origins.add(origin);
        }
        let stream = Streamed::new().first(list(origins));
        Ok(stream.on_change(|origins| Next::send(list(origins))))
    }

    fn forget(
        &self,
        window: Window,
        origins: &mut Origins,
        _: &mut Context,
    ) -> Result<Reply<PlaceList>, Failure> {
        origins.remove(&Primitive(window.origin));
        Ok(list(origins).into())
    }
}

fn list(origins: &Origins) -> PlaceList {
    let mut origins: Vec<String> = origins.iter().map(|origin| origin.0.clone()).collect();
    origins.sort_unstable();
    PlaceList { origins }
}

#[cfg(test)]
mod tests;
