"""Makes the modules that `protoc` writes importable from any package: it imports them from the root."""

from __future__ import annotations

import re

from cloudstate.generate.names import module_path

_IMPORT = re.compile(r"^(?:from (?P<package>[\w.]+) )?import (?P<module>\w+_pb2)(?P<rest> as \w+)?$", re.MULTILINE)
_PUBLIC = re.compile(r"^from (?P<module>[\w.]+_pb2) import ", re.MULTILINE)


def make_relative(code: str, importer: str, own: set[str]) -> str:
    """Turns imports of one's own files into relative ones.

    Args:
        code: what `protoc` wrote.
        importer: the `.proto` file that it is of.
        own: all `.proto` files that are generated into the package.
    """
    modules = {module_path(file).replace("/", ".") + "_pb2" for file in own}
    up = "." * (importer.count("/") + 1)

    def single(match: re.Match[str]) -> str:
        package, module, rest = match["package"], match["module"], match["rest"] or ""
        full = f"{package}.{module}" if package else module
        return f"from {up}{package or ''} import {module}{rest}" if full in modules else match[0]

    def public(match: re.Match[str]) -> str:
        return f"from {up}{match['module']} import " if match["module"] in modules else match[0]

    return _PUBLIC.sub(public, _IMPORT.sub(single, code))
