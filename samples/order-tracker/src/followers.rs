//! Who follows which order at the moment.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use cloudstate_sdk::{Stream, stream};
use tokio::sync::watch;

use crate::proto::com::example::ordertracking::{Order, Stage, Step};

type Orders = Arc<Mutex<HashMap<String, watch::Sender<Order>>>>;

/// The orders that somebody follows, each as it was last heard of. Nothing else is kept: the truth is in the entities.
#[derive(Debug, Clone, Default)]
pub(crate) struct Followers {
    orders: Orders,
}

impl Followers {
    /// Follows an order from now on.
    pub(crate) fn join(&self, order_id: &str) -> Follower {
        let mut orders = lock(&self.orders);
        let sender = orders.entry(order_id.to_owned()).or_default();
        Follower {
            order: sender.subscribe(),
            _leave: Leave {
                orders: self.orders.clone(),
                order_id: order_id.to_owned(),
            },
        }
    }

    /// Tells those who follow an order. Side effects may overtake one another; what is older than the last is dropped.
    pub(crate) fn tell(&self, order: Order) {
        if let Some(sender) = lock(&self.orders).get(&order.order_id) {
            sender.send_if_modified(|last| {
                let is_newer = order.steps.len() > last.steps.len();
                if is_newer {
                    *last = order;
                }
                is_newer
            });
        }
    }
}

/// The map stays meaningful whatever a panicking holder left.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One who follows an order, until dropped.
pub(crate) struct Follower {
    order: watch::Receiver<Order>,
    _leave: Leave,
}

impl Follower {
    /// The steps after the one with this number, as they become known. Ends behind the last step that an order can take.
    pub(crate) fn steps_after(self, number: i32) -> impl Stream<Item = Step> + Send {
        stream::unfold(
            (self, number, false),
            |(mut follower, number, is_last)| async move {
                if is_last {
                    return None;
                }
                let next = |order: &Order| order.steps.iter().find(|step| step.number > number).cloned();
                let step = {
                    // The sender lives as long as there is a follower.
                    let heard = follower
                        .order
                        .wait_for(|order| next(order).is_some())
                        .await
                        .ok()?;
                    next(&heard)?
                };
                let is_last = matches!(step.stage(), Stage::Delivered | Stage::Cancelled);
                let number = step.number;
                Some((step, (follower, number, is_last)))
            },
        )
    }
}

/// Forgets an order when nobody follows it any more.
struct Leave {
    orders: Orders,
    order_id: String,
}

impl Drop for Leave {
    fn drop(&mut self) {
        let mut orders = lock(&self.orders);
        // Those of others; the own receiver is gone already, since fields are dropped in their order.
        if orders
            .get(&self.order_id)
            .is_some_and(|sender| sender.receiver_count() == 0)
        {
            orders.remove(&self.order_id);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use cloudstate_sdk::stream::StreamExt;

    use super::*;

    fn order(stages: &[Stage]) -> Order {
        let step = |(index, stage): (usize, &Stage)| Step {
            number: i32::try_from(index).unwrap() + 1,
            stage: (*stage).into(),
            at: None,
        };
        Order {
            order_id: "o".to_owned(),
            article: String::new(),
            steps: stages.iter().enumerate().map(step).collect(),
        }
    }

    async fn numbers(follower: Follower, after: i32) -> Vec<i32> {
        follower
            .steps_after(after)
            .map(|step| step.number)
            .collect()
            .await
    }

    #[tokio::test]
    async fn each_step_comes_once_however_it_is_heard_of() {
        let followers = Followers::default();
        let mut steps = pin!(followers.join("o").steps_after(0));
        followers.tell(order(&[Stage::Placed, Stage::Paid]));
        assert_eq!(steps.next().await.map(|step| step.number), Some(1));
        followers.tell(order(&[Stage::Placed]));
        assert_eq!(
            steps.next().await.map(|step| step.number),
            Some(2),
            "nothing is taken back"
        );
        followers.tell(order(&[Stage::Placed, Stage::Paid, Stage::Cancelled]));
        assert_eq!(steps.next().await.map(|step| step.number), Some(3));
        assert_eq!(steps.next().await, None, "a cancelled order goes no further");
    }

    #[tokio::test]
    async fn who_was_away_gets_what_came_meanwhile() {
        let followers = Followers::default();
        let follower = followers.join("o");
        followers.tell(order(&[
            Stage::Placed,
            Stage::Paid,
            Stage::Packed,
            Stage::Cancelled,
        ]));
        assert_eq!(numbers(follower, 2).await, [3, 4]);
    }

    #[tokio::test]
    async fn only_orders_that_are_followed_are_kept() {
        let followers = Followers::default();
        followers.tell(order(&[Stage::Placed]));
        let (one, other) = (followers.join("o"), followers.join("o"));
        assert_eq!(lock(&followers.orders).len(), 1);
        drop(one);
        assert_eq!(lock(&followers.orders).len(), 1);
        drop(other);
        assert_eq!(lock(&followers.orders).len(), 0);
    }
}
