"""CRDT entities: values that every node of the cluster has a copy of, and changes at once.

```
  init(value?) ─▶ Entity() ─▶ handler(command) ⟲ ── changes of ctx.state ──▶ one delta with the reply
                     ▲ delta: what others did       └─▶ on_change of other streams ─▶ streamed messages
```
"""

from cloudstate.crdt.base import Crdt
from cloudstate.crdt.collections import GSet, ORMap, ORSet
from cloudstate.crdt.contexts import CancelContext, ChangeContext, Context, StreamedContext, WriteConsistency
from cloudstate.crdt.entity import CrdtEntity, Entity
from cloudstate.crdt.machine import Stream
from cloudstate.crdt.scalars import Clock, Flag, GCounter, LWWRegister, PNCounter, Vote

__all__ = [
    "CancelContext",
    "ChangeContext",
    "Clock",
    "Context",
    "Crdt",
    "CrdtEntity",
    "Entity",
    "Flag",
    "GCounter",
    "GSet",
    "LWWRegister",
    "ORMap",
    "ORSet",
    "PNCounter",
    "Stream",
    "StreamedContext",
    "Vote",
    "WriteConsistency",
]
