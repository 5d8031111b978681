//! The limit before functions that are played: so many commands at a time, in order of arrival, each for so long.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use proptest::prelude::*;

use super::*;

const AIM: Aim = Aim {
    delay: Duration::from_millis(100),
    unloaded: 32,
};

/// The limit that is there for memory. It counts until an overload is noticed.
const MAX_IN_FLIGHT: usize = 10_000;

fn ms(count: f64) -> Duration {
    Duration::from_secs_f64(count / 1e3)
}

/// A function, and the limit before it.
struct World {
    limit: DelayLimit,
    start: Instant,
    now: Duration,
    work: Duration,
    /// When each of the function's workers is free.
    free: BinaryHeap<Reverse<Duration>>,
    /// Begin and end of what is in progress, by end.
    running: VecDeque<(Duration, Duration)>,
    latencies: Vec<Duration>,
    refused: usize,
}

impl World {
    fn new(workers: usize, work: Duration) -> Self {
        let start = Instant::now();
        World {
            limit: DelayLimit::new(AIM, start),
            start,
            now: Duration::ZERO,
            work,
            free: vec![Reverse(Duration::ZERO); workers].into(),
            running: VecDeque::new(),
            latencies: Vec::new(),
            refused: 0,
        }
    }

    /// Answers all that is due by then.
    fn advance(&mut self, to: Duration) {
        while let Some(&(began, ended)) = self.running.front()
            && ended <= to
        {
            self.running.pop_front();
            self.latencies.push(ended - began);
            self.limit
                .answered(ended - began, self.running.len(), self.start + ended);
        }
        self.now = to;
    }

    fn offer(&mut self) {
        if self.running.len() >= MAX_IN_FLIGHT {
            return;
        }
        if self.running.len() >= AIM.unloaded && !self.limit.admits(self.running.len()) {
            self.refused += 1;
            return;
        }
        let Reverse(free) = self.free.pop().expect("there are workers");
        let ended = free.max(self.now) + self.work;
        self.free.push(Reverse(ended));
        let place = self.running.partition_point(|(_, end)| *end <= ended);
        self.running.insert(place, (self.now, ended));
        let now = self.start + self.now;
        self.limit.began(self.running.len(), || now);
    }

    /// An open loop: so many a second, whatever is answered.
    fn open_loop(&mut self, rate: f64, time: Duration) {
        let (from, step) = (self.now, 1.0 / rate);
        let count = (time.as_secs_f64() * rate) as usize;
        for n in 1..=count {
            self.advance(from + Duration::from_secs_f64(n as f64 * step));
            self.offer();
        }
    }

    /// So many callers, each of which calls again as soon as it is answered.
    fn closed_loop(&mut self, callers: usize, rounds: usize) {
        (0..callers).for_each(|_| self.offer());
        let until = self.latencies.len() + rounds * callers;
        while self.latencies.len() < until && !self.running.is_empty() {
            self.next_answer();
        }
    }

    /// The callers that are answered next call again.
    fn next_answer(&mut self) {
        if let Some(&(_, ended)) = self.running.front() {
            let answered = self.latencies.len();
            self.advance(ended);
            (answered..self.latencies.len()).for_each(|_| self.offer());
        }
    }

    /// The function does nothing for a while, as when it collects garbage.
    fn pause(&mut self, time: Duration) {
        let (from, work) = (self.now, self.work);
        let later = |at: Duration| at.max(from) + time;
        self.free = self
            .free
            .drain()
            .map(|Reverse(free)| Reverse(later(free)))
            .collect();
        for (n, (_, ended)) in self.running.iter_mut().enumerate() {
            *ended = later(*ended).max(from + work) + ms(0.02) * n as u32;
        }
    }

    fn p99(&mut self) -> Duration {
        self.latencies.sort();
        self.latencies[self.latencies.len() * 99 / 100]
    }
}

#[test]
fn ten_times_what_the_function_can_do_is_cut_to_the_allowed_delay() {
    let mut world = World::new(2, ms(1.0));
    world.open_loop(20_000.0, Duration::from_secs(30));
    assert!(
        world.latencies.len() > 59_000,
        "{} answers of 60,000",
        world.latencies.len()
    );
    let p99 = world.p99();
    assert!(p99 < ms(130.0), "{p99:?}");
}

#[test]
fn the_queue_is_cut_before_its_commands_are_answered() {
    let mut world = World::new(2, ms(1.0));
    world.open_loop(20_000.0, ms(40.0));
    assert!(world.refused > 0, "nothing was refused in 40 ms");
    assert!(
        world.running.len() < 600,
        "{} commands are in progress",
        world.running.len()
    );
}

#[test]
fn after_an_overload_all_are_let_in_again() {
    let mut world = World::new(2, ms(1.0));
    world.open_loop(20_000.0, Duration::from_secs(5));
    world.open_loop(1_000.0, ms(500.0));
    assert_eq!(world.limit.limit(), None);
    world.refused = 0;
    world.open_loop(1_000.0, Duration::from_secs(5));
    assert_eq!(world.refused, 0);
}

#[test]
fn a_burst_is_served() {
    let mut world = World::new(2, ms(1.0));
    for _ in 0..20 {
        world.open_loop(500.0, Duration::from_secs(1));
        (0..150).for_each(|_| world.offer());
    }
    assert_eq!(world.refused, 0);
}

#[test]
fn a_pause_refuses_nothing() {
    let mut world = World::new(250, ms(1.0));
    world.closed_loop(250, 10);
    // At every place of a window.
    for n in 0..500 {
        world.pause(ms(300.0));
        let until = world.latencies.len() + 2_000 + 10 * n;
        while world.latencies.len() < until {
            world.next_answer();
        }
    }
    assert_eq!(world.refused, 0);
}

#[test]
fn a_function_that_becomes_slow_is_believed() {
    let mut world = World::new(10_000, ms(1.0));
    world.closed_loop(1_000, 20);
    world.work = Duration::from_secs(2);
    world.open_loop(200.0, Duration::from_secs(60));
    world.refused = 0;
    world.open_loop(200.0, Duration::from_secs(60));
    assert_eq!(world.refused, 0, "400 in progress are fine");
}

#[test]
fn few_workers_that_are_slow_get_few_commands() {
    let mut world = World::new(4, ms(200.0));
    world.open_loop(200.0, Duration::from_secs(300));
    assert!(
        world.latencies.len() > 5_600,
        "{} of 6,000",
        world.latencies.len()
    );
    world.latencies.drain(..2_000);
    let p99 = world.p99();
    assert!(p99 < Duration::from_secs(4), "{p99:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20))]

    #[test]
    fn what_waits_for_nobody_is_never_refused(callers in 1..500_usize, micros in 50..3_000_000_u64) {
        let mut world = World::new(callers, Duration::from_micros(micros));
        world.closed_loop(callers, 10);
        prop_assert_eq!(world.refused, 0);
        prop_assert_eq!(world.limit.limit(), None);
    }

    #[test]
    fn few_callers_are_never_refused(
        callers in 1..=32_usize,
        workers in 1..8_usize,
        works in prop::collection::vec(50..3_000_000_u64, 1..6),
    ) {
        let mut world = World::new(workers, Duration::ZERO);
        for micros in works {
            world.work = Duration::from_micros(micros);
            world.closed_loop(callers, 10);
            world.advance(world.now + Duration::from_secs(1_000));
        }
        prop_assert_eq!(world.refused, 0);
    }

    #[test]
    fn an_overloaded_function_keeps_busy_and_its_queue_short(
        workers in 1..64_usize,
        micros in 200..50_000_u64,
        times in 1.5..20.0_f64,
    ) {
        let mut world = World::new(workers, Duration::from_micros(micros));
        let capacity = workers as f64 * 1e6 / micros as f64;
        let time = Duration::from_secs_f64(20_000.0 / capacity);
        world.open_loop(capacity * times, time);
        prop_assert!(world.latencies.len() > 18_000, "{} answers of 20,000", world.latencies.len());
        // The first of them were let in before anything was known.
        world.latencies.clear();
        world.open_loop(capacity * times, time);
        let work = world.work;
        let allowed = (work + work.max(AIM.delay)).max(work * (3 * AIM.unloaded / workers) as u32);
        let p99 = world.p99();
        prop_assert!(p99 < allowed * 3 / 2 + ms(20.0), "{:?}, allowed {:?}", p99, allowed);
    }
}
