import os
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import fidsel, write_campaign

COMMANDS = ["", "init", "config", "config validate", "config schema", "config template", "check", "doctor"]
COMMANDS += ["sample", "plan", "iterate", "status", "train", "ui", "demo"]
HEAVY = [
    "torch",
    "ase",
    "numpy",
    "mlflow",
    "rich",
    "scipy",
    "openmm",
    "pyscf",
    "rdkit",
    "matplotlib",
    "sklearn",
]
PROBE = """
import sys
sys.argv = ["fidsel", *{words!r}, "--help"]
from fidsel.cli.app import main
try:
    main()
except SystemExit as stop:
    assert stop.code == 0
print(*sorted({heavy!r} & sys.modules.keys()), file=sys.stderr)
"""


@pytest.mark.parametrize("words", COMMANDS)
def test_every_command_says_what_it_does(words: str, capfd: pytest.CaptureFixture[str]) -> None:
    found = fidsel(capfd, *words.split(), "--help")
    assert found.code == 0
    assert found.out.startswith(f"Usage: fidsel {words}".strip())
    assert "--help" in found.out
    assert found.err == ""


@pytest.mark.parametrize("words", ["", "iterate", "train"])
def test_help_imports_nothing_heavy(words: str) -> None:
    code = PROBE.format(words=words.split(), heavy=set(HEAVY))
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stderr == "\n"


@pytest.mark.parametrize(("given", "found"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_threads_that_wait_let_others_work_unless_told_otherwise(given: str | None, found: str) -> None:
    code = PROBE.format(words=["train"], heavy=set()) + "import os\nprint(os.environ['OMP_WAIT_POLICY'])"
    kept = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    environment = kept | ({} if given is None else {"OMP_WAIT_POLICY": given})
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == found


def test_modules_of_the_command_line_import_nothing_heavy() -> None:
    code = f"import sys, fidsel.cli.app; print(*sorted({set(HEAVY)!r} & sys.modules.keys()))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "\n"


def test_version(capfd: pytest.CaptureFixture[str]) -> None:
    assert fidsel(capfd, "--version").out.startswith("fidsel ")


def test_a_device_without_memory_is_said_and_the_same_command_goes_on(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = write_campaign(tmp_path / "campaign")
    (folder / "crowded.py").write_text(CROWDED)
    (folder / "full").touch()
    command = ("iterate", "-C", folder, 'model={kind = "crowded:Crowded", options = {sigmas = [10.0]}}')
    found = fidsel(capfd, *command)
    assert found.code == 1
    assert found.err.splitlines()[-1] == (
        "fidsel: CUDA out of memory. Tried to allocate 2.00 GiB. Free memory of that device, take a smaller "
        'batch or model, or device = "cpu" in [model] (selection: an empty CUDA_VISIBLE_DEVICES); what a '
        "campaign finished is stored"
    )
    assert "Traceback" not in found.err
    (folder / "full").unlink()
    assert fidsel(capfd, *command).code == 0


def test_errors_of_a_program_keep_their_traceback_in_a_log(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = write_campaign(tmp_path / "campaign")
    other = CROWDED.replace("torch.cuda.OutOfMemoryError", "RuntimeError").replace("crowded", "failing")
    (folder / "failing.py").write_text(other)
    (folder / "full").touch()
    model = 'model={kind = "failing:Crowded", options = {sigmas = [10.0]}}'
    found = fidsel(capfd, "iterate", "-C", folder, model)
    assert found.code == 1
    assert "Traceback" not in found.err
    (log,) = tmp_path.glob("fidsel-error-*.log")
    assert str(log) in found.err.splitlines()[-1]
    assert "Traceback" in log.read_text(encoding="utf-8")
    assert "RuntimeError: CUDA out of memory" in found.err


CROWDED = """
from pathlib import Path

import torch

from fidsel.models import SGDML

FULL = Path(__file__).with_name("full")


class Crowded(SGDML):
    kind = "crowded"

    def __init__(self, sigmas=(10.0,), seed=0):
        super().__init__(sigmas)

    def fit(self, train, validation, weights=None):
        if FULL.exists():
            raise torch.cuda.OutOfMemoryError(
                "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 7.63 GiB."
            )
        return super().fit(train, validation, weights)
"""
