"""Generates the package `example` from the `.proto` files of the tests, before any test is imported."""

from pathlib import Path

from cloudstate.generate import generate

HERE = Path(__file__).parent

generate(HERE / "proto", HERE / "example")
