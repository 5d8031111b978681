"""The protocol of one activation: message in, messages out. No transport, no clock.

Commands are handled one after the other, so that each has a delta of its own. Every message that asks for an answer
gets exactly one: also the cancellation of a stream that was never accepted, or has ended meanwhile.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cloudstate import crdt_pb2 as pb
from cloudstate import entity_pb2
from cloudstate.crdt.base import Crdt
from cloudstate.crdt.collections import from_delta
from cloudstate.crdt.contexts import CancelContext, ChangeContext, Context, StreamedContext, WriteConsistency
from cloudstate.crdt.entity import CrdtEntity, Entity
from cloudstate.dispatch import BrokenError, Done, Step, declined, done, read, settle, text
from cloudstate.metadata import Metadata
from cloudstate.reply import Failure
from cloudstate.service import Method

_log = logging.getLogger(__name__)

Out = tuple[pb.CrdtStreamOut, ...]


class Stream:
    """One stream of the protocol service: one activation of one entity on one node."""

    def __init__(self, services: Mapping[str, CrdtEntity]) -> None:
        self._services = services
        self._activation: _Activation | None = None

    async def handle(self, message: pb.CrdtStreamIn) -> Step[pb.CrdtStreamOut]:
        """Handles the next message of the proxy. After `Step.end` the stream is over."""
        try:
            return Step(await self._accept(message))
        except BrokenError as broken:
            self._activation = None
            _log.error("a CRDT entity failed; its activation ends: %s", broken, exc_info=broken.__cause__)
            return Step((pb.CrdtStreamOut(failure=broken.failure),), end=True)

    async def _accept(self, message: pb.CrdtStreamIn) -> Out:
        kind = message.WhichOneof("message")
        if kind is None:
            raise _protocol(0, "CRDT received empty/unknown message")
        if kind == "init":
            self._init(message.init)
            return ()
        if self._activation is None:
            raise _protocol(0, "Expected init message for CRDT")
        if kind == "delta":
            return await self._activation.delta(message.delta)
        if kind == "delete":
            self._activation.deleted()
            return ()
        if kind == "stream_cancelled":
            return await self._activation.cancelled(message.stream_cancelled)
        return await self._activation.command(message.command)

    def _init(self, init: pb.CrdtInit) -> None:
        if self._activation is not None:
            raise _protocol(0, "CRDT already inited")
        registration = self._services.get(init.service_name)
        if registration is None:
            raise _protocol(0, f"Service not found: {init.service_name}")
        self._activation = _Activation(registration, init)


def _protocol(command_id: int, what: str) -> BrokenError:
    return BrokenError(command_id, f"Protocol error: {what}")


def _unexpected(error: Exception) -> BrokenError:
    return BrokenError(0, f"CRDT unexpected failure: {text(error)}")


@dataclass
class _Subscriber:
    """A stream that a client listens to."""

    method: Method
    on_change: Callable[[ChangeContext[Any]], Any] | None
    on_cancel: Callable[[CancelContext[Any]], Any] | None


class _Activation:
    """An entity in memory."""

    def __init__(self, registration: CrdtEntity, init: pb.CrdtInit) -> None:
        self._registration = registration
        self.entity_id = init.entity_id
        self._state: Crdt | None = None
        # Whether the proxy knows of the state.
        self._shared = False
        # Whether the entity was deleted, here or elsewhere: it never comes back.
        self._gone = False
        self._subscribers: dict[int, _Subscriber] = {}
        try:
            self._entity: Entity[Any] = registration.factory.make()
            self._entity.created(init.entity_id)
            if init.HasField("delta"):
                self._state, self._shared = from_delta(init.delta), True
        except Exception as error:
            raise _unexpected(error) from error

    @property
    def exists(self) -> bool:
        return self._state is not None

    def current(self) -> Any:
        if self._state is None:
            self._state = self._entity.create(self.entity_id)
        if not isinstance(self._state, self._registration.state_type):
            actual, declared = type(self._state).__name__, self._registration.state_type.__name__
            raise TypeError(f"the state of {self.entity_id!r} is a {actual}, but the entity declares a {declared}")
        return self._state

    async def delta(self, delta: pb.CrdtDelta) -> Out:
        if self._gone:
            return ()
        try:
            if self._state is None or not self._shared:
                # What this node made for itself was never seen by anybody.
                self._state, self._shared = from_delta(delta), True
            else:
                self._state._apply(delta)
        except Exception as error:
            raise _unexpected(error) from error
        return await self._notify(except_for=0)

    def deleted(self) -> None:
        """Forgets the state. The proxy ends the clients' streams, and then this one."""
        self._state, self._shared, self._gone = None, False, True
        self._subscribers.clear()

    async def command(self, command: entity_pb2.Command) -> Out:
        method = self._check(command)
        if self._gone:
            # It was on its way when the entity was deleted.
            action = declined(command.id, Failure("Entity deleted"))
            return (pb.CrdtStreamOut(reply=pb.CrdtReply(command_id=command.id, client_action=action)),)
        context: Context[Any]
        metadata = Metadata.from_proto(command.metadata)
        if method.server_streaming:
            context = StreamedContext(self, metadata, command.streamed)
        else:
            context = Context(self, metadata, False)
        reply = await self._reply(command, method, context)
        changed = reply.HasField("reply") and reply.reply.state_action.HasField("update")
        return (reply, *(await self._notify(except_for=command.id) if changed else ()))

    async def _reply(self, command: entity_pb2.Command, method: Method, context: Context[Any]) -> pb.CrdtStreamOut:
        try:
            handler = getattr(self._entity, method.handler)
            it = done(await settle(handler(read(command, method), context)), method)
            if it.action is None and not command.streamed:
                raise TypeError(f"No reply or forward returned by command handler! ({method.handler})")
            reply = pb.CrdtReply(
                command_id=command.id,
                client_action=it.action,
                side_effects=it.effects,
                state_action=self._state_action(context._deleted, context.write_consistency),
                streamed=self._subscribe(command, method, context),
            )
            return pb.CrdtStreamOut(reply=reply)
        except Failure as failure:
            self._roll_back()
            return pb.CrdtStreamOut(
                reply=pb.CrdtReply(command_id=command.id, client_action=declined(command.id, failure))
            )
        except Exception as error:
            # What the command did is undone, so others need not suffer. The client is not told what broke.
            self._roll_back()
            service = self._registration.service.name
            _log.error("a CRDT entity failed: %s.%s", service, command.name, exc_info=error)
            description = f"Error handling command {command.name} of service {service}"
            return pb.CrdtStreamOut(failure=entity_pb2.Failure(command_id=command.id, description=description))
        finally:
            context._end()

    def _check(self, command: entity_pb2.Command) -> Method:
        if command.entity_id != self.entity_id:
            raise _protocol(command.id, "Receiving CRDT is not the intended recipient of command")
        if not command.HasField("payload"):
            raise _protocol(command.id, "No command payload for CRDT")
        method = self._registration.service.methods.get(command.name)
        if method is None:
            raise _protocol(command.id, f"Unknown command: {command.name}")
        return method

    def _subscribe(self, command: entity_pb2.Command, method: Method, context: Context[Any]) -> bool:
        """Keeps the stream open if the client takes one and the handler wants to go on with it."""
        if not command.streamed or (context._on_change is None and context._on_cancel is None):
            return False
        self._subscribers[command.id] = _Subscriber(method, context._on_change, context._on_cancel)
        return True

    def _state_action(self, delete: bool, consistency: WriteConsistency) -> pb.CrdtStateAction | None:
        """Takes what the command did. Of a deletion and changes, the deletion counts."""
        if delete:
            self.deleted()
            return pb.CrdtStateAction(delete=pb.CrdtDelete(), write_consistency=consistency.name)
        update = None if self._state is None else self._state._delta()
        if self._state is None or update is None:
            return None
        self._state._settle()
        self._shared = True
        return pb.CrdtStateAction(update=update, write_consistency=consistency.name)

    def _roll_back(self) -> None:
        if self._state is None:
            return
        self._state._roll_back()
        if not self._shared:
            # It was made by this command, or is as good as new.
            self._state = None

    async def cancelled(self, cancelled: entity_pb2.StreamCancelled) -> Out:
        subscriber = self._subscribers.pop(cancelled.id, None)
        response = pb.CrdtStreamCancelledResponse(command_id=cancelled.id)
        if subscriber is not None and subscriber.on_cancel is not None:
            response = await self._on_cancel(cancelled.id, subscriber.on_cancel)
        changed = response.state_action.HasField("update")
        answer = pb.CrdtStreamOut(stream_cancelled_response=response)
        return (answer, *(await self._notify(except_for=cancelled.id) if changed else ()))

    async def _on_cancel(
        self, command_id: int, callback: Callable[[CancelContext[Any]], Any]
    ) -> pb.CrdtStreamCancelledResponse:
        context: CancelContext[Any] = CancelContext(self)
        try:
            await settle(callback(context))
            return pb.CrdtStreamCancelledResponse(
                command_id=command_id,
                side_effects=context._effects,
                state_action=self._state_action(context._deleted, context.write_consistency),
            )
        except Exception:
            # Nobody is left to be told; without an answer the proxy would wait for ever.
            self._roll_back()
            _log.exception("a callback for a client that has left failed, for %s", self.entity_id)
            return pb.CrdtStreamCancelledResponse(command_id=command_id)
        finally:
            context._end()

    async def _notify(self, *, except_for: int) -> Out:
        """Calls the callbacks for changes, of all streams but the one that made the change."""
        messages = []
        for command_id, subscriber in list(self._subscribers.items()):
            if command_id == except_for or subscriber.on_change is None:
                continue
            message = await self._on_change(command_id, subscriber, subscriber.on_change)
            if message is None:
                continue
            if message.end_stream:
                del self._subscribers[command_id]
            messages.append(pb.CrdtStreamOut(streamed_message=message))
        return tuple(messages)

    async def _on_change(
        self, command_id: int, subscriber: _Subscriber, callback: Callable[[ChangeContext[Any]], Any]
    ) -> pb.CrdtStreamedMessage | None:
        context: ChangeContext[Any] = ChangeContext(self)
        try:
            answer = await settle(callback(context))
            if self._state is not None and self._state._delta() is not None:
                raise RuntimeError("a callback for changes has changed the state, which it must not")
            it = Done(None, ()) if answer is None else done(answer, subscriber.method)
            if it.action is None and not it.effects and not context._ended:
                return None
            return pb.CrdtStreamedMessage(
                command_id=command_id,
                client_action=it.action,
                side_effects=it.effects,
                end_stream=context._ended,
            )
        except Failure as failure:
            self._undo_callback()
            return self._last(command_id, failure)
        except Exception as error:
            self._undo_callback()
            method = f"{self._registration.service.name}.{subscriber.method.name}"
            _log.error("a callback for changes failed: %s", method, exc_info=error)
            return self._last(command_id, Failure(f"Error streaming from {method}"))

    def _undo_callback(self) -> None:
        if self._state is not None and self._shared:
            self._state._roll_back()

    @staticmethod
    def _last(command_id: int, failure: Failure) -> pb.CrdtStreamedMessage:
        action = declined(command_id, failure)
        return pb.CrdtStreamedMessage(command_id=command_id, client_action=action, end_stream=True)
