//! A proxy's own counters, from its admin port.

use anyhow::{Context, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The sum of a counter over all its labels, zero if there is none of that name.
///
/// # Errors
/// Nothing at `address` answers, or not with numbers.
pub async fn counter(address: &str, name: &str) -> Result<u64> {
    let mut socket = TcpStream::connect(address)
        .await
        .with_context(|| format!("cannot connect to the admin port {address}"))?;
    let request = format!("GET /metrics HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await?;
    sum(&answer, name)
}

fn sum(exposition: &str, name: &str) -> Result<u64> {
    let values = exposition
        .lines()
        .filter_map(|line| line.strip_prefix(name))
        .filter(|rest| rest.starts_with(['{', ' ']));
    let mut sum = 0;
    for rest in values {
        let (_, value) = rest.rsplit_once(' ').context("a metric without a value")?;
        sum += value.trim().parse::<u64>()?;
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_is_summed_over_its_labels_and_apart_from_longer_names() -> Result<()> {
        let text = "# TYPE a counter\na{b=\"1 2\"} 3\na{b=\"4\"} 5\na_more{b=\"1\"} 7\n";
        assert_eq!(sum(text, "a")?, 8);
        assert_eq!(sum(text, "a_more")?, 7);
        assert_eq!(sum(text, "none")?, 0);
        Ok(())
    }
}
