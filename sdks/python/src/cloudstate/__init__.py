"""Write Cloudstate user functions in Python.

A user function is a process that holds no database connection: the proxy beside it keeps the state durable, hands the
function *state in*, and takes *events, values, changes and replies out*.

```
  .proto ──cloudstate-generate──▶ messages, calls, classes to derive from
                                              │ you implement the methods
                                              ▼
  proxy ──HTTP/2──▶ server ──▶ event sourced │ value │ CRDT │ action ──▶ your handlers
```

* Raising `Failure` declines a command: the client gets the text, nothing is stored.
* Any other exception ends this one activation: the log gets the details, the next command loads the entity afresh.
* Handlers of one entity run one at a time. They may be `async def`; they must not block, since one thread serves all.
"""

from cloudstate.action import Action, Answers, Commands
from cloudstate.call import Call
from cloudstate.crdt import CrdtEntity
from cloudstate.event_sourced import EventSourced, Snapshots
from cloudstate.function import Declaration, DeclarationError, Registration, UserFunction
from cloudstate.metadata import CloudEvent, Metadata
from cloudstate.payload import Float32, Int32, Json, PayloadError
from cloudstate.reply import Answer, Failure, Reply
from cloudstate.server import ServeError, Server
from cloudstate.service import Method, Service
from cloudstate.value import Value

__all__ = [
    "Action",
    "Answer",
    "Answers",
    "Call",
    "CloudEvent",
    "Commands",
    "CrdtEntity",
    "Declaration",
    "DeclarationError",
    "EventSourced",
    "Failure",
    "Float32",
    "Int32",
    "Json",
    "Metadata",
    "Method",
    "PayloadError",
    "Registration",
    "Reply",
    "ServeError",
    "Server",
    "Service",
    "Snapshots",
    "UserFunction",
    "Value",
]
