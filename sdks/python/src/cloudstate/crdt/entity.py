"""The class that CRDT entities derive from, and their registration."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import timedelta
from typing import Any, ClassVar, Generic, TypeVar, get_origin

from cloudstate.crdt.base import Crdt
from cloudstate.dispatch import Factory, type_argument
from cloudstate.service import Service

C = TypeVar("C", bound=Crdt)


class Entity(ABC, Generic[C]):
    """One CRDT entity on one node, whose state is a `C`. Generated code derives from it, with a method a command.

    Attributes of the object are neither stored nor replicated: they are about this node, such as who is connected to
    it.
    """

    SERVICE: ClassVar[Service]

    def created(self, entity_id: str) -> None:
        """Tells a fresh object which entity it is."""

    @abstractmethod
    def create(self, entity_id: str) -> C:
        """Returns the state of an entity that does not exist yet.

        Nobody else learns of it until a command changes it; only a register is a change in itself.
        """


class CrdtEntity:
    """Registers a CRDT entity.

    Args:
        persistence_id: names the replicated data; never change it.
        entity: makes one entity for each activation: the class, or a function that returns an object of it.
        passivation_timeout: how long an unused entity stays in memory; `None` leaves that to the proxy.
        command_metadata: whether handlers get the caller's metadata. An addition to protocol 0.2.

    Raises:
        TypeError: if the class is not complete.
    """

    ENTITY_TYPE = "cloudstate.crdt.Crdt"

    def __init__(
        self,
        persistence_id: str,
        entity: Callable[[], Entity[Any]],
        *,
        passivation_timeout: timedelta | None = None,
        command_metadata: bool = True,
    ) -> None:
        self.factory = Factory(entity, Entity)
        self.service = self.factory.service
        self.persistence_id = persistence_id
        self.passivation_timeout = passivation_timeout
        self.command_metadata = command_metadata
        argument = type_argument(self.factory.kind, Entity)
        state_type = get_origin(argument) or argument
        if not isinstance(state_type, type) or not issubclass(state_type, Crdt):
            raise TypeError(
                f"{self.factory.kind.__qualname__} does not say which CRDT it is: give it as type argument of the "
                "class that it derives from, as in …[PNCounter]"
            )
        self.state_type: type[Crdt] = state_type
