use cloudstate_testkit::EventSourcedTest;

use super::*;
use orders::calls;

fn order() -> EventSourcedTest {
    EventSourcedTest::new(orders::event_sourced("orders", OrderEntity).snapshot_every(0)).with_id("o-1")
}

fn one() -> OneOrder {
    OneOrder {
        order_id: "o-1".to_owned(),
    }
}

fn place(article: &str) -> cloudstate_sdk::Call<Order> {
    calls::place(PlaceOrder {
        order_id: "o-1".to_owned(),
        article: article.to_owned(),
    })
}

fn stages(order: &Order) -> Vec<(i32, Stage)> {
    order
        .steps
        .iter()
        .map(|step| (step.number, step.stage()))
        .collect()
}

#[test]
fn an_order_goes_from_stage_to_stage() {
    let mut order = order();
    let placed = order.call(place("A kite"));
    assert_eq!(placed.reply().article, "A kite");
    assert_eq!(stages(&placed.reply()), [(1, Stage::Placed)]);
    for (number, stage) in [
        (2, Stage::Paid),
        (3, Stage::Packed),
        (4, Stage::Shipped),
        (5, Stage::Delivered),
    ] {
        let reply = order.call(calls::advance(one())).reply();
        assert_eq!(stages(&reply).last(), Some(&(number, stage)));
        assert!(reply.steps.iter().all(|step| step.at.is_some()));
    }
    assert_eq!(
        order.call(calls::advance(one())).failure(),
        "Order o-1 has been delivered."
    );
    order.restart();
    assert_eq!(
        order.call(calls::get(one())).reply().steps.len(),
        5,
        "after replay"
    );
}

#[test]
fn what_does_not_fit_is_declined() {
    let mut order = order();
    let failure = "There is no order o-1 yet.";
    assert_eq!(order.call(calls::advance(one())).failure(), failure);
    assert_eq!(order.call(calls::cancel(one())).failure(), failure);
    assert_eq!(
        order.call(place(" ")).failure(),
        "What shall be ordered? The article is empty."
    );
    order.call(place("A kite")).reply();
    assert_eq!(
        order.call(place("A kite")).failure(),
        "Order o-1 was placed already."
    );
}

#[test]
fn an_order_can_be_cancelled_until_it_is_under_way() {
    let mut early = order();
    early.call(place("A kite")).reply();
    assert_eq!(
        stages(&early.call(calls::cancel(one())).reply()),
        [(1, Stage::Placed), (2, Stage::Cancelled)]
    );
    assert_eq!(
        early.call(calls::advance(one())).failure(),
        "Order o-1 was cancelled."
    );
    let mut late = order();
    late.call(place("A kite")).reply();
    for _ in 0..3 {
        late.call(calls::advance(one())).reply();
    }
    let declined = late.call(calls::cancel(one()));
    assert_eq!(
        declined.failure(),
        "Order o-1 is under way; it is too late to cancel it."
    );
    assert!(declined.effects().is_empty());
}

#[test]
fn those_who_follow_hear_of_every_step() {
    let mut order = order();
    let hear = |outcome: cloudstate_testkit::Outcome<Order>| {
        let heard = outcome.effects().iter().map(|effect| {
            assert_eq!(effect.command_name, "Changed");
            effect.service_name.clone()
        });
        heard.collect::<Vec<_>>()
    };
    assert_eq!(
        hear(order.call(place("A kite"))),
        ["com.example.ordertracking.Tracking"]
    );
    assert_eq!(hear(order.call(calls::advance(one()))).len(), 1);
    assert!(
        hear(order.call(calls::get(one()))).is_empty(),
        "reading changes nothing"
    );
    assert_eq!(order.call(calls::announce(one())).effects().len(), 1);
}
