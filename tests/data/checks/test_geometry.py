"""Distances in large frames: as among all pairs, in memory that grows with the atoms."""

import tracemalloc

import numpy as np
import pytest
from water_box import water_box

from fidsel.data import Frames, check, leaks
from fidsel.data.checks.geometry import nearest_distances

MIB = 1 << 20


def everything(frames: Frames) -> np.ndarray:
    table = frames[0].get_all_distances(mic=bool(frames.pbc.any()))
    np.fill_diagonal(table, np.inf)
    return table.min(axis=1)


def test_neighbours_of_many_atoms_are_those_among_all_pairs() -> None:
    frames = water_box(90, 1)
    np.testing.assert_allclose(nearest_distances(frames), everything(frames))


@pytest.mark.parametrize(
    "cell",
    [
        np.diag([14.0, 14, 14]),
        [[14.0, 0, 0], [5.0, 13, 0], [-3.0, 4, 15]],
        [[14.0, 0, 0], [0, 14, 0], [0, 0, 0]],
    ],
)
def test_neighbours_across_the_boundary(cell: list[list[float]]) -> None:
    rng, cell = np.random.default_rng(0), np.array(cell)
    periodic = cell.any(axis=1)
    xyz = rng.uniform(-20, 30, size=(1, 260, 3))
    frames = Frames.stack([6] * 260, xyz, cell=cell[None], pbc=periodic[None])
    expected, found = everything(frames), nearest_distances(frames)
    near = expected < 3.5
    assert near.sum() > 100
    np.testing.assert_allclose(found[near], expected[near], rtol=1e-9)
    assert (found[~near] > 3.4999).all()


def test_own_images_are_no_neighbours() -> None:
    xyz = np.zeros((1, 210, 3))
    xyz[0, :, 2] = 4.0 * np.arange(210)
    cell = np.diag([2.0, 2.0, 840.0])[None]
    frames = Frames.stack([6] * 210, xyz, cell=cell, pbc=[[True, True, True]])
    assert (nearest_distances(frames) > 3.5).all()


def peak(frames: Frames, *, of: object) -> float:
    """Return the memory that a call takes at its peak, MiB."""
    tracemalloc.start()
    of(frames)  # type: ignore[operator]
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return most / MIB


def test_check_of_5000_atoms_takes_memory_that_grows_with_them() -> None:
    frames = water_box(1667, 8)
    assert {finding.severity for finding in check(frames)} == {"note"}
    assert peak(frames, of=check) < 60, "all pairs of one frame would take 190 MiB"


def test_leaks_between_large_frames_keep_few_distances() -> None:
    frames = water_box(200, 40)
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    turned = frames[[3, 17]].replace(positions=frames[[3, 17]].positions @ turn)
    assert leaks(frames, turned).tolist() == [3, 17]
    assert peak(frames, of=lambda some: leaks(some, turned)) < 40, "all distances would take 55 MiB"
