"""The README takes a newcomer from nothing to a running entity: its files and commands are taken from it and tried."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

README = Path(__file__).parent.parent / "README.md"
BLOCK = re.compile(
    r"(?:^\*\*`(?P<path>[^`]+)`\*\*(?:(?!```).)*?)?^```(?P<language>\w+)\n(?P<text>.*?)^```$", re.M | re.S
)
ENVIRONMENT = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
# Longer than anything takes on a busy machine.
PATIENCE_SECONDS = 120


def blocks() -> Iterator[tuple[str | None, str, str]]:
    """Returns path of the file, if it is one, language and text of each block."""
    return ((it["path"], it["language"], it["text"]) for it in BLOCK.finditer(README.read_text()))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The project after all files are written and its code is generated."""
    for path, _, text in blocks():
        if path is not None:
            (tmp_path / path).parent.mkdir(exist_ok=True)
            (tmp_path / path).write_text(text)
    run(tmp_path, next(it for it in shell() if it.startswith("cloudstate-generate")))
    return tmp_path


def shell() -> list[str]:
    return [text for path, language, text in blocks() if language == "sh" and path is None]


def run(project: Path, command: str) -> str:
    done = subprocess.run(
        ["bash", "-ec", command], cwd=project, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_page_has_what_these_tests_try() -> None:
    assert [text.split()[0] for text in shell()] == ["cargo", "cloudstate-generate", "python3", "cloudstate", "curl"]
    files = [path for path, _, _ in blocks() if path is not None]
    assert len(files) == 6, files


def test_the_entity_is_tested(project: Path) -> None:
    assert "2 passed" in run(project, next(it for it in shell() if it.startswith("python3")))


def test_the_entity_is_typed(project: Path) -> None:
    run(project, "python3 -m mypy --strict -p counter && python3 -m mypy --strict tests")


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def test_the_entity_runs_behind_the_proxy(project: Path) -> None:
    if shutil.which("cloudstate", path=ENVIRONMENT["PATH"]) is None:
        assert os.environ.get("CLOUDSTATE_TEST_SERVERS") != "all", "this test wants the binary cloudstate in PATH"
        pytest.skip("the binary cloudstate is not in PATH")
    clients, operators = free_port(), free_port()
    command = f"exec cloudstate dev --http.port {clients} --admin.port {operators}"
    dev = subprocess.Popen(
        ["bash", "-c", command],
        cwd=project,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    giving_up = threading.Timer(PATIENCE_SECONDS, dev.kill)
    giving_up.start()
    assert dev.stdout is not None
    try:
        said = []
        for line in dev.stdout:
            said.append(line)
            if "Serving counter.Counter" in line:
                break
        else:
            pytest.fail("".join(said))
        curls = shell()[-1].replace("localhost:9000", f"localhost:{clients}").replace("curl ", "curl -sS ")
        assert run(project, curls) == '{"value":"3"}' * 2
    finally:
        dev.terminate()
        rest = dev.stdout.read()
        ended = dev.wait()
        dev.stdout.close()
        giving_up.cancel()
    assert ended == 0, rest
