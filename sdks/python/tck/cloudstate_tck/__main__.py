"""Serves the model services."""

import logging

from . import function

logging.basicConfig(level=logging.INFO)
function().run()
