//! What rooms count and time.
//!
//! ```text
//!   one thread ──add──▶ Count, Histogram ◀──read── a scrape, from any thread ──▶ Page
//! ```
//!
//! Each thread has cells of its own, which it alone writes: counting takes no locked instruction and shares no cache
//! line. A scrape adds up the cells of all threads. [`Page`] writes the sums in the form that the admin port shows.
//!
//! Absent: what is counted. Each room has its own table of cells.

mod count;
mod histogram;
mod page;

pub use count::Count;
pub use histogram::{Histogram, TIMES_US, Totals};
pub use page::{Page, Unit};
