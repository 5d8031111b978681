"""Serves the shopping cart."""

import logging

from cloudstate import EventSourced, UserFunction

from .cart import ShoppingCartEntity

logging.basicConfig(level=logging.INFO)
UserFunction("shopping-cart", "0.1.0").add(EventSourced("shopping-cart", ShoppingCartEntity)).run()
