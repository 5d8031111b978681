//! What the operating system knows of this process, under the names that Prometheus has for it.

use std::fmt;
use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cloudstate_telemetry::Page;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

/// Asks the system when somebody asks for metrics. Shows nothing where `/proc` is not what Linux makes of it.
#[derive(Debug)]
pub(crate) struct ProcessMetrics {
    started: Duration,
}

impl ProcessMetrics {
    /// The process has just started.
    pub(crate) fn new() -> Self {
        ProcessMetrics {
            // A clock before 1970 is 1970.
            started: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
        }
    }
}

impl Collector for ProcessMetrics {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut page = Page::from(encoder);
        page.gauges(
            "cloudstate_build_info",
            "This program; always 1",
            [([("version", env!("CARGO_PKG_VERSION"))], 1)],
        )?;
        page.gauge_f64(
            "process_start_time_seconds",
            "When the process started, in seconds since 1970",
            self.started.as_secs_f64(),
        )?;
        let stat = fs::read_to_string("/proc/self/stat").ok();
        if let Some(stat) = stat.as_deref().and_then(Stat::read) {
            stat.write(&mut page)?;
        }
        if let Ok(open) = fs::read_dir("/proc/self/fd") {
            // One of them is this directory.
            let open = open.count().saturating_sub(1);
            page.gauge("process_open_fds", "Open file descriptors", open as u64)?;
        }
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
        match limit.current {
            Some(limit) => page.gauge("process_max_fds", "Most file descriptors that may be open", limit),
            None => Ok(()),
        }
    }
}

/// The part of `/proc/self/stat` that is shown. Source: proc_pid_stat(5).
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    cpu_ticks: u64,
    threads: u64,
    virtual_bytes: u64,
    resident_pages: u64,
}

impl Stat {
    fn read(text: &str) -> Option<Self> {
        // The name, in parentheses, may hold anything; fields are counted from behind it, where the third one is.
        let fields: Vec<_> = text.rsplit_once(')')?.1.split_ascii_whitespace().collect();
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        Some(Stat {
            cpu_ticks: field(14)? + field(15)?,
            threads: field(20)?,
            virtual_bytes: field(23)?,
            resident_pages: field(24)?,
        })
    }

    fn write(&self, page: &mut Page<'_>) -> fmt::Result {
        let (ticks, page_bytes) = (
            rustix::param::clock_ticks_per_second(),
            rustix::param::page_size(),
        );
        page.counter_f64(
            "process_cpu_seconds",
            "Time on processors, of user and system together",
            self.cpu_ticks as f64 / ticks.max(1) as f64,
        )?;
        page.gauge("process_threads", "Threads", self.threads)?;
        page.gauge(
            "process_virtual_memory_bytes",
            "Virtual memory",
            self.virtual_bytes,
        )?;
        page.gauge(
            "process_resident_memory_bytes",
            "Resident memory",
            self.resident_pages * page_bytes as u64,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_hold_anything() {
        let text = "7 (a) b (c)) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 9 0 1000 8192 3 18446744073709551615 1";
        let stat = Stat::read(text).unwrap();
        assert_eq!((stat.cpu_ticks, stat.threads), (300, 9));
        assert_eq!((stat.virtual_bytes, stat.resident_pages), (8192, 3));
        assert_eq!(Stat::read("7 (a) S 1"), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_is_read() {
        let stat = Stat::read(&fs::read_to_string("/proc/self/stat").unwrap()).unwrap();
        assert!(stat.resident_pages > 0 && stat.threads > 0);
    }
}
