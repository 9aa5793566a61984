import numpy as np
import pytest
import torch
from architectures import mixed
from ase.build import bulk
from ase.neighborlist import neighbor_list

from fidsel.data import Frames
from fidsel.models.networks.batch import pad
from fidsel.models.networks.edges import edges

CUTOFF = 1.6


def vectors(frames: Frames, cutoff: float) -> list[tuple[int, int, float, float, float]]:
    """Rows and vectors that `edges` finds, in order."""
    index, shifts = edges(batch := pad(frames, torch.float64), cutoff)
    x = batch.positions[batch.mask]
    found = torch.cat([index.T, x[index[1]] - x[index[0]] + shifts], dim=1)
    return sorted(tuple(round(value, 9) for value in row) for row in found.tolist())


def expected(frames: Frames, cutoff: float) -> list[tuple[int, int, float, float, float]]:
    """The same by ASE's neighbour list, frame by frame."""
    rows = []
    for first, atoms in zip(frames.offsets, frames, strict=False):
        i, j, d = neighbor_list("ijD", atoms, cutoff)
        rows += [
            (first + a, first + b, *(round(float(x), 9) for x in v)) for a, b, v in zip(i, j, d, strict=True)
        ]
    return sorted(rows)


def test_edges_of_molecules_are_those_of_a_neighbour_list() -> None:
    found = vectors(mixed(), CUTOFF)
    assert len(found) > 10
    assert found == expected(mixed(), CUTOFF)


def test_edges_reach_periodic_images() -> None:
    pytest.importorskip("matscipy", reason="needs pip install 'fidsel[mace]'")
    frames = Frames.from_atoms([bulk("Cu"), bulk("Cu", cubic=True)])
    assert vectors(frames, 4.0) == expected(frames, 4.0)


def test_atoms_alone_have_no_edges() -> None:
    index, shifts = edges(pad(Frames.stack([2], np.zeros((3, 1, 3))), torch.float64), 5.0)
    assert (index.shape, shifts.shape) == ((2, 0), (0, 3))
