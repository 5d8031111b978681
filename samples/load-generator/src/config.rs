//! Command line and environment.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

/// Puts load on a shopping cart service by gRPC and measures its latency.
///
/// Without --in-flight the load is an open loop: requests are sent at a rate, whatever the answers, and latency counts
/// from the time at which a request was due. With --in-flight it is a closed loop: so many requests are always under
/// way, and the rate is the result.
#[derive(Debug, Clone, Parser)]
#[command(version)]
pub(crate) struct Config {
    /// Host of the service.
    #[arg(long, env = "SHOPPING_CART_SERVICE", default_value = "localhost")]
    pub(crate) host: String,
    /// Port of the service.
    #[arg(long, env = "SHOPPING_CART_SERVICE_PORT", default_value_t = 9000)]
    pub(crate) port: u16,
    /// Full name of the service: the value sample is com.example.valueentity.shoppingcart.ShoppingCart.
    #[arg(long, default_value = "com.example.shoppingcart.ShoppingCart")]
    pub(crate) service: String,
    /// Carts: requests go to user1 to userN at random.
    #[arg(long, env = "NUM_USERS", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) users: u64,
    /// Connections.
    #[arg(long, env = "NUM_CLIENTS", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) clients: u16,
    /// Threads, among which the connections are shared out.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) threads: u16,
    /// Share of requests that read a cart; the others add an item.
    #[arg(long, env = "READ_WRITE_REQUEST_RATIO", default_value_t = 0.9, value_parser = ratio)]
    pub(crate) read_ratio: f64,
    /// Open loop: requests a second.
    #[arg(long, env = "REQUEST_RATE_PER_S", default_value_t = 1000.0, value_parser = positive)]
    pub(crate) rate: f64,
    /// Open loop: the rate grows from zero during this many seconds.
    #[arg(long, env = "RAMP_UP_S", default_value_t = 20.0, value_parser = not_negative)]
    pub(crate) ramp_up_s: f64,
    /// Open loop: requests are due together at this interval.
    #[arg(long, env = "TICK_INTERVAL_MS", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) tick_ms: u64,
    /// Open loop: no more requests are under way than the rate brings in this time; those beyond it are not sent, but
    /// counted.
    #[arg(long, env = "MAX_RESPONSE_LAG_MS", default_value_t = 400)]
    pub(crate) max_lag_ms: u64,
    /// Closed loop: keep this many requests under way instead of sending at a rate.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) in_flight: Option<u32>,
    /// Seconds of load; without it, until SIGINT or SIGTERM.
    #[arg(long, env = "DURATION_S", value_parser = positive)]
    pub(crate) duration_s: Option<f64>,
    /// Seconds at the beginning of the load that do not count.
    #[arg(long, default_value_t = 0.0, value_parser = not_negative)]
    pub(crate) warm_up_s: f64,
    /// Seconds between lines of progress.
    #[arg(long, env = "REPORT_INTERVAL_S", default_value_t = 5.0, value_parser = positive)]
    pub(crate) report_interval_s: f64,
    /// Seconds until a request has failed.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=99_999_999))]
    pub(crate) deadline_s: u32,
    /// Shortest pause, in milliseconds, before the service is asked again whether it is there; doubles each time.
    #[arg(long, default_value_t = 3000)]
    pub(crate) retry_min_ms: u64,
    /// Longest such pause.
    #[arg(long, default_value_t = 30_000)]
    pub(crate) retry_max_ms: u64,
    /// Write the report as JSON to this file instead of to standard output.
    #[arg(long)]
    pub(crate) report: Option<PathBuf>,
    /// Exit with status 1 if a request failed, or none succeeded.
    #[arg(long)]
    pub(crate) fail_on_error: bool,
    /// Seed of the random choices; the same seed makes the same requests.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}

impl Config {
    pub(crate) fn deadline(&self) -> Duration {
        Duration::from_secs(u64::from(self.deadline_s))
    }

    pub(crate) fn tick(&self) -> Duration {
        Duration::from_millis(self.tick_ms)
    }

    /// Requests that may be under way in an open loop; at least one.
    pub(crate) fn max_outstanding(&self) -> u64 {
        // Rounding is harmless: this is a bound.
        ((self.rate * Duration::from_millis(self.max_lag_ms).as_secs_f64()) as u64).max(1)
    }
}

fn number(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if number.is_finite() {
        Ok(number)
    } else {
        Err("not a finite number".to_owned())
    }
}

fn ratio(text: &str) -> Result<f64, String> {
    number(text).and_then(|it| {
        if (0.0..=1.0).contains(&it) {
            Ok(it)
        } else {
            Err("must be from 0 to 1".to_owned())
        }
    })
}

fn positive(text: &str) -> Result<f64, String> {
    number(text).and_then(|it| {
        if it > 0.0 {
            Ok(it)
        } else {
            Err("must be greater than 0".to_owned())
        }
    })
}

fn not_negative(text: &str) -> Result<f64, String> {
    number(text).and_then(|it| {
        if it >= 0.0 {
            Ok(it)
        } else {
            Err("must not be negative".to_owned())
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_those_of_the_sample() {
        let config = Config::parse_from(["load-generator"]);
        assert_eq!((config.users, config.clients, config.port), (100, 5, 9000));
        assert_eq!(config.max_outstanding(), 400, "1000 a second in 400 ms");
    }

    #[test]
    fn numbers_out_of_range_are_refused() {
        for arguments in [
            ["--read-ratio", "1.1"],
            ["--rate", "0"],
            ["--rate", "inf"],
            ["--users", "0"],
        ] {
            let parsed = Config::try_parse_from(std::iter::once("load-generator").chain(arguments));
            assert!(parsed.is_err(), "{arguments:?}");
        }
    }
}
