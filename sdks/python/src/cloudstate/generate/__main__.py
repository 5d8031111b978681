"""Runs the command as a module."""

from cloudstate.generate import main

main()
