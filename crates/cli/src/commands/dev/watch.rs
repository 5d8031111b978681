//! Sees that sources changed, by asking the file system now and then: works on every file system and needs no limits
//! raised.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Directories that hold what tools made. Those whose names begin with a dot are left out as well.
const MADE_BY_TOOLS: [&str; 7] = [
    "target",
    "node_modules",
    "dist",
    "__pycache__",
    "venv",
    "cloudstate-data",
    "vendor",
];

/// Time of last change and length of every watched file.
pub(super) type Fingerprint = BTreeMap<PathBuf, (SystemTime, u64)>;

/// Which files matter.
#[derive(Debug, Clone)]
pub(super) struct Watch {
    paths: Vec<PathBuf>,
    /// Not watched, though it is below one of them.
    left_out: Option<PathBuf>,
    seen: Fingerprint,
    /// A change that may still be going on: an editor or compiler is writing.
    settling: Option<Fingerprint>,
}

impl Watch {
    /// Watches files, and directories with all below but one; what is there now counts as seen.
    pub(super) fn new(paths: Vec<PathBuf>, left_out: Option<PathBuf>) -> Self {
        let mut watch = Self {
            paths,
            left_out,
            seen: Fingerprint::new(),
            settling: None,
        };
        watch.seen = watch.look();
        watch
    }

    fn look(&self) -> Fingerprint {
        let mut found = Fingerprint::new();
        for path in &self.paths {
            add(path, self.left_out.as_deref(), &mut found);
        }
        found
    }

    /// Whether something changed since the last time that this or [`Watch::forget`] said so, and has come to rest
    /// since the last call.
    pub(super) fn changed(&mut self) -> bool {
        let now = self.look();
        if now == self.seen {
            self.settling = None;
            return false;
        }
        let at_rest = self.settling.as_ref() == Some(&now);
        self.settling = if at_rest { None } else { Some(now.clone()) };
        if at_rest {
            self.seen = now;
        }
        at_rest
    }

    /// Counts everything as seen, such as what a build wrote.
    pub(super) fn forget(&mut self) {
        self.seen = self.look();
        self.settling = None;
    }
}

/// The state of these files and of those below these directories.
pub(super) fn fingerprint(paths: &[PathBuf]) -> Fingerprint {
    let mut found = Fingerprint::new();
    paths.iter().for_each(|path| add(path, None, &mut found));
    found
}

fn add(path: &Path, left_out: Option<&Path>, found: &mut Fingerprint) {
    if left_out == Some(path) {
        return;
    }
    // What cannot be read now is missing from the fingerprint, and appears as a change when it can.
    let Ok(about) = fs::metadata(path) else { return };
    if about.is_dir() {
        let entries = fs::read_dir(path).into_iter().flatten().flatten();
        // Links to directories are not followed: they may lead anywhere, also back here.
        entries
            .filter(is_source)
            .for_each(|entry| add(&entry.path(), left_out, found));
    } else {
        let modified = about.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        found.insert(path.to_owned(), (modified, about.len()));
    }
}

fn is_source(entry: &fs::DirEntry) -> bool {
    let name = entry.file_name();
    let name = name.to_string_lossy();
    let link_to_directory = entry.file_type().is_ok_and(|kind| kind.is_symlink()) && entry.path().is_dir();
    !link_to_directory && !name.starts_with('.') && !MADE_BY_TOOLS.contains(&&*name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project() -> tempfile::TempDir {
        let directory = tempfile::tempdir().expect("a temporary directory");
        for path in ["src/main.rs", "target/debug/x", ".git/index", "node_modules/a.js"] {
            let path = directory.path().join(path);
            fs::create_dir_all(path.parent().expect("a parent")).expect("it can be made");
            fs::write(path, "1").expect("it can be written");
        }
        directory
    }

    #[test]
    fn a_change_is_told_once_it_has_come_to_rest_and_only_once() {
        let project = project();
        let mut watch = Watch::new(vec![project.path().to_owned()], None);
        assert!(!watch.changed());
        fs::write(project.path().join("src/main.rs"), "22").expect("it can be written");
        assert!(!watch.changed(), "it may still be written");
        assert!(watch.changed());
        assert!(!watch.changed());
    }

    #[test]
    fn new_and_removed_files_are_changes() {
        let project = project();
        let mut watch = Watch::new(vec![project.path().to_owned()], None);
        fs::write(project.path().join("new"), "").expect("it can be written");
        assert!(!watch.changed() && watch.changed());
        fs::remove_file(project.path().join("new")).expect("it can be removed");
        assert!(!watch.changed() && watch.changed());
    }

    #[test]
    fn what_tools_make_is_left_out_unless_named() {
        let project = project();
        let mut all = Watch::new(vec![project.path().to_owned()], None);
        let mut binary = Watch::new(vec![project.path().join("target/debug/x")], None);
        for path in ["target/debug/x", ".git/index", "node_modules/a.js"] {
            fs::write(project.path().join(path), "22").expect("it can be written");
        }
        assert!(!all.changed() && !all.changed());
        assert!(!binary.changed() && binary.changed());
    }

    #[test]
    fn one_directory_may_be_left_out() {
        let project = project();
        let left_out = project.path().join("src");
        let mut watch = Watch::new(vec![project.path().to_owned()], Some(left_out));
        fs::write(project.path().join("src/main.rs"), "22").expect("it can be written");
        assert!(!watch.changed() && !watch.changed());
    }

    #[test]
    fn what_a_build_wrote_can_be_forgotten() {
        let project = project();
        let mut watch = Watch::new(vec![project.path().to_owned()], None);
        fs::write(project.path().join("src/made"), "").expect("it can be written");
        watch.forget();
        assert!(!watch.changed() && !watch.changed());
    }
}
