//! Files that the configuration names: read at the start, and again when they change.
//!
//! ```text
//!   files ── every interval ──▶ bytes ── other than before? ──▶ make ──▶ whoever subscribed
//!                                                                 └────▶ no good: the log, and what was made before stays
//! ```
//!
//! They are read and compared, not watched: that needs no facility of the system, and it works with files that are moved
//! over, with mounted secrets, whose directory is swapped, and with network file systems.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::security_metrics::Reloads;

/// No certificate or key set is that large; it keeps a mistaken path from filling the memory.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// A file that the configuration names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) key: &'static str,
    pub(crate) path: PathBuf,
}

/// A file that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} (from {key}): {reason}", path.display())]
pub struct FileError {
    /// The configuration key that names it.
    pub key: &'static str,
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it, and what to do.
    pub reason: String,
}

impl Named {
    /// This file cannot be used, for this reason.
    pub(crate) fn error(&self, reason: impl Into<String>) -> FileError {
        FileError {
            key: self.key,
            path: self.path.clone(),
            reason: reason.into(),
        }
    }

    fn read(&self) -> Result<Vec<u8>, FileError> {
        let unreadable = |error: std::io::Error| self.error(format!("it cannot be read: {error}"));
        let mut bytes = Vec::new();
        let file = File::open(&self.path).map_err(unreadable)?;
        file.take(FILE_BYTES_MAX + 1)
            .read_to_end(&mut bytes)
            .map_err(unreadable)?;
        if bytes.len() as u64 > FILE_BYTES_MAX {
            return Err(self.error(format!("it has more than {FILE_BYTES_MAX} bytes")));
        }
        Ok(bytes)
    }
}

/// Makes something from the contents of files, in their order.
type Make<T> = Box<dyn Fn(&[Vec<u8>]) -> Result<T, FileError> + Send>;

/// Something made from files, and made again when they change.
pub(crate) struct Watched<T> {
    files: Vec<Named>,
    make: Make<T>,
    contents: Vec<Vec<u8>>,
    made: watch::Sender<Arc<T>>,
    reloads: Arc<Reloads>,
    /// What was last reported, so that it is not reported each time.
    failure: Option<FileError>,
}

impl<T> Watched<T> {
    /// Reads the files and makes it for the first time. Blocks.
    pub(crate) fn new(files: Vec<Named>, make: Make<T>, reloads: Arc<Reloads>) -> Result<Self, FileError> {
        let contents = read(&files)?;
        let made = watch::Sender::new(Arc::new(make(&contents)?));
        Ok(Watched {
            files,
            make,
            contents,
            made,
            reloads,
            failure: None,
        })
    }

    /// What was made last, now and later.
    pub(crate) fn subscribe(&self) -> watch::Receiver<Arc<T>> {
        self.made.subscribe()
    }

    /// Looks at the files again and again. Never ends.
    pub(crate) async fn follow(mut self, interval: Duration) {
        loop {
            tokio::time::sleep(interval).await;
            let files = self.files.clone();
            // On a thread where waiting for a disk holds up nobody.
            if let Ok(contents) = tokio::task::spawn_blocking(move || read(&files)).await {
                self.take(contents);
            }
        }
    }

    fn take(&mut self, contents: Result<Vec<Vec<u8>>, FileError>) {
        let made = contents.and_then(|contents| {
            if contents == self.contents {
                return Ok(None);
            }
            (self.make)(&contents).map(|made| Some((contents, made)))
        });
        match made {
            Ok(None) => self.failure = None,
            Ok(Some((contents, made))) => {
                self.failure = None;
                self.contents = contents;
                self.made.send_replace(Arc::new(made));
                self.reloads.succeeded();
                let files: Vec<_> = self.files.iter().map(|file| file.path.display()).collect();
                tracing::info!(?files, "read again, as they have changed");
            }
            Err(failure) if self.failure.as_ref() == Some(&failure) => {}
            Err(failure) => {
                tracing::error!("{failure}; what was read before stays in force");
                self.failure = Some(failure);
                self.reloads.failed();
            }
        }
    }
}

fn read(files: &[Named]) -> Result<Vec<Vec<u8>>, FileError> {
    files.iter().map(Named::read).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn named(path: &Path) -> Vec<Named> {
        vec![Named {
            key: "a.b",
            path: path.to_owned(),
        }]
    }

    fn number(contents: &[Vec<u8>]) -> Result<u32, FileError> {
        let text = String::from_utf8_lossy(&contents[0]);
        let error = || named(Path::new("f"))[0].error(format!("[{text}] is no number"));
        text.parse().map_err(|_| error())
    }

    #[tokio::test]
    async fn a_change_is_taken_and_a_bad_one_leaves_what_was() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("number");
        std::fs::write(&path, "1").unwrap();
        let reloads = Arc::<Reloads>::default();
        let mut watched = Watched::new(named(&path), Box::new(number), reloads.clone()).unwrap();
        let made = watched.subscribe();
        let mut change = |text: &str| {
            std::fs::write(&path, text).unwrap();
            watched.take(read(&watched.files));
            let outcome = (**made.borrow(), reloads.counts());
            // Once more: what did not change is neither made nor reported again.
            watched.take(read(&watched.files));
            assert_eq!((**made.borrow(), reloads.counts()), outcome);
            outcome
        };
        assert_eq!(change("1"), (1, (0, 0)));
        assert_eq!(change("2"), (2, (1, 0)));
        assert_eq!(change("x"), (2, (1, 1)));
        assert_eq!(change("y"), (2, (1, 2)));
        assert_eq!(change("2"), (2, (1, 2)));
        assert_eq!(change("x"), (2, (1, 3)));
        assert_eq!(change("3"), (3, (2, 3)));
    }

    #[tokio::test(start_paused = true)]
    async fn files_are_looked_at_in_every_interval() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("number");
        std::fs::write(&path, "1").unwrap();
        let watched = Watched::new(named(&path), Box::new(number), Arc::default()).unwrap();
        let mut made = watched.subscribe();
        let following = tokio::spawn(async move { made.changed().await.map(|()| **made.borrow()) });
        std::fs::write(&path, "2").unwrap();
        tokio::select! {
            () = watched.follow(Duration::from_secs(3600)) => unreachable!("it never ends"),
            number = following => assert_eq!(number.unwrap().unwrap(), 2),
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused_by_name() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("missing");
        let error = Watched::new(named(&path), Box::new(number), Arc::default())
            .err()
            .unwrap();
        let text = error.to_string();
        assert!(
            text.contains("missing (from a.b): it cannot be read: No such file"),
            "{text}"
        );

        let large = directory.path().join("large");
        File::create(&large).unwrap().set_len(FILE_BYTES_MAX + 1).unwrap();
        let error = read(&named(&large)).unwrap_err();
        assert!(error.reason.contains("more than 4194304 bytes"), "{error}");
    }
}
