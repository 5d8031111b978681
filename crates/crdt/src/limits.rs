//! What input may cost.

/// Bounds for deltas of a user function and for bytes from other nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How deep maps may be nested; a map in a map is 2. Handling uses stack in proportion to it, less than 4 KiB a
    /// level. Default 32.
    pub depth: usize,
    /// The longest encoding that is decoded, in bytes. A decoded state takes up to about 40 times as much memory in the
    /// worst case (many tiny entries), a few times as a rule. Default 64 MiB.
    pub bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            depth: 32,
            bytes: 64 << 20,
        }
    }
}
