//! What a deleted id costs. Alone in its process, since it looks at the memory of the whole.

#![expect(clippy::expect_used, reason = "tests stop at what they did not expect")]

use cloudstate_crdt::{DeletedId, DeletedIds};

const IDS: u32 = 100_000;
const LIMIT: usize = 64;

#[test]
fn a_deleted_id_costs_at_most_64_bytes() {
    assert_eq!(size_of::<DeletedId>(), DeletedId::SIZE);

    // The ids are made beforehand, so that what grows is the set alone; in the order of their hashes, that is at random.
    let mut random: Vec<_> = (0..IDS)
        .map(|number| DeletedId::new("p", &number.to_string()))
        .collect();
    let used = bytes_taken_by(|| random.iter().copied().fold(DeletedIds::new(), inserted));
    assert!(used <= LIMIT, "at random: {used} bytes each");

    // In rising order the nodes of the tree are least full.
    random.sort();
    let used = bytes_taken_by(|| random.iter().copied().fold(DeletedIds::new(), inserted));
    assert!(used <= LIMIT, "in order: {used} bytes each");
    assert!(
        used >= DeletedId::SIZE,
        "the measurement measures nothing: {used}"
    );
}

fn inserted(mut ids: DeletedIds, id: DeletedId) -> DeletedIds {
    assert!(ids.insert(id) && ids.contains(id));
    ids
}

/// By how much the memory of this process grows for each id.
fn bytes_taken_by(make: impl FnOnce() -> DeletedIds) -> usize {
    let before = resident();
    let ids = make();
    let used = resident().saturating_sub(before) / ids.len();
    // Kept for ever, so that the next one cannot use its memory.
    std::mem::forget(ids);
    used
}

/// Bytes of physical memory that this process uses.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux has it");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next());
    kib.expect("it has that line").parse::<usize>().expect("in KiB") * 1024
}
