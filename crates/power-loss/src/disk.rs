//! What is on the disk, and what is sure to be.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::{fs, io};

use crate::Random;

/// The unit that a disk writes whole or not at all.
const SECTOR: usize = 512;

/// What remains of unsynced writes when the power is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Survival {
    /// Nothing.
    None,
    /// Everything: the process died, the disk did not.
    All,
    /// Each write by chance: whole, torn at sectors, or not at all, whatever the order.
    Some,
}

/// Why a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// No such file.
    Absent,
    /// No room.
    Full,
    /// The power is off, or a sync was to fail.
    Broken,
}

/// The content of a disk. Shared by the file system's threads and the test.
#[derive(Default)]
pub struct Disk {
    state: Mutex<State>,
    cut: Condvar,
}

#[derive(Default)]
struct State {
    files: HashMap<u64, File>,
    names: HashMap<OsString, u64>,
    durable_names: HashMap<OsString, u64>,
    last_file: u64,
    /// Calls that changed something.
    changes: u64,
    cut_after: Option<u64>,
    dead: bool,
    capacity: Option<usize>,
    failing_syncs: usize,
}

#[derive(Default)]
struct File {
    current: Vec<u8>,
    durable: Vec<u8>,
    /// In the order of calls.
    unsynced: Vec<Change>,
}

enum Change {
    Write(usize, Vec<u8>),
    Resize(usize),
}

impl Change {
    fn apply(&self, content: &mut Vec<u8>) {
        match self {
            Change::Write(offset, data) => {
                content.resize(content.len().max(offset + data.len()), 0);
                content[*offset..offset + data.len()].copy_from_slice(data);
            }
            Change::Resize(size) => content.resize(*size, 0),
        }
    }

    /// The part of it that reached the disk.
    fn survive(&self, random: &mut Random, content: &mut Vec<u8>) {
        match (self, random.below(3)) {
            (_, 0) => {}
            (Change::Write(offset, data), 1) => {
                for (index, sector) in data.chunks(SECTOR).enumerate() {
                    if random.below(2) == 0 {
                        Change::Write(offset + index * SECTOR, sector.to_vec()).apply(content);
                    }
                }
            }
            _ => self.apply(content),
        }
    }
}

impl Disk {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Cuts the power after so many more changes (writes, syncs, new and removed names).
    pub fn cut_after(&self, changes: u64) {
        let mut state = self.lock();
        state.cut_after = Some(state.changes + changes);
    }

    /// Cuts the power now.
    pub fn cut(&self) {
        self.lock().dead = true;
        self.cut.notify_all();
    }

    /// Waits until the power is cut.
    pub fn wait_for_cut(&self) {
        let mut state = self.lock();
        while !state.dead {
            state = self.cut.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Bounds the sum of all files' sizes; `None`: no bound.
    pub fn set_capacity(&self, bytes: Option<usize>) {
        self.lock().capacity = bytes;
    }

    /// The sum of all files' sizes.
    pub fn used(&self) -> usize {
        self.lock().used()
    }

    /// Makes so many of the next syncs fail. What they were to sync stays unsynced.
    pub fn fail_syncs(&self, count: usize) {
        self.lock().failing_syncs = count;
    }

    /// Writes what would be found after the power is back into a real directory.
    ///
    /// # Errors
    /// The directory cannot be written.
    pub fn image(&self, survival: Survival, random: &mut Random, directory: &Path) -> io::Result<()> {
        let state = self.lock();
        for (name, file) in state.surviving_names(survival, random) {
            let Some(file) = state.files.get(&file) else {
                continue;
            };
            fs::write(directory.join(name), file.survive(survival, random))?;
        }
        Ok(())
    }
}

impl File {
    fn survive(&self, survival: Survival, random: &mut Random) -> Vec<u8> {
        let mut content = self.durable.clone();
        for change in &self.unsynced {
            match survival {
                Survival::None => {}
                Survival::All => change.apply(&mut content),
                Survival::Some => change.survive(random, &mut content),
            }
        }
        content
    }
}

impl State {
    fn surviving_names(&self, survival: Survival, random: &mut Random) -> HashMap<OsString, u64> {
        match survival {
            Survival::None => self.durable_names.clone(),
            Survival::All => self.names.clone(),
            Survival::Some => {
                let sure = |(name, file): &(&OsString, &u64)| self.durable_names.get(*name) == Some(*file);
                let mut names: HashMap<OsString, u64> = HashMap::new();
                for (name, file) in &self.durable_names {
                    if self.names.get(name) == Some(file) || random.below(2) == 0 {
                        names.insert(name.clone(), *file);
                    }
                }
                for (name, file) in self.names.iter().filter(|entry| !sure(entry)) {
                    if random.below(2) == 0 {
                        names.insert(name.clone(), *file);
                    }
                }
                names
            }
        }
    }

    fn used(&self) -> usize {
        self.names
            .values()
            .filter_map(|file| self.files.get(file))
            .map(|file| file.current.len())
            .sum()
    }

    fn alive(&self) -> Result<(), Failure> {
        if self.dead { Err(Failure::Broken) } else { Ok(()) }
    }

    fn file(&mut self, number: u64) -> Result<&mut File, Failure> {
        self.files.get_mut(&number).ok_or(Failure::Absent)
    }
}

/// The calls of the file system. Files have numbers, from 2 on; the directory has 1.
impl Disk {
    /// Counts a change, and cuts the power when its time has come; then the change does not happen.
    fn change(&self) -> Result<MutexGuard<'_, State>, Failure> {
        let mut state = self.lock();
        state.alive()?;
        if state.cut_after.is_some_and(|last| state.changes >= last) {
            state.dead = true;
            self.cut.notify_all();
            return Err(Failure::Broken);
        }
        state.changes += 1;
        Ok(state)
    }

    pub(crate) fn find(&self, name: &OsStr) -> Result<(u64, usize), Failure> {
        let state = self.lock();
        state.alive()?;
        let file = *state.names.get(name).ok_or(Failure::Absent)?;
        Ok((file, state.files.get(&file).map_or(0, |file| file.current.len())))
    }

    pub(crate) fn size(&self, file: u64) -> Result<usize, Failure> {
        let mut state = self.lock();
        state.alive()?;
        state.file(file).map(|file| file.current.len())
    }

    pub(crate) fn create(&self, name: &OsStr) -> Result<(u64, usize), Failure> {
        let mut state = self.change()?;
        if let Some(file) = state.names.get(name) {
            let file = *file;
            return Ok((file, state.file(file)?.current.len()));
        }
        state.last_file += 1;
        let file = state.last_file + 1;
        state.files.insert(file, File::default());
        state.names.insert(name.to_owned(), file);
        Ok((file, 0))
    }

    pub(crate) fn remove(&self, name: &OsStr) -> Result<(), Failure> {
        self.change()?.names.remove(name).map(drop).ok_or(Failure::Absent)
    }

    pub(crate) fn read(&self, file: u64, offset: usize, size: usize) -> Result<Vec<u8>, Failure> {
        let mut state = self.lock();
        state.alive()?;
        let content = &state.file(file)?.current;
        let start = offset.min(content.len());
        Ok(content[start..(start + size).min(content.len())].to_vec())
    }

    pub(crate) fn write(&self, file: u64, offset: usize, data: &[u8]) -> Result<(), Failure> {
        let mut state = self.change()?;
        let (used, capacity) = (state.used(), state.capacity);
        let content = state.file(file)?;
        let growth = (offset + data.len()).saturating_sub(content.current.len());
        if capacity.is_some_and(|capacity| growth > 0 && used + growth > capacity) {
            return Err(Failure::Full);
        }
        content.record(Change::Write(offset, data.to_vec()));
        Ok(())
    }

    pub(crate) fn resize(&self, file: u64, size: usize) -> Result<(), Failure> {
        self.change()?.file(file)?.record(Change::Resize(size));
        Ok(())
    }

    pub(crate) fn sync(&self, file: u64) -> Result<(), Failure> {
        let mut state = self.change()?;
        if state.failing_syncs > 0 {
            state.failing_syncs -= 1;
            return Err(Failure::Broken);
        }
        let file = state.file(file)?;
        for change in std::mem::take(&mut file.unsynced) {
            change.apply(&mut file.durable);
        }
        Ok(())
    }

    pub(crate) fn sync_names(&self) -> Result<(), Failure> {
        let mut state = self.change()?;
        state.durable_names = state.names.clone();
        Ok(())
    }
}

impl File {
    fn record(&mut self, change: Change) {
        change.apply(&mut self.current);
        self.unsynced.push(change);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(disk: &Disk, survival: Survival, seed: u64) -> Option<Vec<u8>> {
        let directory = tempfile::tempdir().unwrap();
        disk.image(survival, &mut Random::new(seed), directory.path())
            .unwrap();
        fs::read(directory.path().join("f")).ok()
    }

    fn file(disk: &Disk) -> u64 {
        let (file, _) = disk.create(OsStr::new("f")).unwrap();
        disk.sync_names().unwrap();
        file
    }

    #[test]
    fn what_was_not_synced_is_lost() {
        let disk = Disk::default();
        let f = file(&disk);
        disk.write(f, 0, b"kept").unwrap();
        disk.sync(f).unwrap();
        disk.write(f, 2, b"lost").unwrap();
        disk.resize(f, 1).unwrap();
        assert_eq!(image(&disk, Survival::None, 0).unwrap(), b"kept");
        assert_eq!(image(&disk, Survival::All, 0).unwrap(), b"k");
    }

    #[test]
    fn a_name_is_sure_after_a_sync_of_the_directory_only() {
        let disk = Disk::default();
        let (f, _) = disk.create(OsStr::new("f")).unwrap();
        disk.sync(f).unwrap();
        assert_eq!(image(&disk, Survival::None, 0), None);
        disk.sync_names().unwrap();
        disk.remove(OsStr::new("f")).unwrap();
        assert_eq!(
            image(&disk, Survival::None, 0),
            Some(Vec::new()),
            "the removal was not synced"
        );
    }

    #[test]
    fn unsynced_writes_are_torn_at_sectors_and_survive_in_any_combination() {
        let disk = Disk::default();
        let f = file(&disk);
        disk.write(f, 0, &[1; 4 * SECTOR]).unwrap();
        disk.sync(f).unwrap();
        disk.write(f, 0, &[2; 4 * SECTOR]).unwrap();
        let images: Vec<Vec<u8>> = (0..200)
            .map(|seed| image(&disk, Survival::Some, seed).unwrap())
            .collect();
        for image in &images {
            assert!(
                image
                    .chunks(SECTOR)
                    .all(|sector| sector.iter().all(|byte| *byte == sector[0]))
            );
        }
        assert!(images.contains(&vec![1; 4 * SECTOR]), "dropped");
        assert!(images.contains(&vec![2; 4 * SECTOR]), "whole");
        assert!(
            images.iter().any(|i| i[0] == 1 && i[3 * SECTOR] == 2),
            "the end without the start"
        );
    }

    #[test]
    fn nothing_works_after_the_cut() {
        let disk = Disk::default();
        let f = file(&disk);
        disk.cut_after(1);
        disk.write(f, 0, b"a").unwrap();
        assert_eq!(disk.sync(f), Err(Failure::Broken));
        assert_eq!(disk.read(f, 0, 1), Err(Failure::Broken));
        disk.wait_for_cut();
        assert_eq!(image(&disk, Survival::None, 0).unwrap(), b"");
    }

    #[test]
    fn a_full_disk_takes_what_fits_in_place() {
        let disk = Disk::default();
        let f = file(&disk);
        disk.write(f, 0, b"12345678").unwrap();
        disk.set_capacity(Some(8));
        assert_eq!(disk.write(f, 8, b"9"), Err(Failure::Full));
        disk.write(f, 0, b"x").unwrap();
        assert_eq!(disk.used(), 8);
    }
}
