"""Harmonic modes of a chain of springs against the book."""

import numpy as np
import pytest
from ase.units import _amu, _c, _e

from fidsel.md.vibrations import internal_motions, vibrations, wavenumbers

END, MIDDLE, SPRING = 16.0, 12.0, 70.0
CHAIN = np.array([[0.0, 0, -1.2], [0, 0, 0], [0, 0, 1.2]])
MASSES = np.array([END, MIDDLE, END])


def test_a_linear_chain_stretches_as_the_book_says() -> None:
    hessian = np.zeros((9, 9))
    for i, j in ((0, 1), (1, 2)):
        z = np.zeros(9)
        z[3 * i + 2], z[3 * j + 2] = 1, -1
        hessian += SPRING * np.outer(z, z)
    values, modes = vibrations(hessian, CHAIN, MASSES)
    wanted = [0, 0, SPRING / END, SPRING * (1 / END + 2 / MIDDLE)]  # two bends without a spring
    assert values == pytest.approx(wanted, abs=1e-9)
    assert np.abs(np.einsum("n,mna->ma", MASSES, modes)).max() < 1e-9
    omega = np.sqrt(SPRING / END * _e / _amu) * 1e10
    assert wavenumbers(values[2:3]) == pytest.approx([omega / (2 * np.pi * _c * 100)], rel=1e-6)
    assert wavenumbers(-values[2:3]) == pytest.approx(-wavenumbers(values[2:3]))


@pytest.mark.parametrize(("atoms", "left"), [(1, 0), (2, 1), (3, 4)])
def test_what_moves_as_a_whole_is_left_out(atoms: int, left: int) -> None:
    assert internal_motions(CHAIN[:atoms], MASSES[:atoms]).shape == (3 * atoms, left)
