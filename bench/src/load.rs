//! A closed loop of calls, gRPC or JSON: a fixed number in flight, each caller sends its next when it has the answer.

use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::Result;
use bytes::Bytes;
use http::Method;
use tokio::task::JoinSet;

use crate::latencies::Latencies;
use crate::process;
use crate::wire::Connection;

/// What to send, and for how long.
#[derive(Debug, Clone)]
pub struct Plan<R = Bytes> {
    /// `host:port` of a server.
    pub address: String,
    /// Path of a unary method; of JSON calls, what all their paths begin with.
    pub path: String,
    /// One request for each entity, such as an encoded gRPC frame. Caller i of n sends the requests i, i + n, … in turn, so
    /// that callers do not wait for each other at an entity as long as there are at least as many entities as callers.
    pub requests: Vec<R>,
    /// Calls in flight.
    pub in_flight: usize,
    /// Runs before anything is measured. Every entity is called once before that.
    pub warm_up: Duration,
    /// Runs measured.
    pub duration: Duration,
}

/// A request that a [`Plan`] can send.
pub trait Call {
    /// Sends it, and fails unless the answer is a success.
    fn send(&self, connection: &Connection, path: &str) -> impl Future<Output = Result<()>>;
}

/// An encoded gRPC frame.
impl Call for Bytes {
    async fn send(&self, connection: &Connection, path: &str) -> Result<()> {
        connection.unary(path, self.clone()).await?;
        Ok(())
    }
}

/// An HTTP request with JSON.
#[derive(Debug, Clone)]
pub struct Json {
    /// The HTTP method.
    pub method: Method,
    /// The rest of its path.
    pub path: String,
    /// The text; empty for none.
    pub body: Bytes,
}

impl Call for Json {
    async fn send(&self, connection: &Connection, path: &str) -> Result<()> {
        let path = [path, &self.path].concat();
        connection.json(&self.method, &path, self.body.clone()).await?;
        Ok(())
    }
}

/// What was measured.
#[derive(Debug)]
pub struct Outcome {
    /// Of every call in the measured time.
    pub latencies: Latencies,
    /// The measured time.
    pub elapsed: Duration,
    /// CPU time that each watched process used in it.
    pub cpu: Vec<Duration>,
}

impl Outcome {
    /// Calls a second.
    pub fn throughput(&self) -> f64 {
        self.latencies.len() as f64 / self.elapsed.as_secs_f64()
    }

    /// CPU time of the watched process `index`, in microseconds a call.
    pub fn cpu_micros_per_call(&self, index: usize) -> f64 {
        self.cpu[index].as_secs_f64() * 1e6 / self.latencies.len() as f64
    }
}

/// Runs a plan on this thread (a tokio local runtime), watching the CPU time of `pids`.
///
/// # Errors
/// Any call that fails ends the run: a benchmark that counts errors as answers measures nothing.
pub async fn run<R: Call + Clone + 'static>(plan: &Plan<R>, pids: &[u32]) -> Result<Outcome> {
    let connection = Rc::new(Connection::open(&plan.address).await?);
    let plan = Rc::new(plan.clone());
    phase(&connection, &plan, Limit::EachOnce).await?;
    phase(&connection, &plan, Limit::Until(Instant::now() + plan.warm_up)).await?;
    let until = Limit::Until(Instant::now() + plan.duration);
    measured(&connection, &plan, until, pids).await
}

/// Calls every entity of a plan once, on this thread (a tokio local runtime), watching the CPU time of `pids`.
///
/// # Errors
/// As [`run`].
pub async fn each_once<R: Call + Clone + 'static>(plan: &Plan<R>, pids: &[u32]) -> Result<Outcome> {
    let connection = Rc::new(Connection::open(&plan.address).await?);
    measured(&connection, &Rc::new(plan.clone()), Limit::EachOnce, pids).await
}

async fn measured<R: Call + 'static>(
    connection: &Rc<Connection>,
    plan: &Rc<Plan<R>>,
    limit: Limit,
    pids: &[u32],
) -> Result<Outcome> {
    let before = cpu_times(pids)?;
    let start = Instant::now();
    let latencies = phase(connection, plan, limit).await?;
    let elapsed = start.elapsed();
    let cpu = cpu_times(pids)?
        .into_iter()
        .zip(before)
        .map(|(after, before)| after - before)
        .collect();
    Ok(Outcome {
        latencies,
        elapsed,
        cpu,
    })
}

fn cpu_times(pids: &[u32]) -> Result<Vec<Duration>> {
    pids.iter().map(|&pid| process::cpu_time(pid)).collect()
}

#[derive(Debug, Clone, Copy)]
enum Limit {
    EachOnce,
    Until(Instant),
}

async fn phase<R: Call + 'static>(
    connection: &Rc<Connection>,
    plan: &Rc<Plan<R>>,
    limit: Limit,
) -> Result<Latencies> {
    let mut callers = JoinSet::new();
    for caller in 0..plan.in_flight {
        callers.spawn_local(call_in_turn(connection.clone(), plan.clone(), caller, limit));
    }
    let mut all = Latencies::default();
    while let Some(latencies) = callers.join_next().await {
        all.extend(latencies??);
    }
    Ok(all)
}

async fn call_in_turn<R: Call>(
    connection: Rc<Connection>,
    plan: Rc<Plan<R>>,
    caller: usize,
    limit: Limit,
) -> Result<Latencies> {
    let mut latencies = Latencies::default();
    let mut own = plan
        .requests
        .iter()
        .skip(caller % plan.requests.len())
        .step_by(plan.in_flight);
    loop {
        let request = match (own.next(), limit) {
            (Some(request), _) => request,
            (None, Limit::EachOnce) => return Ok(latencies),
            (None, Limit::Until(_)) => {
                own = plan
                    .requests
                    .iter()
                    .skip(caller % plan.requests.len())
                    .step_by(plan.in_flight);
                continue;
            }
        };
        let start = Instant::now();
        request.send(&connection, &plan.path).await?;
        let end = Instant::now();
        latencies.record(end - start);
        if matches!(limit, Limit::Until(until) if end >= until) {
            return Ok(latencies);
        }
    }
}
