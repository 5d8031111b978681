"""What is shipped works without this checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

HERE = Path(__file__).parent


def test_the_wheel_has_messages_types_and_proto_files(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*build, "--wheel-dir", str(tmp_path), str(HERE.parent)], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    unpacked = tmp_path / "unpacked"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(unpacked)
    package = unpacked / "cloudstate"
    for name in ("py.typed", "entity_pb2.py", "entity_pb2.pyi", "proto/cloudstate/entity_key.proto"):
        assert (package / name).is_file(), name
    # The unpacked package comes before the installed one.
    environment = os.environ | {"PYTHONPATH": str(unpacked)}
    code = (
        "import sys, cloudstate\n"
        "from pathlib import Path\n"
        "from cloudstate.generate import generate\n"
        "assert cloudstate.__file__.startswith(sys.argv[1]), cloudstate.__file__\n"
        "generate(Path(sys.argv[2]), Path(sys.argv[3]))\n"
    )
    arguments = [str(unpacked), str(HERE / "proto"), str(tmp_path / "out")]
    subprocess.run([sys.executable, "-c", code, *arguments], check=True, env=environment)
    assert (tmp_path / "out/example_cloudstate.py").is_file()
