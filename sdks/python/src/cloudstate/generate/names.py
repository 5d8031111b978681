"""What things of `.proto` files are called in Python."""

from __future__ import annotations

import keyword
import re

# Names that the base classes of entities use themselves.
RESERVED = frozenset({"apply", "create", "created", "restore", "snapshot"})


def module_path(file: str) -> str:
    """Returns where the modules of a file are, without their suffixes, as `protoc` places them."""
    return file.removesuffix(".proto").replace("-", "_")


def handler_name(method: str) -> str:
    """Returns the name of a method: `GetHTTPCart` becomes `get_http_cart`. A word that is taken gets a `_`."""
    words = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", method)
    name = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", words).lower()
    return f"{name}_" if keyword.iskeyword(name) or name in RESERVED else name


def alias(file: str) -> str:
    """Returns what generated code calls the module of a file's messages."""
    return module_path(file).replace("/", "_") + "_pb2"


def import_line(file: str, importer: str, own: set[str]) -> str:
    """Returns the line that imports the messages of a file, into a module of another."""
    directory, _, name = module_path(file).rpartition("/")
    package = directory.replace("/", ".")
    if file in own:
        package = "." * (importer.count("/") + 1) + package
    return f"from {package} import {name}_pb2 as {alias(file)}"
