"""Who is online, as a CRDT entity: each node votes on whether the user is connected to it.

```
  Connect ──▶ connections of this node ── first, last ──▶ vote ──▶ replicated ──▶ Monitor, on any node
```
"""
