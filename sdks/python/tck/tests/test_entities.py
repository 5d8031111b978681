"""Event sourced entities, value entities and actions as the TCK's specification tests them, and the declaration."""

from __future__ import annotations

from typing import Any

from cloudstate import Action, EventSourced, Value
from cloudstate.testkit import ActionTest, EventSourcedTest, ValueTest
from cloudstate_tck import function
from cloudstate_tck.action import Model as ActionModel
from cloudstate_tck.event_sourced import Model as EventSourcedModel
from cloudstate_tck.proto.cloudstate.tck.model import action_pb2, eventsourced_pb2, valueentity_pb2
from cloudstate_tck.proto.cloudstate.tck.model.action_cloudstate import ActionTckModel
from cloudstate_tck.proto.cloudstate.tck.model.eventsourced_cloudstate import EventSourcedTckModel, EventSourcedTwo
from cloudstate_tck.proto.cloudstate.tck.model.valueentity_cloudstate import ValueEntityTckModel
from cloudstate_tck.value import Model as ValueModel


def test_the_declaration_is_that_of_the_specification() -> None:
    entities = {it.service_name: it for it in function().declare().spec.entities}
    assert len(entities) == 11
    for name, persistence_id in (
        ("cloudstate.tck.model.EventSourcedTckModel", "event-sourced-tck-model"),
        ("cloudstate.tck.model.EventSourcedConfigured", "event-sourced-configured"),
        ("cloudstate.tck.model.valueentity.ValueEntityTckModel", "value-entity-tck-model"),
        ("cloudstate.tck.model.valueentity.ValueEntityTwo", "value-entity-tck-model-two"),
        ("cloudstate.tck.model.valueentity.ValueEntityConfigured", "value-entity-configured"),
    ):
        assert entities[name].persistence_id == persistence_id
    configured = [it for name, it in entities.items() if name.endswith("Configured")]
    assert [it.passivation_strategy.timeout.timeout for it in configured] == [100] * 3
    assert not any(it.command_metadata for it in entities.values())


def event_sourced(test: EventSourcedTest, *actions: dict[str, Any]) -> Any:
    return test.call(EventSourcedTckModel.process(eventsourced_pb2.Request(actions=actions)))


def emit(value: str) -> dict[str, Any]:
    return {"emit": {"value": value}}


def test_event_sourced_snapshots_restarts_and_forwards() -> None:
    test = EventSourcedTest(EventSourced("m", EventSourcedModel, snapshot_every=5))
    assert event_sourced(test).reply.message == ""
    outcomes = [event_sourced(test, *map(emit, text)) for text in ("A", "BCD", "E", "FGH", "IJ", "K")]
    assert outcomes[-1].reply.message == "ABCDEFGHIJK"
    snapshots = [None if it.snapshot is None else it.snapshot.value for it in outcomes]
    assert snapshots == [None, None, "ABCDE", None, "ABCDEFGHIJ", None]
    test.restart()
    outcome = event_sourced(test, emit("L"), {"forward": {"id": "X"}}, {"effect": {"id": "Y", "synchronous": True}})
    assert (outcome.forward.service_name, len(outcome.events)) == (EventSourcedTwo.NAME, 1)
    assert [it.synchronous for it in outcome.effects] == [True]
    outcome = event_sourced(test, emit("M"), {"effect": {"id": "Y"}}, {"fail": {"message": "no"}})
    assert (outcome.failure, outcome.restarted, outcome.effects) == ("no", True, [])
    assert event_sourced(test).reply.message == "ABCDEFGHIJKL"


def test_value_updates_and_deletions() -> None:
    test = ValueTest(Value("m", ValueModel))

    def process(*actions: dict[str, Any]) -> Any:
        return test.call(ValueEntityTckModel.process(valueentity_pb2.Request(actions=actions)))

    assert process().reply.message == ""
    outcome = process({"update": {"value": "A"}}, {"delete": {}}, {"update": {"value": "B"}}, {"effect": {"id": "X"}})
    assert (outcome.reply.message, outcome.updated.value, len(outcome.effects)) == ("B", "B", 1)
    assert process({"update": {"value": "C"}}, {"fail": {"message": "no"}}).failure == "no"
    assert process({"forward": {"id": "X"}}).forward.command_name == "Call"
    outcome = process({"delete": {}})
    assert (outcome.reply.message, outcome.deleted) == ("", True)


Step = dict[str, Any]

R: Step = {"reply": {"message": "r"}}
F: Step = {"forward": {"id": "f"}}
X: Step = {"fail": {"message": "x"}}
E: Step = {"effect": {"id": "e"}}
S: Step = {"effect": {"id": "s", "synchronous": True}}


def call(method: Any, *groups: list[Step]) -> Any:
    return method(action_pb2.Request(groups=[{"steps": steps} for steps in groups]))


def kinds(outcomes: list[Any]) -> list[tuple[str | None, list[bool]]]:
    return [
        (None if it.action is None else it.action.WhichOneof("action"), [effect.synchronous for effect in it.effects])
        for it in outcomes
    ]


def test_actions_in_all_shapes() -> None:
    test = ActionTest(Action(ActionModel()))
    groups: list[list[Step]] = [[R], [F, E], [X, S], [E, S, E], []]
    expected = [("reply", []), ("forward", [False]), ("failure", [True]), (None, [False, True, False]), (None, [])]
    assert kinds([test.call(call(ActionTckModel.process_unary, group)) for group in groups]) == expected
    assert kinds(test.call_streamed_out(call(ActionTckModel.process_streamed_out, *groups))) == expected
    streamed = [call(ActionTckModel.process_streamed, group) for group in groups]
    assert kinds(test.call_streamed(streamed)) == expected, "the stream stays open after a failure"
    together = [call(ActionTckModel.process_streamed_in, group) for group in ([R, E], [S], [E, E])]
    assert kinds([test.call_streamed_in(together)]) == [("reply", [False, True, False, False])]
    assert kinds([test.call_streamed_in([call(ActionTckModel.process_streamed_in, [E, X])])]) == [("failure", [False])]
