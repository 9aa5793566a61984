"""Energies of conformers at rest."""

import json
from dataclasses import asdict

import numpy as np
import pytest

from fidsel.arrays import FloatArray
from fidsel.data import Frames
from fidsel.data.typed import from_plain
from fidsel.fidelity import MMFFSource
from fidsel.fidelity.molecules.molecule import from_smiles
from fidsel.md import conformers
from fidsel.md.check.conformers import MOST, Conformers
from fidsel.md.surface import surface_of

BUTANE = from_smiles("CCCC")
START = Frames.stack(BUTANE.numbers, conformers(BUTANE, 1, seed=3))
SURFACE = surface_of(MMFFSource(BUTANE), START)


def test_butane_is_lowest_where_it_is_anti() -> None:
    found = Conformers.of(SURFACE, START)
    # MMFF94: gauche is 0.8 kcal/mol above anti; the two gauche forms are mirror images
    assert len(found.energies) in (2, 3)
    told = found.compared(SURFACE)
    assert told["range"] == pytest.approx(0.034, abs=0.003)
    assert (told["mae"], told["same_lowest"], told["count"]) == (0.0, True, len(found.energies))
    assert told["reference_energies"] == told["energies"]
    ends = np.array(found.positions)[:, 0] - np.array(found.positions)[:, 3]
    assert np.linalg.norm(ends, axis=1).argmax() == np.argmin(found.energies), "the ends are far apart"


def test_errors_are_those_of_energies_above_the_lowest() -> None:
    found = Conformers((((0.0,) * 3,),) * 3, (2.0, 1.0, 1.5))

    def surface(x: FloatArray) -> tuple[FloatArray, FloatArray]:
        return np.array([11.2, 10.0, 9.9]), np.zeros_like(x)

    told = found.compared(surface)
    assert told["energies"] == pytest.approx([1.2, 0.0, -0.1])
    assert told["reference_energies"] == [1.0, 0.0, 0.5]
    assert told["mae"] == pytest.approx((0.2 + 0.6) / 2)
    assert (told["range"], told["same_lowest"]) == (1.0, False)


def test_what_cannot_be_compared_says_why() -> None:
    water = Frames.stack([8, 1, 1], [[[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]]])
    assert Conformers.of(SURFACE, water).compared(SURFACE) == {
        "count": 0,
        "why": "the molecule has one conformer alone",
    }
    xenon = Frames.stack([54, 9, 9], [[[0, 0, 0], [0, 0, 1.98], [0, 0, -1.98]]])
    assert "MMFF94" in Conformers.of(SURFACE, xenon).why

    def failing(x: FloatArray) -> tuple[FloatArray, FloatArray]:
        return np.where(np.arange(len(x)) == 0, 1.0, np.nan), x

    assert "cannot label" in Conformers.of(failing, START).why


def test_they_are_kept() -> None:
    found = Conformers.of(SURFACE, START)
    assert from_plain(Conformers, json.loads(json.dumps(asdict(found)))) == found
    assert len(found.energies) <= MOST
