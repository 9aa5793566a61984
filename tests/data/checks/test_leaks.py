import numpy as np
import pytest
from ase.build import molecule
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from fidsel.data import Frames, leaks
from fidsel.data.checks.leaks import LARGEST, first_alike
from fidsel.exceptions import UsageError


def ethanol(n: int, seed: int = 0) -> Frames:
    atoms = molecule("CH3CH2OH")
    noise = np.random.default_rng(seed).normal(0, 0.1, (n, len(atoms), 3))
    return Frames.stack(atoms.numbers, atoms.positions + noise)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000))
def test_moved_turned_mirrored_and_renumbered_frames_are_found(seed: int) -> None:
    rng = np.random.default_rng(seed)
    train, held_out = ethanol(50), ethanol(8, seed=1)
    xyz = train[[7, 31]].dense().positions @ Rotation.random(rng=rng).as_matrix() * rng.choice([-1, 1])
    order = rng.permutation(9)
    copies = Frames.stack(train.numbers[:9][order], (xyz + rng.normal(size=3))[:, order])
    assert leaks(held_out + copies, train).tolist() == [8, 9]


def test_the_tolerance_is_a_difference_of_distances() -> None:
    a = Frames.stack([1, 1], [[[0, 0, 0], [0, 0, 0.74]]])
    b = Frames.stack([1, 1], [[[0, 0, 0], [0, 0, 0.7405]]])
    assert leaks(a, b).tolist() == [0]
    assert leaks(a, b, tolerance=4e-4).tolist() == []


def test_other_systems_do_not_coincide() -> None:
    a = Frames.stack([1, 1], [[[0, 0, 0], [0, 0, 0.74]]])
    for other in (
        a.replace(charge=1),
        a.replace(spin=2),
        a.replace(numbers=[1, 9]),
        a.replace(pbc=[[True] * 3]),
    ):
        assert leaks(a, other).tolist() == []


def test_one_atom_and_no_frames() -> None:
    atom = Frames.stack([2], [[[0, 0, 0]], [[1, 2, 3]]])
    assert leaks(atom, atom[:1]).tolist() == [0, 1]
    assert leaks(atom, atom[:0]).tolist() == []
    assert leaks(atom[:0], atom).tolist() == []


def test_a_search_without_tree_finds_the_same() -> None:
    a, b = ethanol(40), ethanol(40, seed=1)
    moved = b.replace(positions=np.concatenate([a.positions[:180] + 2e-4, b.positions[180:]]))
    expected = [i for i in range(40) if min(_gap(a, i, moved, j) for j in range(40)) <= 1e-3]
    assert leaks(a, moved).tolist() == expected == list(range(20))


def _gap(a: Frames, i: int, b: Frames, j: int) -> float:
    """Largest difference of sorted pair distances of the same elements, by plain loops."""
    tables = []
    for frames, k in ((a, i), (b, j)):
        atoms, table = frames[k], {}
        for m in range(len(atoms)):
            for n in range(m):
                pair = tuple(sorted((atoms.numbers[m], atoms.numbers[n])))
                table.setdefault(pair, []).append(atoms.get_distance(m, n))
        tables.append(np.concatenate([sorted(table[pair]) for pair in sorted(table)]))
    return float(np.abs(tables[0] - tables[1]).max())


def test_impossible_arguments_are_refused() -> None:
    with pytest.raises(UsageError, match="tolerance must be a length ≥ 0"):
        leaks(ethanol(1), ethanol(1), tolerance=-1)
    with pytest.raises(UsageError, match="needs finite positions"):
        leaks(ethanol(1).replace(positions=np.full((9, 3), np.nan)), ethanol(1))


def test_the_first_that_each_frame_coincides_with() -> None:
    some = ethanol(6)
    turned = some[[2, 4]].replace(positions=-some[[2, 4]].positions + 3.0)
    rounded = some[[1]].replace(positions=np.round(some[[1]].positions, 4))
    assert first_alike(some + turned + rounded).tolist() == [0, 1, 2, 3, 4, 5, 2, 4, 1]
    assert first_alike(some[:1] + some[:1].replace(charge=1)).tolist() == [0, 1]
    assert first_alike(some[:0]).tolist() == []


def test_a_dense_row_of_frames_is_not_one_frame() -> None:
    lengths = 0.7 + 0.00008 * np.arange(10)
    xyz = np.zeros((10, 2, 3))
    xyz[:, 1, 2] = lengths
    assert first_alike(Frames.stack([1, 1], xyz)).tolist() == [0, 0, 0, 3, 3, 3, 6, 6, 6, 9]


def test_large_frames_are_told_apart_by_their_coordinates() -> None:
    xyz = np.random.default_rng(0).normal(size=(2, LARGEST + 1, 3))
    large = Frames.stack([6] * (LARGEST + 1), xyz)
    moved = large.replace(positions=large.positions + 1.0)
    assert first_alike(large + large[[1]] + moved[[0]]).tolist() == [0, 1, 1, 3]
