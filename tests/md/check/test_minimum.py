"""Relaxed geometries and frequencies against what is known of them."""

from math import pi, sqrt

import numpy as np
import pytest
from ase.units import _c
from mmff_force_field import MMFFForceField

from fidsel.arrays import FloatArray
from fidsel.data import Frames
from fidsel.exceptions import FidselError
from fidsel.fidelity import CalculatorSource, MMFFSource
from fidsel.fidelity.molecules.molecule import from_smiles
from fidsel.md.check.minimum import Relaxed, relaxed
from fidsel.md.sampling.harmonic import modes_of

WATER = from_smiles("O")
BENT = Frames.stack(WATER.numbers, [[[0, 0, 0.1], [0, 0.8, -0.5], [0, -0.7, -0.45]]])


def test_a_dimer_of_lennard_jones_is_the_one_in_the_book() -> None:
    source = CalculatorSource("lj", {"epsilon": 0.5, "sigma": 2.0, "rc": 40.0, "smooth": False})
    found = relaxed(source, Frames.stack([18, 18], [[[0, 0, 0], [0, 0, 2.4]]]))
    x = found.frame.positions
    assert np.linalg.norm(x[0] - x[1]) == pytest.approx(2.0 * 2 ** (1 / 6), rel=1e-4)
    stiffness = 72 / 2 ** (1 / 3) * 0.5 / 2.0**2 * 16.02176634  # V'' at the minimum, N/m
    omega = sqrt(stiffness / (39.948 / 2 * 1.66053907e-27))
    assert found.frequencies.tolist() == [pytest.approx(omega / (2 * pi * _c * 100), rel=1e-3)]


def test_it_agrees_with_the_modes_of_the_pool() -> None:
    source = MMFFSource(WATER)
    known = modes_of(source, WATER.numbers, BENT.dense().positions[0])
    found = relaxed(source, BENT)
    np.testing.assert_allclose(found.frequencies, known.wavenumbers, rtol=1e-3)
    batched = relaxed(MMFFForceField(WATER), BENT)
    assert batched.compared(found)["rmsd"] < 1e-3
    assert batched.compared(found)["frequency_max"] < 1.0


def test_the_difference_of_two_surfaces_is_told() -> None:
    class Stiffer(MMFFForceField):
        def predict(self, frames, level=None):  # type: ignore[no-untyped-def]
            found = super().predict(frames, level)
            return type(found)(4 * found.energy, 4 * found.forces)

    told = relaxed(Stiffer(WATER), BENT).compared(relaxed(MMFFForceField(WATER), BENT))
    reference = np.array(told["reference_frequencies"])
    np.testing.assert_allclose(told["frequencies"], 2 * reference, rtol=1e-3)
    assert told["frequency_mae"] == pytest.approx(reference.mean(), rel=1e-3)
    assert told["bond_mae"] < 1e-4
    assert told["angle_mae"] < 1e-2


def test_a_surface_without_a_minimum_is_told() -> None:
    class Endless(MMFFForceField):
        def surface(self, like: Frames):  # type: ignore[no-untyped-def]  # noqa: ARG002
            def slope(x: FloatArray) -> tuple[FloatArray, FloatArray]:
                return -x[:, 0, 0], np.eye(9)[0].reshape(1, 3, 3).repeat(len(x), 0)

            return slope

    with pytest.raises(FidselError, match=r"no minimum was found: atoms move more than 100 Å"):
        relaxed(Endless(WATER), BENT)


def test_geometries_without_forces_are_told() -> None:
    class Lacking(MMFFForceField):
        """Has no forces of several geometries at once, or of any that has moved."""

        together = True

        def surface(self, like: Frames):  # type: ignore[no-untyped-def]
            whole = super().surface(like)

            def part(x: FloatArray) -> tuple[FloatArray, FloatArray]:
                energy, forces = whole(x)
                lost = len(x) > 1 if self.together else abs(x - BENT.positions).max() > 0
                return (energy, np.full_like(forces, np.nan)) if lost else (energy, forces)

            return part

    model = Lacking(WATER)
    with pytest.raises(FidselError, match=r"18 of 18 displaced geometries have no forces"):
        relaxed(model, BENT)
    model.together = False
    with pytest.raises(FidselError, match="a geometry on the way to it has no energy or no forces"):
        relaxed(model, BENT)


def test_a_linear_geometry_is_compared_with_a_bent_one_and_an_atom_with_itself() -> None:
    x = np.array([[0, 0, 0], [0, 0, 1.2], [0, 0, -1.2]])
    frame = Frames.stack([6, 8, 8], x[None])
    bent = Relaxed(frame, ((0, 1), (0, 2)), np.array([600.0, 1300.0, 2300.0]), 0.0)
    linear = Relaxed(frame, ((0, 1), (0, 2)), np.array([500.0, 600.0, 1300.0, 2310.0]), 0.0)
    for one, other in ((bent, linear), (linear, bent)):
        assert one.compared(other)["frequency_max"] == pytest.approx(10.0)
    argon = relaxed(CalculatorSource("lj"), Frames.stack([18], np.zeros((1, 1, 3))))
    assert argon.compared(argon)["frequency_mae"] == 0.0
