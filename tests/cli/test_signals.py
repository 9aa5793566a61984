"""Signals end the program as Ctrl-C does, and the same command goes on."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import fidsel, write_campaign

from fidsel.cli.signals import Terminated, exit_code, stop_on_signals

SLOW = """
from dataclasses import dataclass
from time import sleep

import numpy as np

from fidsel.fidelity import Label


@dataclass(frozen=True)
class Slow:
    forces: bool = True

    def settings(self):
        return {"kind": "slow"}

    def label(self, atoms):
        sleep(1.0)
        return Label(0.0, np.zeros((len(atoms), 3)), 1.0)
"""


@pytest.mark.skipif(os.name != "posix", reason="sends signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_stop_cleanly_and_the_same_command_goes_on(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], number: signal.Signals
) -> None:
    folder = write_campaign(tmp_path / "campaign")
    (folder / "slow.py").write_text(SLOW)
    level = 'fidelity.0={name = "cheap", kind = "slow:Slow", price = {per = "label", value = 0.05}}'
    command = [sys.executable, "-m", "fidsel", "iterate", "-C", str(folder), level]
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env=os.environ | {"TMPDIR": str(scratch)},
    ) as child:  # fmt: skip
        assert child.stderr is not None
        for line in child.stderr:
            if line.startswith("cheap labels"):
                break
        child.send_signal(number)
        out, err = child.communicate(timeout=60)
    assert child.returncode == 128 + number
    assert list(scratch.glob("fidsel-*")) == []
    assert err.splitlines()[-1].startswith("fidsel: stopped; what was finished is stored")
    assert "Traceback" not in err
    assert out == ""
    found = fidsel(capfd, "status", "-C", folder, "--json")
    assert found.code == 0
    assert not (folder / "labels.db.lock").exists()


@pytest.mark.skipif(os.name != "posix", reason="sends a signal")
def test_the_first_signal_counts_and_an_ignored_one_stays_ignored() -> None:
    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        stop_on_signals()
        signal.raise_signal(signal.SIGHUP)
        with pytest.raises(Terminated) as stopped:
            signal.raise_signal(signal.SIGTERM)
        assert exit_code(stopped.value) == 143
        signal.raise_signal(signal.SIGTERM)
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


INTERRUPTED_IMPORT = """
import sys

class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == "typer":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupt())
from fidsel.cli import main
main()
"""


def test_an_interrupt_while_the_program_is_loaded_ends_it_without_a_traceback() -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_IMPORT], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
