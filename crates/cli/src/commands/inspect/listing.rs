//! What is read for each listing.

use cloudstate_store::{EntityInfo, EntityKey, InvalidKey, Payload, Reader};
use serde_json::{Value as Json, json};

use super::payload::Payloads;
use super::table::Table;
use crate::exit::{Exit, Failure};

/// Entities asked for at once.
const PAGE: usize = 1000;
/// Bytes of events asked for at once.
const PAGE_BYTES: usize = 1 << 20;

/// A store to list, and how.
pub(super) struct Listing<'a> {
    pub(super) reader: &'a dyn Reader,
    pub(super) payloads: &'a Payloads,
    pub(super) limit: usize,
}

impl Listing<'_> {
    pub(super) async fn shards(&self) -> Result<Table, Failure> {
        let mut table = Table::new(&["shard", "epoch", "owner", "entities"]);
        for info in self.reader.shards().await.map_err(unreadable)? {
            let owner = info.owner.map(|owner| owner.to_string());
            table.rows.push(vec![
                json!(info.shard.number()),
                json!(info.epoch),
                json!(owner),
                json!(info.entities),
            ]);
        }
        self.cut(&mut table);
        Ok(table)
    }

    pub(super) async fn entities(&self, of: Option<&str>, after: Option<&str>) -> Result<Table, Failure> {
        let mut table = Table::new(&[
            "persistence_id",
            "entity_id",
            "shard",
            "sequence",
            "snapshot",
            "version",
        ]);
        for persistence_id in self.persistence_ids(of).await? {
            let wanted = (self.limit + 1).saturating_sub(table.rows.len());
            for info in self.entities_of(&persistence_id, after, wanted, |_| true).await? {
                table.rows.push(vec![
                    json!(persistence_id),
                    json!(**info.entity.entity_id()),
                    json!(info.shard.number()),
                    json!(info.sequence),
                    json!(info.snapshot),
                    json!(info.version),
                ]);
            }
        }
        self.cut(&mut table);
        Ok(table)
    }

    pub(super) async fn events(
        &self,
        persistence_id: &str,
        entity_id: &str,
        after: u64,
    ) -> Result<Table, Failure> {
        let entity = EntityKey::new(persistence_id, entity_id).map_err(|error| not_an_id(&error))?;
        let mut table = Table::new(&["sequence", "type", "bytes", "payload"]);
        let mut after = after;
        while table.rows.len() <= self.limit {
            let page = self
                .reader
                .events(&entity, after, PAGE_BYTES)
                .await
                .map_err(unreadable)?;
            for (sequence, payload) in &page.events {
                after = *sequence;
                table
                    .rows
                    .push([vec![json!(sequence)], self.payload(payload)].concat());
            }
            if !page.more || page.events.is_empty() {
                break;
            }
        }
        self.cut(&mut table);
        Ok(table)
    }

    pub(super) async fn snapshots(
        &self,
        persistence_id: &str,
        entity_id: Option<&str>,
    ) -> Result<Table, Failure> {
        let mut table = Table::new(&["entity_id", "sequence", "type", "bytes", "payload"]);
        for entity in self
            .keys(persistence_id, entity_id, |info| info.snapshot.is_some())
            .await?
        {
            if let Some(snapshot) = self.reader.snapshot(&entity).await.map_err(unreadable)? {
                let first = vec![json!(**entity.entity_id()), json!(snapshot.sequence)];
                table.rows.push([first, self.payload(&snapshot.payload)].concat());
            }
        }
        self.cut(&mut table);
        Ok(table)
    }

    pub(super) async fn values(
        &self,
        persistence_id: &str,
        entity_id: Option<&str>,
    ) -> Result<Table, Failure> {
        let mut table = Table::new(&["entity_id", "version", "type", "bytes", "payload"]);
        for entity in self
            .keys(persistence_id, entity_id, |info| info.version.is_some())
            .await?
        {
            if let Some(value) = self.reader.value(&entity).await.map_err(unreadable)? {
                let first = vec![json!(**entity.entity_id()), json!(value.version)];
                table.rows.push([first, self.payload(&value.payload)].concat());
            }
        }
        self.cut(&mut table);
        Ok(table)
    }

    fn payload(&self, payload: &Payload) -> Vec<Json> {
        vec![
            json!(payload.type_url),
            json!(payload.value.len()),
            self.payloads.show(payload),
        ]
    }

    fn cut(&self, table: &mut Table) {
        table.more = table.rows.len() > self.limit;
        table.rows.truncate(self.limit);
    }

    async fn persistence_ids(&self, of: Option<&str>) -> Result<Vec<String>, Failure> {
        if let Some(one) = of {
            return Ok(vec![one.to_owned()]);
        }
        let mut all: Vec<String> = Vec::new();
        loop {
            let page = self
                .reader
                .persistence_ids(all.last().map(String::as_str), PAGE)
                .await
                .map_err(unreadable)?;
            let last = page.len() < PAGE;
            all.extend(page.iter().map(ToString::to_string));
            if last {
                return Ok(all);
            }
        }
    }

    /// The named entity, or those of the persistence id that are wanted, one more than the limit at most.
    async fn keys(
        &self,
        persistence_id: &str,
        entity_id: Option<&str>,
        wanted: fn(&EntityInfo) -> bool,
    ) -> Result<Vec<EntityKey>, Failure> {
        if let Some(entity_id) = entity_id {
            return Ok(vec![
                EntityKey::new(persistence_id, entity_id).map_err(|error| not_an_id(&error))?,
            ]);
        }
        let infos = self
            .entities_of(persistence_id, None, self.limit + 1, wanted)
            .await?;
        Ok(infos.into_iter().map(|info| info.entity).collect())
    }

    async fn entities_of(
        &self,
        persistence_id: &str,
        after: Option<&str>,
        limit: usize,
        wanted: fn(&EntityInfo) -> bool,
    ) -> Result<Vec<EntityInfo>, Failure> {
        let mut found = Vec::new();
        let mut after = after.map(str::to_owned);
        while found.len() < limit {
            let page = self
                .reader
                .entities(persistence_id, after.as_deref(), PAGE)
                .await
                .map_err(unreadable)?;
            let last = page.len() < PAGE;
            after = page.last().map(|info| info.entity.entity_id().to_string());
            found.extend(page.into_iter().filter(wanted));
            if last {
                break;
            }
        }
        found.truncate(limit);
        Ok(found)
    }
}

fn unreadable(error: cloudstate_store::Error) -> Failure {
    Failure::new(Exit::Store, error)
}

fn not_an_id(error: &InvalidKey) -> Failure {
    Failure::new(Exit::Usage, error)
}

#[cfg(test)]
mod tests;
