"""Streams as people give them: closed, full, not UTF-8, read by nobody."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import write_campaign

FIDSEL = f"{sys.executable} -m fidsel"


def shell(command: str, **environment: str) -> "subprocess.CompletedProcess[bytes]":
    given = " ".join(f"{name}={value}" for name, value in environment.items())
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; export {given} X=1; {command}"], capture_output=True, check=False
    )


@pytest.mark.parametrize(
    ("encoding", "words"),
    [
        ("ascii", "config schema"),
        ("ascii:strict", "config schema --markdown"),
        ("latin-1", "config schema --markdown"),
        ("ascii", "plan --budget 9 --price a=1 --price b=2 --validation 1"),
        ("latin-1", "plan --budget 9 --price a=1 --price b=2 --validation 1"),
    ],
)
def test_any_encoding_holds_what_is_printed(encoding: str, words: str) -> None:
    found = shell(f"{FIDSEL} {words}", PYTHONIOENCODING=encoding)
    assert found.returncode == 0, found.stderr
    assert b"Traceback" not in found.stderr
    text = found.stdout.decode(encoding.partition(":")[0])
    if words == "config schema":
        assert json.loads(text)["title"] == "Config"
    if "plan" in words:
        assert ("error, x accurate" in text) is encoding.startswith("ascii")
        assert ("error, × accurate" in text) is not encoding.startswith("ascii")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_tables_keep_their_border_in_any_encoding(encoding: str) -> None:
    code = (
        "from fidsel.cli.streams import open_streams; from fidsel.cli.output import table; open_streams(); "
        "table('1 ≥ 0', ('Δ', 'σ in Å'), [['λ × Δ → …', None], ['naïve 😀', 1.5]])"
    )
    found = shell(f'{sys.executable} -c "{code}"', PYTHONIOENCODING=encoding)
    assert found.returncode == 0, found.stderr
    title, *lines = found.stdout.decode(encoding).splitlines()
    assert title.strip() == "1 >= 0"
    assert len({len(line) for line in lines}) == 1, lines
    assert "sigma in" in lines[1]
    assert ("lambda x d > ..." if encoding == "ascii" else "lambda × d > ...") in lines[3]


def test_json_is_whole_in_any_encoding(tmp_path: Path) -> None:
    folder = write_campaign(tmp_path / "Å–😀")
    found = shell(f"{FIDSEL} status --json -C '{folder}'", PYTHONIOENCODING="ascii")
    assert json.loads(found.stdout)["folder"] == str(folder)


def test_errors_name_files_of_any_name_in_any_encoding() -> None:
    found = shell(f"{FIDSEL} train 'naïve–😀.npz'", PYTHONIOENCODING="ascii")
    assert found.returncode == 2
    assert rb"there is no file na\xefve-\U0001f600.npz" in found.stderr
    found = shell(rf"{FIDSEL} train $'bytes\xff.npz'")
    assert found.returncode == 2
    assert b"there is no file bytes" in found.stderr


@pytest.mark.parametrize(
    ("redirection", "code"),
    [(">&-", 0), ("2>&-", 0), ("<&- >&- 2>&-", 0), ("| true", 141), (">/dev/full", 1), ("2>/dev/full", 0)],
)
def test_streams_that_lead_nowhere(redirection: str, code: int) -> None:
    found = shell(f"{FIDSEL} config schema {redirection}")
    assert found.returncode == code
    said = b"fidsel: the system refuses: No space left on device\n" if redirection == ">/dev/full" else b""
    assert found.stderr == said


def test_the_store_never_takes_the_place_of_a_closed_stream(tmp_path: Path) -> None:
    folder = write_campaign(tmp_path / "campaign")
    found = shell(f"{FIDSEL} sample -C {folder} <&- >&- 2>&-")
    assert found.returncode == 0
    found = shell(f"{FIDSEL} sample -C {folder}")
    assert found.returncode == 0, found.stderr
    assert b"pool: 80 configurations" in found.stderr
