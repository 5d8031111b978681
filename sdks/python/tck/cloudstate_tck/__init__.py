"""The function that the TCK (technology compatibility kit) runs over this SDK: its model services, all in one."""

from datetime import timedelta

from cloudstate import Action, CrdtEntity, EventSourced, UserFunction, Value

from .action import Model as ActionModel
from .action import Two as ActionTwo
from .crdt import Configured as CrdtConfigured
from .crdt import Model as CrdtModel
from .crdt import Two as CrdtTwo
from .event_sourced import Configured as EventSourcedConfigured
from .event_sourced import Model as EventSourcedModel
from .event_sourced import Two as EventSourcedTwo
from .value import Configured as ValueConfigured
from .value import Model as ValueModel
from .value import Two as ValueTwo

SOON = timedelta(milliseconds=100)


def function() -> UserFunction:
    """Returns all model services.

    They ask for no metadata with commands, since a TCK compares whole commands with those of protocol 0.2.
    """
    return UserFunction("cloudstate-tck-python", "0.1.0").add(
        Action(ActionModel()),
        Action(ActionTwo()),
        EventSourced("event-sourced-tck-model", EventSourcedModel, snapshot_every=5, command_metadata=False),
        EventSourced("event-sourced-tck-model-two", EventSourcedTwo, command_metadata=False),
        EventSourced(
            "event-sourced-configured", EventSourcedConfigured, passivation_timeout=SOON, command_metadata=False
        ),
        Value("value-entity-tck-model", ValueModel, command_metadata=False),
        Value("value-entity-tck-model-two", ValueTwo, command_metadata=False),
        Value("value-entity-configured", ValueConfigured, passivation_timeout=SOON, command_metadata=False),
        CrdtEntity("cloudstate.tck.model.crdt.CrdtTckModel", CrdtModel, command_metadata=False),
        CrdtEntity("cloudstate.tck.model.crdt.CrdtTwo", CrdtTwo, command_metadata=False),
        CrdtEntity(
            "cloudstate.tck.model.crdt.CrdtConfigured",
            CrdtConfigured,
            passivation_timeout=SOON,
            command_metadata=False,
        ),
    )
