"""A shopping cart as a value entity.

```
  AddItem ──▶ ShoppingCartEntity ──update──▶ persistence.Cart, stored as a whole
```
"""
