from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cloudstate.generate import generate, main
from cloudstate.generate.errors import GenerateError
from cloudstate.generate.imports import make_relative
from cloudstate.generate.names import handler_name, import_line


@pytest.mark.parametrize(
    ("method", "name"),
    [
        ("AddItem", "add_item"),
        ("GetHTTPCart", "get_http_cart"),
        ("getV2Cart", "get_v2_cart"),
        ("handle", "handle"),
        ("Import", "import_"),
        ("Apply", "apply_"),
    ],
)
def test_methods_have_names_of_python(method: str, name: str) -> None:
    assert handler_name(method) == name


def test_imports_of_own_files_are_relative() -> None:
    own = {"a/b.proto", "c.proto", "a/d/e.proto"}
    code = "\n".join(
        (
            "from a import b_pb2 as a_dot_b__pb2",
            "import c_pb2 as c__pb2",
            "from a.d.e_pb2 import *",
            "from google.protobuf import empty_pb2 as google_dot_x",
            "x = 'import c_pb2 as c__pb2'",
        )
    )
    assert make_relative(code, "a/b.proto", own).splitlines() == [
        "from ..a import b_pb2 as a_dot_b__pb2",
        "from .. import c_pb2 as c__pb2",
        "from ..a.d.e_pb2 import *",
        "from google.protobuf import empty_pb2 as google_dot_x",
        "x = 'import c_pb2 as c__pb2'",
    ]
    assert import_line("a/d/e.proto", "c.proto", own) == "from .a.d import e_pb2 as a_d_e_pb2"


def test_comments_become_docstrings(tmp_path: Path) -> None:
    generate(Path(__file__).parent / "proto", tmp_path / "out")
    code = (tmp_path / "out/example_cloudstate.py").read_text()
    assert '"""Adds to the counter.\n\n        It answers with the "new value".\n        """' in code
    compile(code, "example_cloudstate.py", "exec")


def test_entities_without_streams_only_are_offered_where_they_can_be(tmp_path: Path) -> None:
    generate(Path(__file__).parent / "proto", tmp_path / "out")
    code = (tmp_path / "out/example_cloudstate.py").read_text()
    for name in ("CounterEventSourced", "CounterValue", "CounterCrdt", "CounterAction", "PresenceCrdt", "SumsAction"):
        assert f"class {name}(" in code, name
    for name in ("PresenceValue", "SumsCrdt", "SumsEventSourced"):
        assert f"class {name}(" not in code, name


def test_files_may_import_from_further_directories(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared/kinds.proto").write_text('syntax = "proto3"; package kinds; message Kind {}')
    (tmp_path / "proto").mkdir()
    service = 'syntax = "proto3"; import "kinds.proto"; service S { rpc Do(kinds.Kind) returns (kinds.Kind); }'
    (tmp_path / "proto/s-1.proto").write_text(service)
    generate(tmp_path / "proto", tmp_path / "out", [tmp_path / "shared"])
    assert "import kinds_pb2 as kinds_pb2" in (tmp_path / "out/s_1_cloudstate.py").read_text()


def test_what_cannot_be_generated_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GenerateError, match=r"there are no \.proto files below"):
        generate(tmp_path, tmp_path / "out")
    (tmp_path / "broken.proto").write_text("syntax = 'proto3'; message {")
    with pytest.raises(GenerateError, match="protoc refuses the files below"):
        generate(tmp_path, tmp_path / "out")
    with pytest.raises(SystemExit, match="cloudstate-generate: protoc refuses"):
        main([str(tmp_path), str(tmp_path / "out")])


def test_methods_that_would_be_called_the_same_are_refused(tmp_path: Path) -> None:
    methods = "rpc Do(M) returns (M); rpc do(M) returns (M);"
    (tmp_path / "s.proto").write_text(f'syntax = "proto3"; message M {{}} service S {{ {methods} }}')
    with pytest.raises(GenerateError, match="two methods of S would be called do"):
        generate(tmp_path, tmp_path / "out")


def test_it_runs_as_a_command(tmp_path: Path) -> None:
    proto = Path(__file__).parent / "proto"
    command = [sys.executable, "-m", "cloudstate.generate", str(proto), str(tmp_path / "out")]
    subprocess.run(command, check=True)
    assert (tmp_path / "out/stored/__init__.py").is_file()
