"""Generates messages and typed services from `.proto` files: the command `cloudstate-generate`.

```
  proto/*.proto ──protoc──▶ *_pb2.py, *_pb2.pyi      messages
                └─────────▶ *_cloudstate.py          for each service: calls, and classes to derive from
```

The modules import each other relatively, so that they can lie in any package.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from google.protobuf import descriptor_pb2

from cloudstate.generate.errors import GenerateError
from cloudstate.generate.imports import make_relative
from cloudstate.generate.names import module_path
from cloudstate.generate.services import services_module

# What a strict type checker minds and nobody can help: `protoc` leaves out type arguments, `google.api` has no types.
_STUB_HEAD = '# mypy: disable-error-code="type-arg,import-untyped"\n'


def generate(proto: Path, out: Path, includes: Sequence[Path] = ()) -> list[Path]:
    """Generates the modules of all `.proto` files below a directory into a package.

    Args:
        proto: the directory; imports between its files are relative to it.
        out: the directory of the package; made if it is not there.
        includes: further directories in which imported files are looked for. The files of Cloudstate, `google/api` and
            `google/protobuf` are found without.

    Returns:
        The files that were written.

    Raises:
        GenerateError: if there is nothing to do, or `protoc` refuses a file.
    """
    names = sorted(path.relative_to(proto).as_posix() for path in proto.rglob("*.proto"))
    if not names:
        raise GenerateError(f"there are no .proto files below {proto}")
    out.mkdir(parents=True, exist_ok=True)
    descriptors = _protoc(proto, out, names, includes)
    own = set(names)
    written = []
    for file in descriptors.file:
        if file.name not in own:
            continue
        path = out / (module_path(file.name) + "_pb2.py")
        for generated, head in ((path, ""), (path.with_suffix(".pyi"), _STUB_HEAD)):
            generated.write_text(head + make_relative(generated.read_text(), file.name, own))
            written.append(generated)
        if file.service:
            services = out / (module_path(file.name) + "_cloudstate.py")
            services.write_text(services_module(file, descriptors, own))
            written.append(services)
    written.extend(_packages(out, names))
    return written


def _protoc(proto: Path, out: Path, names: list[str], includes: Sequence[Path]) -> descriptor_pb2.FileDescriptorSet:
    try:
        import grpc_tools
        from grpc_tools import protoc
    except ImportError as error:
        raise GenerateError(
            f"the compiler of .proto files is not installed ({error}): pip install 'cloudstate[generate]'"
        ) from error
    import google.api.annotations_pb2 as annotations

    import cloudstate

    paths = [
        proto,
        *includes,
        Path(cloudstate.__file__).parent / "proto",
        Path(annotations.__file__).parents[2],
        Path(grpc_tools.__file__).parent / "_proto",
    ]
    with tempfile.TemporaryDirectory() as directory:
        descriptors = Path(directory, "descriptors")
        code = protoc.main(
            [
                "protoc",
                *(f"-I{path}" for path in paths),
                f"--python_out={out}",
                f"--pyi_out={out}",
                f"--descriptor_set_out={descriptors}",
                "--include_imports",
                "--include_source_info",
                *names,
            ]
        )
        if code != 0:
            raise GenerateError(f"protoc refuses the files below {proto}; it has said why")
        return descriptor_pb2.FileDescriptorSet.FromString(descriptors.read_bytes())


def _packages(out: Path, names: list[str]) -> list[Path]:
    """Makes a package of every directory."""
    directories = {out} | {out / parent for name in names for parent in Path(name).parents}
    written = []
    for directory in sorted(directories):
        path = directory / "__init__.py"
        if not path.exists():
            path.write_text('"""Generated from `.proto` files."""\n')
            written.append(path)
    return written


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command."""
    parser = argparse.ArgumentParser(
        prog="cloudstate-generate", description="Generate messages and typed services from .proto files."
    )
    parser.add_argument("proto", type=Path, help="directory of the .proto files")
    parser.add_argument("out", type=Path, help="directory of the package to write; made if it is not there")
    parser.add_argument(
        "-I",
        "--include",
        type=Path,
        action="append",
        default=[],
        help="further directory to find imported files in",
    )
    parsed = parser.parse_args(arguments)
    try:
        generate(parsed.proto, parsed.out, parsed.include)
    except GenerateError as error:
        sys.exit(f"cloudstate-generate: {error}")
