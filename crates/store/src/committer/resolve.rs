//! After an unknown outcome: the owner's own take-over, which tells what became of its commits.

use std::time::{Duration, Instant};

use super::{Committer, Hold};
use crate::backend::{Batch, Verdict};
use crate::{Commit, ShardId, block_on};

const FIRST_RETRY: Duration = Duration::from_millis(5);
const LONGEST_RETRY: Duration = Duration::from_millis(500);

impl Committer {
    /// Takes back the shards that were lost because a commit's fate could not be learned. Until then their commits
    /// are refused.
    pub(super) fn take_back(&mut self) {
        if self.lost.is_empty() {
            return;
        }
        let lost = std::mem::take(&mut self.lost);
        if let Err(error) = self.take(&lost) {
            self.lost = lost;
            self.lost_by = Some(error);
        }
    }

    /// Learns the fate of unknown commits: takes their shards in a new epoch, so that nothing is in flight any more, and
    /// looks for their ids.
    pub(super) fn resolve(&mut self, batch: &Batch, mut verdicts: Vec<Verdict>) -> Vec<Verdict> {
        let unknown: Vec<usize> = (0..verdicts.len())
            .filter(|i| matches!(verdicts[*i], Verdict::Unknown(_)))
            .collect();
        if unknown.is_empty() {
            return verdicts;
        }
        let commits: Vec<Commit> = unknown.iter().map(|i| batch.commits[*i].clone()).collect();
        let mut shards: Vec<ShardId> = commits.iter().map(|c| c.shard).collect();
        shards.sort_unstable();
        shards.dedup();
        let Some(found) = self.find(&shards, &commits) else {
            return verdicts;
        };
        for (index, found) in unknown.into_iter().zip(found) {
            let Verdict::Unknown(error) = &verdicts[index] else {
                continue;
            };
            verdicts[index] = if found {
                Verdict::Applied
            } else {
                Verdict::NotApplied(error.clone())
            };
        }
        verdicts
    }

    /// Tries for as long as the options allow.
    fn find(&mut self, shards: &[ShardId], commits: &[Commit]) -> Option<Vec<bool>> {
        let deadline = Instant::now() + self.options.resolve_within;
        let mut pause = FIRST_RETRY;
        loop {
            match self
                .take(shards)
                .and_then(|()| block_on(self.writer.find(commits)))
            {
                Ok(found) => return Some(found),
                Err(error) => tracing::warn!(%error, "cannot learn yet whether commits applied"),
            }
            if Instant::now() + pause > deadline {
                self.lose(shards);
                return None;
            }
            std::thread::park_timeout(pause);
            pause = (2 * pause).min(LONGEST_RETRY);
        }
    }

    fn lose(&mut self, shards: &[ShardId]) {
        for shard in shards {
            self.holds[shard.number() as usize] = Hold::Lost;
        }
        self.lost.extend_from_slice(shards);
    }
}
