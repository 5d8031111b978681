"""Serves the shopping cart."""

import logging

from cloudstate import UserFunction, Value

from .cart import ShoppingCartEntity

logging.basicConfig(level=logging.INFO)
UserFunction("shopping-cart-value", "0.1.0").add(Value("shopping-cart", ShoppingCartEntity)).run()
