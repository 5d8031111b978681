//! The part of the file system that is served: regular files below one directory.

use std::io;
use std::path::{Component, Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;

use tower_http::services::fs::{Backend, TokioBackend, TokioFile};

type Later<T> = Pin<Box<dyn Future<Output = io::Result<T>> + Send>>;

/// Opens what is below a directory.
///
/// A link is followed if what it leads to is below the directory too, as in a mounted volume of Kubernetes; any other is
/// as if it were not there. So is whatever has a name that begins with a dot on the way, except `.well-known` (RFC 8615),
/// and whatever is neither a regular file nor a directory: a pipe could be waited for without end.
#[derive(Debug, Clone)]
pub(super) struct Rooted {
    root: Arc<Path>,
}

impl Rooted {
    /// # Errors
    /// If the directory cannot be found or is none.
    pub(super) fn new(directory: &Path) -> io::Result<Self> {
        let root = directory.canonicalize()?;
        if !root.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        // Fails if this process may not look into it.
        root.read_dir()?;
        Ok(Rooted { root: root.into() })
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// The file or directory that a path leads to.
    fn find(&self, path: &Path) -> io::Result<PathBuf> {
        let not_found = || io::Error::from(io::ErrorKind::NotFound);
        let below = path.strip_prefix(&self.root).map_err(|_| not_found())?;
        if below.components().any(is_hidden) {
            return Err(not_found());
        }
        let real = path.canonicalize()?;
        let about = real.metadata()?;
        let served = real.starts_with(&self.root) && (about.is_file() || about.is_dir());
        if served { Ok(real) } else { Err(not_found()) }
    }

    async fn find_later(self, path: PathBuf) -> io::Result<PathBuf> {
        let found = tokio::task::spawn_blocking(move || self.find(&path)).await;
        found.map_err(io::Error::other)?
    }
}

fn is_hidden(part: Component<'_>) -> bool {
    match part {
        Component::Normal(name) => name.as_encoded_bytes().starts_with(b".") && name != ".well-known",
        _ => true,
    }
}

impl Backend for Rooted {
    type File = TokioFile;
    type Metadata = std::fs::Metadata;
    type OpenFuture = Later<TokioFile>;
    type MetadataFuture = Later<std::fs::Metadata>;

    fn open(&self, path: PathBuf) -> Self::OpenFuture {
        let found = self.clone().find_later(path);
        Box::pin(async move {
            let path = found.await?;
            let about = TokioBackend.metadata(path.clone()).await?;
            if about.is_file() {
                TokioBackend.open(path).await
            } else {
                Err(io::ErrorKind::NotFound.into())
            }
        })
    }

    fn metadata(&self, path: PathBuf) -> Self::MetadataFuture {
        let found = self.clone().find_later(path);
        Box::pin(async move { TokioBackend.metadata(found.await?).await })
    }
}
