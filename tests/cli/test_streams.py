"""Streams as people give them: closed, full, not UTF-8, read by nobody."""

import json
import subprocess
import sys
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest
from command_line import fidsel, write_campaign

from fidsel.cli import main

PLAN = "plan --budget 9 --price a=1 --price b=2 --validation 1"
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
        ("ascii", "config schema --markdown"),
        ("latin-1", "config schema --markdown"),
    ],
)
@pytest.mark.parametrize("errors", ["strict", "surrogateescape"])
def test_any_encoding_holds_what_is_printed(
    encoding: str, errors: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, err = BytesIO(), BytesIO()
    monkeypatch.setattr(sys, "stdout", TextIOWrapper(out, encoding, errors))
    monkeypatch.setattr(sys, "stderr", TextIOWrapper(err, encoding, errors))
    monkeypatch.setattr(sys, "argv", ["fidsel", *words.split()])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 0, err.getvalue()
    assert err.getvalue() == b""
    text = out.getvalue().decode(encoding)
    assert json.loads(text)["title"] == "Config" if words == "config schema" else "| `kind` |" in text


@pytest.mark.parametrize(("encoding", "sign"), [("ascii:strict", "x"), ("ascii", "x"), ("latin-1", "×")])
def test_an_encoding_may_be_given_to_the_program(encoding: str, sign: str) -> None:
    found = shell(f"{FIDSEL} {PLAN}", PYTHONIOENCODING=encoding)
    assert found.returncode == 0, found.stderr
    assert b"Traceback" not in found.stderr
    text = found.stdout.decode(encoding.partition(":")[0])
    assert [one for one in "x×" if f"error, {one} accurate" in text] == [sign]


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
    found = shell(f"{FIDSEL} check 'naïve–😀.npz'", PYTHONIOENCODING="ascii")
    assert found.returncode == 2
    assert rb"there is no file na\xefve-\U0001f600.npz" in found.stderr
    found = shell(rf"{FIDSEL} check $'bytes\xff.npz'")
    assert found.returncode == 2
    assert b"there is no file bytes" in found.stderr


@pytest.mark.parametrize(
    ("words", "redirection", "code", "said"),
    [
        (PLAN, ">&-", 0, "what if: errors are relative to accurate labels alone"),
        (PLAN, "2>&-", 0, ""),
        (PLAN, "<&- >&- 2>&-", 0, ""),
        ("config schema", "| true", 141, ""),
        (PLAN, ">/dev/full", 1, "fidsel: the system refuses: No space left on device\n"),
        ("--help", "2>/dev/full", 0, ""),
    ],
)
def test_streams_that_lead_nowhere(words: str, redirection: str, code: int, said: str) -> None:
    found = shell(f"{FIDSEL} {words} {redirection}")
    assert found.returncode == code
    assert bool(found.stderr) is bool(said)
    assert found.stderr.decode().startswith(said)


def test_the_store_never_takes_the_place_of_a_closed_stream(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = write_campaign(tmp_path / "campaign")
    found = shell(f"{FIDSEL} sample -C {folder} <&- >&- 2>&-")
    assert found.returncode == 0
    again = fidsel(capfd, "sample", "-C", folder)
    assert again.code == 0, again.err
    assert "pool: 80 configurations" in again.err
