//! A look at the write-ahead log before SQLite recovers from it.
//!
//! SQLite takes the log's frames up to the first damaged one and silently forgets the rest. That is right for the tail that a
//! crash tore: each commit is synced before the next one starts, so at most one transaction is torn, and nobody was told
//! that it applied. (The last transaction alone, if damaged later on, cannot be told from a torn one.) It is wrong for damage further up, where acknowledged commits follow. Both are told apart by
//! what follows the first damaged frame: frames of this log's salts that end more than one transaction cannot be a torn tail.
//!
//! ```text
//!   header: magic, version, page size, sequence, salt (2), checksum (2)
//!   frame:  page number, size of the file if it ends a transaction else 0, salt (2), checksum (2), page
//! ```
//!
//! Source: "The WAL file format" in SQLite's file format documentation.

use std::fs::File;
use std::io::{BufReader, ErrorKind, Read};
use std::sync::Arc;

use cloudstate_store::Error;

use crate::error::corrupt;
use crate::files::Files;

const HEADER: usize = 32;
const FRAME_HEADER: usize = 24;
const MAGIC: u32 = 0x377f_0682;

/// Refuses a log that has lost acknowledged commits.
pub(crate) fn check(files: &Files) -> Result<(), Error> {
    let path = files.write_ahead_log();
    let scanned = match File::open(&path) {
        Ok(file) => page_size(files).and_then(|page| scan(BufReader::with_capacity(1 << 20, file), page)),
        Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(()),
        Err(cause) => Err(cause),
    };
    let scan = scanned.map_err(|cause| {
        let (store, cause) = (files.name().to_owned(), Arc::new(cause));
        Error::Failed {
            store,
            attempt: "reading the write-ahead log",
            cause,
        }
    })?;
    if scan.commits_after_damage < 2 {
        return Ok(());
    }
    let Scan {
        whole_frames,
        commits_after_damage,
    } = scan;
    Err(corrupt(
        files,
        format!(
            "{} is damaged after frame {whole_frames}, and {commits_after_damage} commits follow",
            path.display()
        ),
    ))
}

/// From the database's header, as the log's may be what is damaged.
fn page_size(files: &Files) -> std::io::Result<usize> {
    let mut header = [0; 100];
    let whole = File::open(files.database()).and_then(|mut file| fill(&mut file, &mut header))?;
    match usize::from(u16::from_be_bytes([header[16], header[17]])) {
        1 => Ok(65536),
        size if whole && size.is_power_of_two() && size >= 512 => Ok(size),
        _ => Ok(4096),
    }
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Scan {
    /// Frames that SQLite will take.
    whole_frames: u64,
    /// Ends of transactions, of this log's salts, that SQLite will not take.
    commits_after_damage: u64,
}

fn scan(mut log: impl Read, page: usize) -> std::io::Result<Scan> {
    let mut scan = Scan::default();
    let mut header = [0; HEADER];
    if !fill(&mut log, &mut header)? {
        return Ok(scan);
    }
    // The lowest bit of the magic number says whether the checksums read words as big or little endian.
    let big_endian = word(&header, 0) == MAGIC | 1;
    let mut sum = Checksum {
        big_endian,
        state: (0, 0),
    };
    sum.add(&header[..24]);
    let mut whole = word(&header, 0) & !1 == MAGIC && sum.is(&header[24..]);
    // A damaged header does not tell this log's salts; its first frame does.
    let mut salts: Option<[u8; 8]> = whole.then(|| salts_in(&header[16..24]));
    let mut frame = vec![0; FRAME_HEADER + page];
    while fill(&mut log, &mut frame)? {
        let own = *salts.get_or_insert_with(|| salts_in(&frame[8..16])) == frame[8..16];
        if whole {
            sum.add(&frame[..8]);
            sum.add(&frame[FRAME_HEADER..]);
            whole = own && sum.is(&frame[16..24]);
        }
        if whole {
            scan.whole_frames += 1;
        } else if own && word(&frame, 4) != 0 {
            scan.commits_after_damage += 1;
        }
    }
    Ok(scan)
}

fn salts_in(bytes: &[u8]) -> [u8; 8] {
    let mut salts = [0; 8];
    salts.copy_from_slice(bytes);
    salts
}

/// Reads a whole buffer; `false` at the end, as a part of a frame counts for nothing.
fn fill(log: &mut impl Read, buffer: &mut [u8]) -> std::io::Result<bool> {
    match log.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(cause) if cause.kind() == ErrorKind::UnexpectedEof => Ok(false),
        Err(cause) => Err(cause),
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// SQLite's checksum of a log: two running sums over pairs of words.
struct Checksum {
    big_endian: bool,
    state: (u32, u32),
}

impl Checksum {
    fn add(&mut self, bytes: &[u8]) {
        let (mut first, mut second) = self.state;
        for pair in bytes.chunks_exact(8) {
            let (a, b) = (word(pair, 0), word(pair, 4));
            let (a, b) = if self.big_endian {
                (a, b)
            } else {
                (a.swap_bytes(), b.swap_bytes())
            };
            first = first.wrapping_add(a).wrapping_add(second);
            second = second.wrapping_add(b).wrapping_add(first);
        }
        self.state = (first, second);
    }

    fn is(&self, stored: &[u8]) -> bool {
        self.state == (word(stored, 0), word(stored, 4))
    }
}
