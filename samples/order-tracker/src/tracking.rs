//! The action that clients follow orders by.

use cloudstate_sdk::action::Context;
use cloudstate_sdk::stream::{self, StreamExt};
use cloudstate_sdk::{Failure, Reply, Stream};

use crate::followers::Followers;
use crate::proto::com::example::ordertracking::{FollowOrder, OneOrder, Order, Step, orders, tracking};

/// Follows orders live.
#[derive(Debug, Default)]
pub(crate) struct Tracking {
    followers: Followers,
}

impl tracking::Action for Tracking {
    fn follow(
        &self,
        request: FollowOrder,
        ctx: Context,
    ) -> impl Stream<Item = Result<Reply<Step>, Failure>> + Send {
        let FollowOrder { order_id, after } = request;
        let steps = self
            .followers
            .join(&order_id)
            .steps_after(after.max(last_event_id(&ctx)));
        // What the order has gone through already, it tells itself.
        let ask = Reply::nothing().with_effect(orders::calls::announce(OneOrder { order_id }));
        stream::iter([Ok(ask)]).chain(steps.map(|step| {
            let id = [("sse-id", step.number.to_string())].into_iter().collect();
            Ok(Reply::new(step).with_metadata(id))
        }))
    }

    async fn changed(&self, order: Order, _: Context) -> Result<Reply<()>, Failure> {
        self.followers.tell(order);
        Ok(Reply::empty())
    }
}

/// The number of the last step that a browser got before its connection broke; 0 if there is none.
fn last_event_id(ctx: &Context) -> i32 {
    let id = ctx.metadata().get("last-event-id");
    id.and_then(|id| id.parse().ok()).unwrap_or_default()
}
