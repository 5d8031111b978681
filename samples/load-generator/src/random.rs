//! Random choices that a seed repeats.

/// SplitMix64 (Steele, Lea, Flood 2014): small, fast, good enough to choose carts and products.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Random(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to `bound - 1`. The bias towards small numbers is below 2⁻³² for bounds that fit 32 bits.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    /// At least 0, less than 1.
    pub(crate) fn unit(&mut self) -> f64 {
        // The upper 53 bits fit a float's mantissa exactly.
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}
