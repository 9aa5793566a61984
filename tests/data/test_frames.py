import copy
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest
from ase import Atoms
from hypothesis import given, settings
from hypothesis import strategies as st
from morse_molecule import frames

from fidsel.data import Frames, read
from fidsel.data.frames import PER_ATOM, PER_FRAME
from fidsel.exceptions import UsageError

H2 = [[[0, 0, 0], [0, 0, 0.74]]]


def mixed() -> Frames:
    """Five frames of three molecules; the energy is the row."""
    sizes = [2, 1, 3, 2, 1]
    rng = np.random.default_rng(0)
    return Frames.pack(
        rng.integers(1, 9, sum(sizes)), rng.normal(size=(sum(sizes), 3)), np.cumsum([0, *sizes]),
        energy=np.arange(5.0), forces=rng.normal(size=(sum(sizes), 3)), charge=[0, 1, 2, 3, 4],
        level=["a", "b", "a", "b", "a"],
    )  # fmt: skip


@settings(max_examples=50, deadline=None)
@given(rows=st.lists(st.integers(-5, 4), max_size=8))
def test_an_array_of_rows_selects_as_one_by_one(rows: list[int]) -> None:
    frames, picked = mixed(), mixed()[rows]
    assert picked.energy.tolist() == [frames.energy[i] for i in rows]
    for atoms, i in zip(picked, rows, strict=True):
        assert atoms == frames[i]
    assert picked.ids == tuple(frames.ids[i] for i in rows)


def test_slices_masks_and_sums_agree() -> None:
    frames = mixed()
    mask = np.array([True, True, False, False, False])
    again = frames[mask] + frames[2:]
    for name in (*PER_ATOM, *PER_FRAME, "offsets"):
        np.testing.assert_array_equal(getattr(again, name), getattr(frames, name))
    assert len(frames[:0]) == len(frames[[]]) == 0
    assert len(frames[:0] + frames) == 5


def test_sums_over_the_atoms_of_each_frame() -> None:
    frames = mixed()
    vectors = np.random.default_rng(0).normal(size=(len(frames.numbers), 3))
    vectors[0, 1] = np.nan
    sums = frames.sum_per_frame(vectors)
    parts = np.split(vectors, frames.offsets[1:-1])
    np.testing.assert_allclose(sums, [part.sum(axis=0) for part in parts], rtol=1e-15)
    np.testing.assert_array_equal(np.isnan(sums), [[False, True, False]] + [[False] * 3] * 4)
    assert frames.sizes.tolist() == [len(part) for part in parts]
    np.testing.assert_array_equal(frames.per_frame(np.maximum, vectors[:, 0]), [max(p[:, 0]) for p in parts])
    assert frames.per_frame(np.logical_and, np.isfinite(vectors).all(axis=1)).tolist() == [False] + [True] * 4


def test_no_frames_have_no_sums() -> None:
    none = mixed()[[]]
    assert none.sizes.tolist() == none.sum_per_frame(np.empty(0)).tolist() == []
    assert none.sum_per_frame(np.empty((0, 3))).shape == (0, 3)
    assert none.has_forces.dtype == bool
    assert none.rows([]).dtype == np.int64
    with pytest.raises(UsageError, match=r"one for each of 0 atoms, got \(1,\)"):
        none.sum_per_frame(np.zeros(1))


def test_rows_of_identities() -> None:
    frames = mixed()
    twice = frames + frames.replace(level="mp2")
    assert twice.rows([frames.ids[3], frames.ids[0], frames.ids[3]]).tolist() == [3, 0, 3]
    with pytest.raises(UsageError, match=r"these 5 frames, 1 of 2 are not \(the first is 'abc'\)"):
        frames.rows([frames.ids[0], "abc"])


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda some: pickle.loads(pickle.dumps(some))])
def test_copies_are_as_read_only_as_the_frames_and_keep_their_identities(
    copied: Callable[[Frames], Frames],
) -> None:
    some = frames(2)
    cached = [some.sizes, some.has_forces]
    other = copied(some)
    assert (other.ids, other.digest()) == (some.ids, some.digest())
    arrays = [values for values in vars(other).values() if isinstance(values, np.ndarray)]
    assert len(arrays) == 11 + len(cached)
    for values in arrays:
        with pytest.raises(ValueError, match="read-only"):
            values[:] = values


def test_arrays_are_read_only() -> None:
    with pytest.raises(ValueError, match="read-only"):
        mixed().positions[0] = 0
    with pytest.raises(ValueError, match="read-only"):
        mixed().sizes[0] = 0


def test_identity_is_the_configuration() -> None:
    frames = Frames.stack([1, 1], H2)
    same = frames.replace(level="mp2", energy=[-31.0], positions=frames.positions + 1e-8)
    assert same.ids == frames.ids
    for other in (
        frames.replace(charge=1),
        frames.replace(spin=2),
        frames.replace(positions=frames.positions + 1e-5),
    ):
        assert other.ids != frames.ids


def test_unique_keeps_the_first() -> None:
    frames = mixed()
    assert (frames + frames.replace(energy=frames.energy + 10)).unique().energy.tolist() == [0, 1, 2, 3, 4]


def test_dense_gives_views() -> None:
    frames = Frames.stack([1, 1], np.random.default_rng(0).normal(size=(4, 2, 3)))
    assert np.shares_memory(frames.dense().positions, frames.positions)
    assert frames.dense().positions.shape == (4, 2, 3)


def test_atoms_carry_charge_and_spin() -> None:
    atoms = Atoms("OH", [[0, 0, 0], [0, 0, 1]], cell=[5, 5, 5], pbc=[True, False, True])
    atoms.info |= {"charge": -1, "spin": 2}
    frames = Frames.from_atoms([atoms], level="mp2", group="run")
    assert frames[0] == atoms
    assert frames[0].info == {"charge": -1, "spin": 2}
    assert (frames.level[0], frames.group[0]) == ("mp2", "run")
    assert len(Frames.from_atoms([])) == 0


def test_partly_labelled_forces_do_not_count() -> None:
    forces = np.zeros((1, 2, 3))
    forces[0, 1, 2] = np.nan
    assert not Frames.stack([1, 1], H2, forces=forces).has_forces.any()
    assert Frames.stack([1, 1], H2, forces=np.zeros((1, 2, 3))).has_forces.all()


@pytest.mark.parametrize(
    ("info", "charges", "state"),
    [
        ({"total_charge": -1}, None, (-1, 0)),
        ({"charge": "+1", "multiplicity": 2}, None, (1, 1)),
        ({"charge": None}, None, (0, 0)),
        ({"charge": np.array([2])}, None, (2, 0)),
        ({}, [-0.7, -0.3], (-1, 0)),
        ({}, [-0.4, 0.4], (0, 0)),
        ({"charge": 0}, [-1.0, 0.0], (0, 0)),
    ],
)
def test_atoms_have_the_charge_that_a_file_of_them_has(
    info: dict[str, Any], charges: list[float] | None, state: tuple[int, int], tmp_path: Path
) -> None:
    atoms = Atoms("OH", [[0, 0, 0], [0, 0, 1]], charges=charges, info=info)
    ase.io.write(tmp_path / "atoms.traj", atoms)
    for found in (Frames.from_atoms(atoms), read(tmp_path / "atoms.traj")):
        assert (found.charge[0], found.spin[0]) == state


def test_keys_of_atoms_may_be_anything() -> None:
    assert Frames.from_atoms(Atoms("He", info={1: "one", ("a", 2): "two"})).charge[0] == 0


def test_misuse_is_refused() -> None:
    fractional = Atoms("H", info={"charge": 0.5})
    with pytest.raises(
        UsageError, match=r"energy must have shape \(1,\) for 1 frames of 2 atoms, got \(2,\)"
    ):
        Frames.stack([1, 1], H2, energy=[1.0, 2.0])
    with pytest.raises(UsageError, match="Frames has no field 'energies'; it has energy"):
        Frames.stack([1, 1], H2, energies=[1.0])
    with pytest.raises(UsageError, match=r"positions must have shape \(n, 3, 3\)"):
        Frames.stack([1, 1, 1], H2)
    with pytest.raises(UsageError, match="offsets must rise strictly"):
        Frames.pack([1, 1], H2[0], [0, 0, 2])
    with pytest.raises(UsageError, match="same atoms in the same order"):
        mixed().dense()
    with pytest.raises(UsageError, match=r"atoms 0: charge must be a whole number, got '0\.5'"):
        Frames.from_atoms([fractional])
    for numbers in (["H", "H"], "HH", [1.5, 1], [1j, 1]):
        with pytest.raises(UsageError, match="numbers must be whole numbers, got "):
            Frames.stack(numbers, H2)
    with pytest.raises(UsageError, match=r"charge must be whole numbers, got 0\.5"):
        Frames.stack([1, 1], H2, charge=0.5)
    with pytest.raises(UsageError, match="positions must be real numbers, got "):
        Frames.stack([1, 1], np.array(H2) * 1j)


def test_one_of_ase_is_one_frame() -> None:
    atoms = Atoms("H2", H2[0])
    assert Frames.from_atoms(atoms).ids == Frames.from_atoms([atoms]).ids


def test_frames_out_of_space_have_no_identity() -> None:
    frames = Frames.stack([1, 1], [[[0, 0, 0], [0, 0, 0.7]], [[0, 0, 0], [0, 0, np.nan]]])
    assert len(frames[[0]].ids) == 1
    assert frames[[]].ids == ()
    with pytest.raises(UsageError, match="1 of 2 frames have NaN or infinite ones, the first is frame 1"):
        _ = frames.ids


def test_whatever_a_data_set_holds_changes_its_hash() -> None:
    some = frames(4)
    others = [
        some[:3],
        some[[1, 0, 2, 3]],
        some.replace(energy=some.energy + 1e-9),
        some.replace(forces=np.where(np.arange(len(some.numbers))[:, None] == 0, np.nan, some.forces)),
        some.replace(group="other"),
        some.replace(charge=1),
    ]
    assert some.digest() == (some[:2] + some[2:]).digest()
    assert len({one.digest() for one in [some, *others]}) == 1 + len(others)


def test_no_frames_have_a_hash() -> None:
    assert frames(2)[[]].digest() == frames(3)[[]].digest()


@pytest.mark.parametrize("given", ["a.xyz", [Atoms()], [Atoms("H"), None]])
def test_what_is_no_atoms_makes_no_frames(given: Any) -> None:
    with pytest.raises(UsageError, match=r"made of ASE Atoms with at least one atom each, got .* in place"):
        Frames.from_atoms(given)


def test_what_is_no_element_is_shown_all_the_same() -> None:
    assert Frames.stack([200, -1, 1], np.arange(9.0).reshape(1, 3, 3)).formulas == ("HX2",)
