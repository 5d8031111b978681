//! A disk in memory whose power can be cut.
//!
//! ```text
//!   process under test ──▶ kernel ──FUSE──▶ PowerDisk: current content │ durable content + writes since the last sync
//!                                                 ✂ cut: every call fails from now on
//!   image(): durable content, and of the unsynced writes some whole, some torn at sectors, some not at all
//! ```
//!
//! What a disk promises is what `fsync` promised and nothing more: a file's content after a sync of the file, a name after a
//! sync of the directory. It can also run full, and fail to sync.
//!
//! Absent: subdirectories, renames, permissions; a store's directory needs none.

mod disk;
mod filesystem;
mod random;

use std::io;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use fuser::{BackgroundSession, Config, MountOption};
use tempfile::TempDir;

pub use disk::{Disk, Survival};
pub use random::Random;

/// A mounted disk. Unmounted when dropped; nobody may use it then.
pub struct PowerDisk {
    disk: Arc<Disk>,
    // Before the directory, so that it is unmounted before that is removed.
    _session: BackgroundSession,
    directory: TempDir,
}

impl PowerDisk {
    /// Mounts an empty disk.
    ///
    /// # Errors
    /// There is no `/dev/fuse`, or this user may not mount.
    pub fn mount() -> io::Result<PowerDisk> {
        let directory = tempfile::tempdir()?;
        let disk = Arc::new(Disk::default());
        let mut config = Config::default();
        config.mount_options = vec![MountOption::FSName("power-loss".to_owned())];
        let filesystem = filesystem::Served::new(Arc::clone(&disk));
        let session = fuser::spawn_mount(filesystem, directory.path(), &config)?;
        Ok(PowerDisk {
            disk,
            _session: session,
            directory,
        })
    }

    /// Mounts a disk, or leaves `test` out for want of FUSE.
    ///
    /// # Panics
    /// If it cannot be mounted where `CLOUDSTATE_TEST_SERVERS=all` demands it.
    pub fn mount_or_skip(test: &str) -> Option<PowerDisk> {
        match PowerDisk::mount() {
            Ok(disk) => Some(disk),
            Err(cause) => {
                let wants = "FUSE (/dev/fuse and the right to mount)";
                cloudstate_test_support::leave_out(test, wants, cause);
                None
            }
        }
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// What can be done to it.
    pub fn disk(&self) -> &Disk {
        &self.disk
    }
}

impl Drop for PowerDisk {
    fn drop(&mut self) {
        // Lazily: threads of the test may still be about to close their files. If that is not possible, the session
        // unmounts as it ends.
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}
