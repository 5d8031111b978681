//! Counts what is in progress on the node and refuses beyond the limits, before anything is executed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

use crate::method_limit::Limits;
use crate::metrics::Shed;
use crate::{CallError, Options};

/// Calls and bytes in progress, over all cores.
#[derive(Debug)]
pub(crate) struct Admission {
    calls: AtomicUsize,
    bytes: AtomicUsize,
    max_calls: usize,
    max_bytes: usize,
    retry_after: std::time::Duration,
    /// Of each method, by the delay of the function.
    pub(crate) limits: Limits,
    /// Signalled when the last call ends.
    none: Notify,
}

/// One admitted call; dropping it makes room again.
#[derive(Debug)]
pub(crate) struct Permit {
    admission: Arc<Admission>,
    bytes: usize,
}

impl Admission {
    pub(crate) fn new(options: &Options) -> Self {
        Admission {
            calls: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            max_calls: options.max_in_flight,
            max_bytes: options.max_in_flight_bytes,
            retry_after: options.retry_after,
            limits: Limits::default(),
            none: Notify::new(),
        }
    }

    /// Counts a call of so many bytes, or refuses it.
    pub(crate) fn admit(self: &Arc<Self>, bytes: usize) -> Result<Permit, (Shed, CallError)> {
        // Counting first and taking back on refusal keeps the limit exact without a loop.
        let calls = self.calls.fetch_add(1, Ordering::Relaxed);
        let total = self.bytes.fetch_add(bytes, Ordering::Relaxed);
        let permit = Permit {
            admission: self.clone(),
            bytes,
        };
        let (why, limit) = if calls >= self.max_calls {
            (Shed::Calls, format!("{} calls are in progress", self.max_calls))
        } else if total + bytes > self.max_bytes {
            let limit = format!("requests of {} bytes are in progress", self.max_bytes);
            (Shed::Bytes, limit)
        } else {
            return Ok(permit);
        };
        drop(permit);
        let error = CallError::Overloaded {
            message: format!("the proxy is overloaded: {limit}, its limit"),
            retry_after: self.retry_after,
        };
        Err((why, error))
    }

    /// Waits until no call is in progress.
    pub(crate) async fn none_in_flight(&self) {
        loop {
            let none = self.none.notified();
            if self.in_flight() == 0 {
                return;
            }
            none.await;
        }
    }

    /// Calls in progress.
    pub(crate) fn in_flight(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    /// Bytes of the calls in progress.
    pub(crate) fn bytes_in_flight(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.admission.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
        if self.admission.calls.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.admission.none.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_beyond_either_limit_and_makes_room_again() {
        let options = Options {
            max_in_flight: 2,
            max_in_flight_bytes: 100,
            ..Options::default()
        };
        let admission = Arc::new(Admission::new(&options));
        let first = admission.admit(60).expect("there is room");
        let (why, error) = admission.admit(41).expect_err("too many bytes");
        assert_eq!(why, Shed::Bytes);
        assert!(error.to_string().contains("100 bytes"), "{error}");
        let second = admission.admit(40).expect("exactly at the limit");
        let (why, error) = admission.admit(0).expect_err("too many calls");
        assert_eq!(why, Shed::Calls);
        assert!(error.to_string().contains("2 calls"), "{error}");
        drop((first, second));
        assert_eq!(admission.in_flight(), 0);
        assert!(admission.admit(100).is_ok());
    }
}
