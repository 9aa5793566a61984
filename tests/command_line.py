"""The command line as a person meets it: arguments, exit codes and streams; a campaign of seconds."""

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from morse_molecule import NUMBERS, frames, morse

from fidsel.cli.app import main

CONFIG = """\
[campaign]
test = 5
validation = 4
rounds = 0
control = "off"

[pool]
source = "file"
path = "pool.npz"

[[fidelity]]
name = "cheap"
kind = "table"
path = "pool.npz"
energy_key = "E_cheap"
forces_key = "F_cheap"
price = { per = "label", value = 0.05 }

[[fidelity]]
name = "accurate"
kind = "table"
path = "pool.npz"
energy_key = "E_accurate"
forces_key = "F_accurate"
price = { per = "label", value = 1 }

[model]
kind = "sgdml"
sigmas = [10.0]

[recipe]
kind = "cokriging"

[selector]
clusters = 2
energy_clusters = 2
fine_clusters = 10

[budget]
total = 12
unit = "label"

[engine]
workers = 1

[tracking]
enabled = false
"""


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    code: int
    out: str
    err: str


def fidsel(capfd: pytest.CaptureFixture[str], *arguments: str | Path) -> Outcome:
    """Run the program in this process."""
    capfd.readouterr()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["fidsel", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            main()
    streams = capfd.readouterr()
    code = stop.value.code
    return Outcome(code if isinstance(code, int) else 0, streams.out, streams.err)


def write_campaign(folder: Path, n: int = 80) -> Path:
    """Write a fidsel.toml and a pool of 4-atom molecules with labels at two levels."""
    folder.mkdir(parents=True, exist_ok=True)
    write_pool(folder, n)
    (folder / "fidsel.toml").write_text(CONFIG)
    return folder


def write_pool(folder: Path, n: int) -> None:
    """Write pool.npz: n frames of a 4-atom molecule with labels at two levels."""
    positions = frames(n).positions.reshape(n, 4, 3)
    arrays = {"z": NUMBERS, "R": positions, "e_unit": "eV", "r_unit": "Angstrom"}
    for name, depth in (("cheap", 3.8), ("accurate", 4.0)):
        energy, forces = morse(positions, depth, 1.5)
        arrays |= {f"E_{name}": energy, f"F_{name}": forces}
    np.savez(folder / "pool.npz", **arrays)
