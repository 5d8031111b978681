"""Generates the messages of the protocol when the package is built, from the one place where they are defined."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

# In a checkout the files are shared with the proxy; a source distribution brings its own copy.
CANDIDATES = ("proto", "../../crates/protocol/proto")


class ProtocolHook(BuildHookInterface[Any]):
    """Adds the generated modules and the `.proto` files that functions import to what is built."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Puts the modules beside the sources for an editable installation, and into the wheel otherwise."""
        protos = self._protos()
        files = {str(path): f"{path.relative_to(protos)}" for path in sorted(protos.glob("cloudstate/*.proto"))}
        if self.target_name == "sdist":
            build_data["force_include"].update({path: f"proto/{name}" for path, name in files.items()})
            return
        sources = Path(self.root, "src")
        if version == "editable":
            self._generate(protos, list(files.values()), sources)
            destination = sources / "cloudstate" / "proto" / "cloudstate"
            destination.mkdir(parents=True, exist_ok=True)
            for path in files:
                (destination / Path(path).name).write_bytes(Path(path).read_bytes())
            return
        out = Path(tempfile.mkdtemp(prefix="cloudstate-"))
        self._generate(protos, list(files.values()), out)
        made = {str(path): str(path.relative_to(out)) for path in sorted(out.glob("cloudstate/*"))}
        shipped = {path: f"cloudstate/proto/{name}" for path, name in files.items()}
        build_data["force_include"].update(made | shipped)

    def _protos(self) -> Path:
        for candidate in CANDIDATES:
            path = Path(self.root, candidate).resolve()
            if (path / "cloudstate" / "entity.proto").is_file():
                return path
        raise FileNotFoundError(f"the .proto files of the protocol are in none of {CANDIDATES} below {self.root}")

    @staticmethod
    def _generate(protos: Path, names: list[str], out: Path) -> None:
        import grpc_tools
        from grpc_tools import protoc

        well_known = Path(grpc_tools.__file__).parent / "_proto"
        arguments = [f"-I{protos}", f"-I{well_known}", f"--python_out={out}", f"--pyi_out={out}", *names]
        if protoc.main(["protoc", *arguments]) != 0:
            raise RuntimeError("protoc failed; it has said why")
