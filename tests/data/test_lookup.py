import numpy as np
import pytest
from ase.build import molecule
from hypothesis import given, settings
from hypothesis import strategies as st

from fidsel.data import Frames
from fidsel.data.lookup import Lookup
from fidsel.exceptions import UsageError


def of(name: str, n: int, seed: int = 0) -> Frames:
    atoms = molecule(name)
    noise = np.random.default_rng(seed).normal(0, 0.1, (n, len(atoms), 3))
    return Frames.stack(atoms.numbers, atoms.positions + noise)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), size=st.sampled_from([0.0, 1e-7, 9e-6]))
def test_frames_are_found_however_ordered_and_a_little_displaced(seed: int, size: float) -> None:
    rng = np.random.default_rng(seed)
    known = of("CH3OH", 20) + of("H2O", 10) + of("CH3OH", 5, seed=1)
    order = rng.permutation(len(known))
    asked = known[order]
    moved = asked.replace(positions=asked.positions + rng.uniform(-size, size, asked.positions.shape))
    assert Lookup(known).find(moved).tolist() == order.tolist()


def test_the_tolerance_is_a_difference_of_coordinates() -> None:
    known = of("H2O", 4)
    step = np.zeros_like(known.positions)
    step[0, 1] = 1.1e-5
    moved = known.replace(positions=known.positions + step)
    assert Lookup(known).find(moved).tolist() == [-1, 1, 2, 3]
    assert Lookup(known, 2e-5).find(moved).tolist() == [0, 1, 2, 3]
    assert Lookup(known, 0.0).find(known).tolist() == [0, 1, 2, 3]
    shifted = known.replace(positions=known.positions + 1.0)
    assert Lookup(known).find(shifted).tolist() == [-1] * 4


def test_the_nearest_of_several_is_taken() -> None:
    base = of("H2O", 1)
    known = Frames.stack(base.numbers, [base.positions + shift for shift in (0.0, 4e-6, 8e-6)])
    assert Lookup(known).find(base.replace(positions=base.positions + 5e-6)).tolist() == [1]


def test_other_systems_are_not_found() -> None:
    known = of("H2O", 2)
    box = np.tile(np.eye(3) * 9.0, (2, 1, 1))
    for other in (
        known.replace(charge=1),
        known.replace(spin=2),
        known.replace(numbers=[8, 1, 9] * 2),
        known.replace(numbers=[1, 1, 8] * 2),
        known.replace(pbc=True),
        known.replace(cell=box),
    ):
        assert Lookup(known).find(other).tolist() == [-1, -1]
    crystal = known.replace(pbc=True, cell=box)
    assert Lookup(crystal).find(crystal[[1]]).tolist() == [1]


def test_no_frames() -> None:
    none = of("H2O", 1)[:0]
    assert Lookup(none).find(of("H2O", 2)).tolist() == [-1, -1]
    assert Lookup(of("H2O", 2)).find(none).tolist() == []


def test_what_cannot_be_looked_up_is_refused() -> None:
    known = of("H2O", 1)
    with pytest.raises(UsageError, match="length ≥ 0"):
        Lookup(known, -1.0)
    with pytest.raises(UsageError, match="finite positions"):
        Lookup(known).find(known.replace(positions=np.full((3, 3), np.nan)))
