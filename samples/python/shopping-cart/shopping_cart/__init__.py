"""A shopping cart as an event sourced entity.

```
  AddItem ──▶ ShoppingCartEntity ──emit──▶ ItemAdded ──▶ apply
```
"""
