from pathlib import Path

import numpy as np
import pytest
from ase import units
from program_outputs import STEP, assert_is, engrad, turbomole

from fidsel.data import read, read_with_notes


@pytest.mark.parametrize(("name", "text"), [("h2.engrad", engrad(STEP)), ("gradient", turbomole(STEP))])
def test_a_gradient_file_alone_is_read(name: str, text: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    frames, notes = read_with_notes(tmp_path / name)
    assert_is(frames, STEP)
    assert any("does not say charge and spin" in note for note in notes)


def test_gfn2_forces_survive_the_way_through_a_gradient_file(tmp_path: Path) -> None:
    interface = pytest.importorskip("tblite.interface", reason="needs pip install 'fidsel[xtb]'")
    numbers, places = np.array([8, 1, 1]), np.array([[0, 0, 0], [1.9, 0, 0], [-0.6, 1.8, 0.1]])
    calculator = interface.Calculator("GFN2-xTB", numbers, places)
    calculator.set("verbosity", 0)
    found = calculator.singlepoint()
    energy, gradient = found.get("energy").item(), found.get("gradient")
    words = [" ".join(f"{x:.14f}" for x in row) for row in (*places, *gradient)]
    symbols = ["o", "h", "h"]
    atoms = "".join(f"  {row} {symbol}\n" for row, symbol in zip(words[:3], symbols, strict=True))
    rows = "".join(f"  {row}\n" for row in words[3:])
    (tmp_path / "gradient").write_text(
        f"$grad\n  cycle =  1    SCF energy = {energy:.12f}   |dE/dxyz| = 0.1\n{atoms}{rows}$end\n"
    )
    frames = read(tmp_path / "gradient")
    step = 1e-3
    moved = [places + step * sign * np.eye(9)[3].reshape(3, 3) for sign in (1, -1)]
    energies = []
    for place in moved:
        calculator.update(place)
        energies.append(calculator.singlepoint().get("energy").item())
    slope = (energies[0] - energies[1]) / (2 * step) * units.Hartree / units.Bohr
    assert frames.forces[1, 0] == pytest.approx(-slope, abs=1e-4)
