//! What rooms count, time and trace.
//!
//! ```text
//!   one thread ──add──▶ Count, Histogram ◀──read── a scrape, from any thread ──▶ Page
//!   any thread ──Span::end──▶ bounded queue ──▶ trace::Spans ──▶ an exporter
//! ```
//!
//! Each thread has cells of its own, which it alone writes: counting takes no locked instruction and shares no cache
//! line. A scrape adds up the cells of all threads. [`Page`] writes the sums in the form that the admin port shows.
//! [`trace`] is for the few calls that are recorded step by step.
//!
//! Absent: what is counted and traced, which each room knows for itself, and sending spans anywhere.

mod count;
mod histogram;
mod page;
pub mod trace;

pub use count::Count;
pub use histogram::{Histogram, TIMES_US, Totals};
pub use page::{Page, Unit};
