"""Serves presence."""

import logging

from cloudstate import CrdtEntity, UserFunction

from .entity import PresenceEntity

logging.basicConfig(level=logging.INFO)
UserFunction("presence", "0.1.0").add(CrdtEntity("presence", PresenceEntity)).run()
