//! Runs the load: threads, their connections and requests, progress, drain.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::client::{Connection, Failure, Target};
use crate::config::Config;
use crate::messages::{self, Request};
use crate::random::Random;
use crate::report::{Report, micros};
use crate::schedule::Schedule;
use crate::stats::Stats;

/// A closed loop without a connection looks again after this time.
const PAUSE_WITHOUT_CONNECTION: Duration = Duration::from_millis(10);
/// The load starts after this time even without all connections.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Of tokio's timers.
const TIMER_RESOLUTION: Duration = Duration::from_millis(1);

/// What one thread measures; the main thread collects it now and then.
#[derive(Default)]
struct Meter {
    stats: Mutex<Option<Stats>>,
    outstanding: AtomicU64,
}

impl Meter {
    fn with(&self, record: impl FnOnce(&mut Stats)) {
        let mut stats = self.stats.lock().unwrap_or_else(PoisonError::into_inner);
        record(stats.get_or_insert_with(Stats::new));
    }

    fn take(&self) -> Option<Stats> {
        self.stats.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// What a thread needs to know.
struct Job {
    config: Config,
    target: Arc<Target>,
    meter: Arc<Meter>,
    stop: watch::Receiver<bool>,
    /// Which thread this is.
    index: u16,
}

/// Runs the load to its end and says what was measured.
pub(crate) fn run(config: &Config) -> anyhow::Result<Report> {
    let target = Arc::new(Target::new(config)?);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let interrupted = runtime.block_on(wait_for_service(config, &target))?;
    if interrupted {
        anyhow::bail!("stopped before the service was there");
    }
    let (stopper, stop) = watch::channel(false);
    let threads = config.threads.min(config.clients);
    let meters: Vec<Arc<Meter>> = (0..threads).map(|_| Arc::default()).collect();
    let mut handles = Vec::new();
    for (index, meter) in (0..threads).zip(&meters) {
        let job = Job {
            config: config.clone(),
            target: target.clone(),
            meter: meter.clone(),
            stop: stop.clone(),
            index,
        };
        let name = format!("load-{index}");
        handles.push(std::thread::Builder::new().name(name).spawn(move || work(job))?);
    }
    let (mut stats, measured) = runtime.block_on(watch_progress(config, &meters))?;
    // The threads hold receivers until they have drained.
    let _ = stopper.send(true);
    for handle in handles {
        let ended = handle
            .join()
            .map_err(|_| anyhow::anyhow!("a load thread panicked"))?;
        ended.context("a load thread failed")?;
    }
    meters
        .iter()
        .filter_map(|meter| meter.take())
        .for_each(|rest| stats.add(&rest));
    Ok(Report::new(config, &stats, measured))
}

/// Asks for a cart until the service answers; says whether it was interrupted.
async fn wait_for_service(config: &Config, target: &Arc<Target>) -> anyhow::Result<bool> {
    let connection = Connection::new(target.clone());
    let mut pause = Duration::from_millis(config.retry_min_ms.max(1));
    let asking = async {
        while let Err(failure) = connection.call_once(messages::read(1)).await {
            eprintln!("the service does not answer yet ({failure}); next try in {pause:?}");
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(config.retry_max_ms.max(1)));
        }
    };
    let interrupted = interruption()?;
    Ok(tokio::select! {
        () = asking => false,
        () = interrupted => true,
    })
}

fn interruption() -> anyhow::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Prints progress until the time is over or a signal comes, and returns what was measured after the warm-up.
async fn watch_progress(config: &Config, meters: &[Arc<Meter>]) -> anyhow::Result<(Stats, Duration)> {
    let mut end = std::pin::pin!(end_of_load(config)?);
    let start = Instant::now();
    let warm = start + Duration::from_secs_f64(config.warm_up_s);
    let mut warming = config.warm_up_s > 0.0;
    let mut total = Stats::new();
    let mut last = start;
    loop {
        let next = last + Duration::from_secs_f64(config.report_interval_s);
        let next = if warming { next.min(warm) } else { next };
        let ended = tokio::select! {
            () = &mut end => true,
            () = tokio::time::sleep_until(next) => false,
        };
        let now = Instant::now();
        let mut interval = Stats::new();
        meters
            .iter()
            .filter_map(|meter| meter.take())
            .for_each(|part| interval.add(&part));
        let outstanding = meters
            .iter()
            .map(|meter| meter.outstanding.load(Ordering::Relaxed))
            .sum();
        print_progress(&interval, now - start, now - last, outstanding);
        if !warming {
            total.add(&interval);
        }
        warming = now < warm;
        last = now;
        if ended {
            return Ok((total, now.saturating_duration_since(warm)));
        }
    }
}

fn end_of_load(config: &Config) -> anyhow::Result<impl Future<Output = ()>> {
    let interrupted = interruption()?;
    let duration = config
        .duration_s
        .map(|seconds| Duration::from_secs_f64(seconds + config.warm_up_s));
    Ok(async move {
        match duration {
            Some(duration) => {
                let _ = tokio::time::timeout(duration, interrupted).await;
            }
            None => interrupted.await,
        }
    })
}

fn print_progress(stats: &Stats, since_start: Duration, interval: Duration, outstanding: u64) {
    let per_second = |count: u64| count as f64 / interval.as_secs_f64().max(f64::MIN_POSITIVE);
    let latencies = stats.all();
    eprintln!(
        "{:7.1} s  {:9.0} requests/s  {:9.0} ok/s  {:6.0} failed/s  {:6.0} not sent/s  {outstanding:6} under way  \
         p50 {:8.3} ms  p99 {:8.3} ms",
        since_start.as_secs_f64(),
        per_second(stats.successes() + stats.failed()),
        per_second(stats.successes()),
        per_second(stats.failed()),
        per_second(stats.not_sent),
        micros(latencies.value_at_quantile(0.5)) / 1000.0,
        micros(latencies.value_at_quantile(0.99)) / 1000.0,
    );
}

/// One thread: its share of the connections, and of the load.
fn work(job: Job) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async move {
        let count = job.share(u32::from(job.config.clients));
        let connections: Vec<_> = (0..count).map(|_| Connection::new(job.target.clone())).collect();
        let mut keepers = JoinSet::new();
        for connection in &connections {
            let connection = connection.clone();
            keepers.spawn(async move { connection.keep().await });
        }
        for connection in &connections {
            // Whoever cannot connect now may later; the requests will tell.
            let _ = tokio::time::timeout(CONNECT_TIMEOUT, connection.connected()).await;
        }
        match job.config.in_flight {
            Some(in_flight) => closed_loop(&job, &connections, job.share(in_flight)).await,
            None => open_loop(&job, &connections).await,
        }
        keepers.shutdown().await;
    });
    Ok(())
}

impl Job {
    fn threads(&self) -> u32 {
        u32::from(self.config.threads.min(self.config.clients))
    }

    /// This thread's share of a number: they differ by one at most, and add up to the number.
    fn share(&self, number: u32) -> u32 {
        number / self.threads() + u32::from(u32::from(self.index) < number % self.threads())
    }

    /// Choices that no other thread or worker makes.
    fn random(&self, worker: u32) -> Random {
        Random::new(
            self.config.seed.wrapping_mul(1 << 32) ^ (u64::from(self.index) << 24) ^ u64::from(worker),
        )
    }

    /// Sends a request and records what becomes of it; `due` is when it was to be sent.
    async fn request(
        &self,
        connection: &Connection,
        random: &mut Random,
        due: Instant,
    ) -> Result<(), Failure> {
        let request = messages::choose(random, self.config.users, self.config.read_ratio);
        perform(&self.meter, connection, request, due).await
    }
}

async fn perform(
    meter: &Meter,
    connection: &Connection,
    request: Request,
    due: Instant,
) -> Result<(), Failure> {
    let kind = request.kind;
    meter.outstanding.fetch_add(1, Ordering::Relaxed);
    let outcome = connection.call(request).await;
    meter.outstanding.fetch_sub(1, Ordering::Relaxed);
    meter.with(|stats| stats.record(kind, due.elapsed(), outcome.clone()));
    outcome
}

/// Keeps requests under way until the stop, then waits for the last.
async fn closed_loop(job: &Job, connections: &[Connection], in_flight: u32) {
    let workers = connections
        .iter()
        .cycle()
        .zip(0..in_flight)
        .map(|(connection, worker)| async move {
            let mut random = job.random(worker);
            let stop = job.stop.clone();
            while !*stop.borrow() {
                if let Err(failure) = job.request(connection, &mut random, Instant::now()).await
                    && failure.is_disconnected()
                {
                    tokio::time::sleep(PAUSE_WITHOUT_CONNECTION).await;
                }
            }
        });
    futures_util::future::join_all(workers).await;
}

/// Sends requests when they are due until the stop, then waits for those under way.
async fn open_loop(job: &Job, connections: &[Connection]) {
    let Config { rate, ramp_up_s, .. } = job.config;
    let threads = job.threads();
    let ramp_up = Duration::from_secs_f64(ramp_up_s);
    let mut schedule = Schedule::new(
        rate / f64::from(threads),
        ramp_up,
        job.config.tick(),
        job.random(u32::MAX),
    );
    let limit = (job.config.max_outstanding() / u64::from(threads)).max(1);
    let (mut random, mut stop) = (job.random(0), job.stop.clone());
    let mut connections = connections.iter().cycle();
    let mut under_way = JoinSet::new();
    let start = Instant::now();
    loop {
        let (at, count) = schedule.next();
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break,
            () = tokio::time::sleep_until(start + at) => {}
        }
        // The timer has a resolution of a millisecond; being later than that counts as latency.
        let due = Instant::now().min(start + at + TIMER_RESOLUTION);
        while under_way.try_join_next().is_some() {}
        let room = limit.saturating_sub(under_way.len() as u64);
        for (connection, _) in connections.by_ref().zip(0..count.min(room)) {
            let request = messages::choose(&mut random, job.config.users, job.config.read_ratio);
            let (meter, connection) = (job.meter.clone(), connection.clone());
            under_way.spawn(async move { drop(perform(&meter, &connection, request, due).await) });
        }
        if count > room {
            job.meter.with(|stats| stats.not_sent += count - room);
        }
    }
    while under_way.join_next().await.is_some() {}
}
