"""Drives the entities of a user function in unit tests, without network.

```
  test ─▶ EventSourcedTest │ ValueTest │ CrdtTest │ ActionTest ─protocol messages─▶ the machine ─▶ your handlers
             └─ stores what the proxy would store, restarts what the proxy would restart
```

The messages are those of the protocol, so codecs, snapshots, rollback and restarts are tested as they will run. Each
method that runs a handler has an event loop of its own for that; in a test that is asynchronous itself, use its sibling
that ends in `_async`.

Absent: entity keys. A test drives one entity, whatever ids its commands carry; which entity a command goes to is the
proxy's business.
"""

from cloudstate.testkit.action import ActionTest
from cloudstate.testkit.crdt import CrdtTest, StreamTest
from cloudstate.testkit.event_sourced import EventSourcedTest
from cloudstate.testkit.outcome import Outcome
from cloudstate.testkit.value import ValueTest

__all__ = ["ActionTest", "CrdtTest", "EventSourcedTest", "Outcome", "StreamTest", "ValueTest"]
