"""Whatever goes wrong ends in one paragraph; what nobody foresaw in a log file too."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from fidsel.cli.ending import told
from fidsel.exceptions import FidselError, UsageError

PROGRAM = """\
import sys
from fidsel.cli import app
def boom() -> None:
    {}
app.app.command("boom")(boom)
sys.argv = ["fidsel", "boom"]
app.main()
"""


def ended(folder: Path, statement: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", PROGRAM.format(statement)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)


@pytest.mark.parametrize(
    ("error", "text", "code"),
    [
        (FidselError("the budget is spent"), "the budget is spent", 1),
        (UsageError("give a number"), "give a number", 2),
        (PermissionError(13, "Permission denied", "a.db"), "a.db: Permission denied", 1),
        (OSError(28, "No space left on device"), "the system refuses: No space left on device", 1),
    ],
)
def test_errors_that_were_foreseen(error: Exception, text: str, code: int) -> None:
    assert told(error) == (text, code)


def test_memory_that_does_not_suffice() -> None:
    with pytest.raises(MemoryError) as numpys:
        np.empty(10**15)
    with pytest.raises(RuntimeError) as torchs:
        torch.empty(10**15)
    for error in (numpys.value, torchs.value, MemoryError()):
        text, code = told(error)
        assert code == 1
        assert text.startswith("the memory does not suffice (")
        assert "take fewer frames or labels" in text


def test_what_nobody_foresaw_leaves_a_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        sys, "argv", ["fidsel", "iterate", "tracking.uri=postgresql://ada:secret@db.org/runs", "naïve\udcff"]
    )
    found = ended(tmp_path, "{}['absent–key']")
    (log,) = tmp_path.glob("fidsel-error-*.log")
    assert found.returncode == 1
    assert found.stdout == ""
    (line,) = found.stderr.splitlines()
    assert line.startswith(
        "fidsel: something went wrong that should not (KeyError: 'absent–key'); the details are"
    )
    assert f"{log}. Please report it, with that file, " in line
    text = log.read_text(encoding="utf-8")
    assert "command: boom\n" in text
    assert text.rstrip().endswith("KeyError: 'absent–key'")
    assert "in boom\n" in text
    monkeypatch.chdir(tmp_path)
    log.unlink()
    told(ValueError("x"))
    (log,) = tmp_path.glob("fidsel-error-*.log")
    text = log.read_text(encoding="utf-8")
    assert r"command: iterate tracking.uri=postgresql://…@db.org/runs naïve\udcff" in text
    assert "secret" not in text


def test_an_error_of_a_persons_own_code_is_told_as_that(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def pick(pool):\n    return len(pool) + 'one'\n")
    found = ended(tmp_path, "import os; sys.path.insert(0, os.getcwd()); import mine; mine.pick([])")
    said = " ".join(found.stderr.split())
    assert f"{tmp_path / 'mine.py'}, line 2, in pick: TypeError: unsupported operand" in said
    assert "code of your own" in said
    assert "report it" not in said
    assert list(tmp_path.glob("fidsel-error-*.log"))


def test_a_folder_that_cannot_be_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    found = ended(Path("/proc"), "raise AttributeError('x')")
    assert found.returncode == 1
    (log,) = tmp_path.glob("fidsel-error-*.log")
    assert str(log) in found.stderr


@pytest.mark.parametrize(
    ("statement", "code", "said"),
    [
        ("raise SystemExit(7)", 7, ""),
        ("import typer; raise typer.Exit(3)", 3, ""),
        (
            "raise KeyboardInterrupt",
            130,
            "fidsel: stopped; what was finished is stored: the same command goes on",
        ),
        ("raise MemoryError", 1, "fidsel: the memory does not suffice (no more could be had): take fewer"),
        ("import typer; raise typer.BadParameter('no')", 2, "Usage: "),
    ],
)
def test_endings_that_leave_no_log(tmp_path: Path, statement: str, code: int, said: str) -> None:
    found = ended(tmp_path, statement)
    assert (found.returncode, list(tmp_path.iterdir())) == (code, [])
    assert found.stderr.startswith(said)
    assert "Traceback" not in found.stderr
