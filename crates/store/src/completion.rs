//! How an outcome gets from the committer to whoever waits, with one wake-up a thread.
//!
//! ```text
//!   committer: outcomes into all slots of the batch, then for each thread that asked:
//!        wakes one waiter ──▶ that thread polls it ──▶ wakes the others there
//! ```
//!
//! A wake-up across threads costs a system call, and as a rule a switch to the woken thread; one for each commit would
//! make the two threads take turns commit by commit. Waking from the thread itself costs a push. Should the one waiter not be
//! polled (its task may be busy with something else), the committer wakes the rest itself a little later
//! ([`Handover::finish`]).

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::thread::{self, ThreadId};

use crate::Outcome;
use crate::queue::lock;

/// A place for one outcome.
struct Slot {
    /// Who asked.
    thread: ThreadId,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    outcome: Option<Outcome>,
    waker: Option<Waker>,
    /// Others to wake when this one is polled or dropped.
    handover: Option<Arc<Handover>>,
    /// The future is gone or was answered.
    done: bool,
}

/// The committer's end. Dropped without an outcome, it leaves [`Outcome::Unknown`].
pub(crate) struct Reply(Option<Arc<Slot>>);

/// A commit under way. Ready when its outcome is known.
#[must_use = "the outcome says whether the commit is durable"]
pub struct CommitFuture(Arc<Slot>);

/// Waiters of one thread that their leader has to wake.
pub(crate) struct Handover(Mutex<Vec<Waker>>);

impl Handover {
    /// Wakes those who were not woken yet.
    pub(crate) fn finish(&self) {
        let wakers = std::mem::take(&mut *lock(&self.0));
        wakers.into_iter().for_each(Waker::wake);
    }
}

/// A place for an outcome, and its two ends.
pub(crate) fn slot() -> (Reply, CommitFuture) {
    let slot = Arc::new(Slot {
        thread: thread::current().id(),
        state: Mutex::default(),
    });
    (Reply(Some(Arc::clone(&slot))), CommitFuture(slot))
}

impl Reply {
    /// Answers this one alone.
    pub(crate) fn send(mut self, outcome: Outcome) {
        if let Some(slot) = self.0.take()
            && let Some(waker) = slot.fill(outcome)
        {
            waker.wake();
        }
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        if let Some(slot) = self.0.take()
            && let Some(waker) = slot.fill(Outcome::Unknown)
        {
            waker.wake();
        }
    }
}

impl Slot {
    /// Answers whom to wake.
    fn fill(&self, outcome: Outcome) -> Option<Waker> {
        let mut state = lock(&self.state);
        state.outcome = Some(outcome);
        state.waker.take()
    }

    /// Makes this waiter wake others; `false` if it is too late for that.
    fn lead(&self, handover: &Arc<Handover>) -> bool {
        let mut state = lock(&self.state);
        if !state.done {
            state.handover = Some(Arc::clone(handover));
        }
        !state.done
    }
}

/// Those of one thread who wait for outcomes of this batch.
struct Group {
    thread: ThreadId,
    leader: Arc<Slot>,
    waker: Waker,
    others: Vec<Waker>,
}

/// Answers a batch. What it returns is to be finished a little later.
pub(crate) fn deliver(answers: Vec<(Reply, Outcome)>) -> Vec<Arc<Handover>> {
    let mut groups: Vec<Group> = Vec::new();
    for (mut reply, outcome) in answers {
        let Some(slot) = reply.0.take() else { continue };
        let Some(waker) = slot.fill(outcome) else { continue };
        match groups.iter_mut().rev().find(|group| group.thread == slot.thread) {
            Some(group) => group.others.push(waker),
            None => groups.push(Group {
                thread: slot.thread,
                leader: slot,
                waker,
                others: Vec::new(),
            }),
        }
    }
    groups.into_iter().filter_map(Group::wake).collect()
}

impl Group {
    fn wake(self) -> Option<Arc<Handover>> {
        if self.others.is_empty() {
            self.waker.wake();
            return None;
        }
        let handover = Arc::new(Handover(Mutex::new(self.others)));
        if self.leader.lead(&handover) {
            self.waker.wake();
            return Some(handover);
        }
        handover.finish();
        None
    }
}

impl Future for CommitFuture {
    type Output = Outcome;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Outcome> {
        let mut state = lock(&self.0.state);
        let Some(outcome) = state.outcome.take() else {
            match &mut state.waker {
                Some(waker) => waker.clone_from(context.waker()),
                none => *none = Some(context.waker().clone()),
            }
            return Poll::Pending;
        };
        state.done = true;
        let handover = state.handover.take();
        drop(state);
        if let Some(handover) = handover {
            handover.finish();
        }
        Poll::Ready(outcome)
    }
}

impl Drop for CommitFuture {
    fn drop(&mut self) {
        let mut state = lock(&self.0.state);
        state.done = true;
        let (handover, waker) = (state.handover.take(), state.waker.take());
        drop(state);
        drop(waker);
        if let Some(handover) = handover {
            handover.finish();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    struct Waiter {
        future: Option<Pin<Box<CommitFuture>>>,
        woken: Arc<Count>,
    }

    impl Waiter {
        fn poll(&mut self) -> Poll<Outcome> {
            let waker = Waker::from(Arc::clone(&self.woken));
            self.future
                .as_mut()
                .unwrap()
                .as_mut()
                .poll(&mut Context::from_waker(&waker))
        }

        fn woken(&self) -> usize {
            self.woken.0.load(Ordering::SeqCst)
        }
    }

    /// Waiters that were polled once, and the other ends.
    fn waiters(count: usize) -> (Vec<Waiter>, Vec<(Reply, Outcome)>) {
        (0..count)
            .map(|number| {
                let (reply, future) = slot();
                let mut waiter = Waiter {
                    future: Some(Box::pin(future)),
                    woken: Arc::default(),
                };
                assert!(waiter.poll().is_pending());
                (
                    waiter,
                    (
                        reply,
                        Outcome::Applied {
                            offset: number as u64,
                        },
                    ),
                )
            })
            .unzip()
    }

    fn woken(waiters: &[Waiter]) -> Vec<usize> {
        waiters.iter().map(Waiter::woken).collect()
    }

    #[test]
    fn one_waiter_of_a_thread_is_woken_and_wakes_the_others() {
        let (mut waiters, answers) = waiters(3);
        let handovers = deliver(answers);
        assert_eq!(woken(&waiters), [1, 0, 0]);
        assert!(matches!(
            waiters[0].poll(),
            Poll::Ready(Outcome::Applied { offset: 0 })
        ));
        assert_eq!(woken(&waiters), [1, 1, 1]);
        assert!(matches!(
            waiters[2].poll(),
            Poll::Ready(Outcome::Applied { offset: 2 })
        ));
        handovers.iter().for_each(|handover| handover.finish());
        assert_eq!(woken(&waiters), [1, 1, 1], "once");
    }

    #[test]
    fn a_dropped_leader_wakes_the_others_too() {
        let (mut waiters, answers) = waiters(3);
        let _handovers = deliver(answers);
        waiters[0].future = None;
        assert_eq!(woken(&waiters), [1, 1, 1]);
    }

    #[test]
    fn a_waiter_that_was_dropped_before_does_not_lead() {
        let (mut waiters, answers) = waiters(3);
        waiters[0].future = None;
        let _handovers = deliver(answers);
        assert_eq!(woken(&waiters), [0, 1, 0]);
    }

    #[test]
    fn a_leader_that_is_not_polled_keeps_nobody_waiting_for_ever() {
        let (waiters, answers) = waiters(3);
        let handovers = deliver(answers);
        assert_eq!(handovers.len(), 1);
        handovers.iter().for_each(|handover| handover.finish());
        assert_eq!(woken(&waiters), [1, 1, 1]);
    }

    #[test]
    fn each_thread_has_its_own_leader() {
        let (mut here, mut answers) = waiters(2);
        let (there, more) = thread::spawn(|| waiters(2)).join().unwrap();
        answers.extend(more);
        let _handovers = deliver(answers);
        assert_eq!((woken(&here), woken(&there)), (vec![1, 0], vec![1, 0]));
        assert!(here[0].poll().is_ready());
        assert_eq!((woken(&here), woken(&there)), (vec![1, 1], vec![1, 0]));
    }

    #[test]
    fn a_lost_reply_leaves_the_outcome_unknown() {
        let (mut waiters, answers) = waiters(1);
        drop(answers);
        assert_eq!(waiters[0].woken(), 1);
        assert!(matches!(waiters[0].poll(), Poll::Ready(Outcome::Unknown)));
    }
}
