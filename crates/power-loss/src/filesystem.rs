//! From FUSE's calls to the disk's.

use std::ffi::OsStr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fuser::{
    BsdFileFlags, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo,
    LockOwner, OpenFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyEmpty, ReplyEntry, ReplyOpen, ReplyWrite,
    Request, TimeOrNow, WriteFlags,
};

use crate::disk::{Disk, Failure};

const ROOT: u64 = 1;
/// The kernel asks anew each time, so that nothing is answered from its memory after the cut.
const FRESH: Duration = Duration::ZERO;

pub(crate) struct Served {
    disk: Arc<Disk>,
}

impl Served {
    pub(crate) fn new(disk: Arc<Disk>) -> Served {
        Served { disk }
    }
}

impl Failure {
    fn code(self) -> Errno {
        match self {
            Failure::Absent => Errno::ENOENT,
            Failure::Full => Errno::ENOSPC,
            Failure::Broken => Errno::EIO,
        }
    }
}

fn attributes(number: u64, size: usize) -> FileAttr {
    let (kind, perm) = if number == ROOT {
        (FileType::Directory, 0o755)
    } else {
        (FileType::RegularFile, 0o644)
    };
    let epoch = UNIX_EPOCH;
    FileAttr {
        ino: INodeNo(number),
        size: size as u64,
        blocks: (size as u64).div_ceil(512),
        atime: epoch,
        mtime: epoch,
        ctime: epoch,
        crtime: epoch,
        kind,
        perm,
        nlink: 1,
        uid: 0,
        gid: 0,
        rdev: 0,
        blksize: 4096,
        flags: 0,
    }
}

fn done(result: Result<(), Failure>, reply: ReplyEmpty) {
    match result {
        Ok(()) => reply.ok(),
        Err(failure) => reply.error(failure.code()),
    }
}

impl Filesystem for Served {
    fn lookup(&self, _request: &Request, _parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        match self.disk.find(name) {
            Ok((file, size)) => reply.entry(&FRESH, &attributes(file, size), Generation(0)),
            Err(failure) => reply.error(failure.code()),
        }
    }

    fn getattr(&self, _request: &Request, file: INodeNo, _handle: Option<FileHandle>, reply: ReplyAttr) {
        let size = if file.0 == ROOT {
            Ok(0)
        } else {
            self.disk.size(file.0)
        };
        match size {
            Ok(size) => reply.attr(&FRESH, &attributes(file.0, size)),
            Err(failure) => reply.error(failure.code()),
        }
    }

    fn setattr(
        &self,
        _request: &Request,
        file: INodeNo,
        _mode: Option<u32>,
        _uid: Option<u32>,
        _gid: Option<u32>,
        size: Option<u64>,
        _accessed: Option<TimeOrNow>,
        _modified: Option<TimeOrNow>,
        _changed: Option<SystemTime>,
        _handle: Option<FileHandle>,
        _created: Option<SystemTime>,
        _flags_changed: Option<SystemTime>,
        _backed_up: Option<SystemTime>,
        _flags: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let resized = size.map_or(Ok(()), |size| self.disk.resize(file.0, size as usize));
        match resized.and_then(|()| {
            if file.0 == ROOT {
                Ok(0)
            } else {
                self.disk.size(file.0)
            }
        }) {
            Ok(size) => reply.attr(&FRESH, &attributes(file.0, size)),
            Err(failure) => reply.error(failure.code()),
        }
    }

    fn create(
        &self,
        _request: &Request,
        _parent: INodeNo,
        name: &OsStr,
        _mode: u32,
        _umask: u32,
        _flags: i32,
        reply: ReplyCreate,
    ) {
        match self.disk.create(name) {
            Ok((file, size)) => {
                let (attributes, handle) = (attributes(file, size), FileHandle(file));
                reply.created(&FRESH, &attributes, Generation(0), handle, FopenFlags::empty());
            }
            Err(failure) => reply.error(failure.code()),
        }
    }

    fn open(&self, _request: &Request, file: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        match self.disk.size(file.0) {
            Ok(_) => reply.opened(FileHandle(file.0), FopenFlags::empty()),
            Err(failure) => reply.error(failure.code()),
        }
    }

    fn unlink(&self, _request: &Request, _parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        done(self.disk.remove(name), reply);
    }

    fn read(
        &self,
        _request: &Request,
        file: INodeNo,
        _handle: FileHandle,
        offset: u64,
        size: u32,
        _flags: OpenFlags,
        _owner: Option<LockOwner>,
        reply: ReplyData,
    ) {
        match self.disk.read(file.0, offset as usize, size as usize) {
            Ok(data) => reply.data(&data),
            Err(failure) => reply.error(failure.code()),
        }
    }

    fn write(
        &self,
        _request: &Request,
        file: INodeNo,
        _handle: FileHandle,
        offset: u64,
        data: &[u8],
        _write_flags: WriteFlags,
        _flags: OpenFlags,
        _owner: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        match self.disk.write(file.0, offset as usize, data) {
            Ok(()) => reply.written(data.len() as u32),
            Err(failure) => reply.error(failure.code()),
        }
    }

    fn flush(
        &self,
        _request: &Request,
        _file: INodeNo,
        _handle: FileHandle,
        _owner: LockOwner,
        reply: ReplyEmpty,
    ) {
        reply.ok();
    }

    fn fsync(
        &self,
        _request: &Request,
        file: INodeNo,
        _handle: FileHandle,
        _data_only: bool,
        reply: ReplyEmpty,
    ) {
        done(self.disk.sync(file.0), reply);
    }

    fn fsyncdir(
        &self,
        _request: &Request,
        _directory: INodeNo,
        _handle: FileHandle,
        _data_only: bool,
        reply: ReplyEmpty,
    ) {
        done(self.disk.sync_names(), reply);
    }
}
