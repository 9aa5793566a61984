import numpy as np
import pytest
from ase.build import molecule
from hypothesis import given, settings
from hypothesis import strategies as st

from fidsel.data import Frames
from fidsel.data.lookup import AnyOrder, Lookup, in_order_of
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


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), size=st.sampled_from([0.0, 1e-7, 9e-6]))
def test_frames_are_found_in_any_order_of_atoms(seed: int, size: float) -> None:
    rng = np.random.default_rng(seed)
    known = of("CH3OH", 20) + of("H2O", 10)
    rows = rng.permutation(len(known))
    orders = [rng.permutation(len(known[int(row)])) for row in rows]
    asked = Frames.from_atoms([known[int(row)][order] for row, order in zip(rows, orders, strict=True)])
    asked = asked.replace(positions=asked.positions + rng.uniform(-size, size, asked.positions.shape))
    found, order = AnyOrder(known).find(asked)
    assert found.tolist() == rows.tolist()
    assert order.tolist() == np.concatenate(orders).tolist()


def test_what_is_not_sure_is_not_found() -> None:
    known = of("CH3OH", 5)
    assert AnyOrder(known, 1.5).find(known)[0].tolist() == [-1] * 5
    moved = known.replace(positions=known.positions + 2e-5)
    assert AnyOrder(known).find(moved)[0].tolist() == [-1] * 5
    assert AnyOrder(known, 3e-5).find(moved)[0].tolist() == [0, 1, 2, 3, 4]
    mirrored = known.replace(positions=known.positions * [1, 1, -1])
    assert AnyOrder(known).find(mirrored)[0].tolist() == [-1] * 5


@pytest.mark.parametrize("change", [{"charge": 1}, {"spin": 2}, {"pbc": True}, {"numbers": [8, 1, 9]}])
def test_another_system_is_not_found(change: dict[str, object]) -> None:
    known = of("H2O", 1)
    other = known.replace(**change)  # type: ignore[arg-type]
    assert AnyOrder(known).find(other)[0].tolist() == [-1]
    assert not AnyOrder(known).knows_atoms(other)
    assert AnyOrder(known).knows_atoms(known)


def test_symmetric_frames_about_the_origin_are_told_apart() -> None:
    """The mean position of each element is the same in all of them."""
    lengths = np.linspace(0.7, 1.4, 8)
    known = Frames.stack([1, 1], [[[0, 0, -r / 2], [0, 0, r / 2]] for r in lengths])
    swapped = Frames.stack([1, 1], known.dense().positions[:, ::-1])
    rows, order = AnyOrder(known).find(swapped)
    assert rows.tolist() == list(range(8))
    assert order.tolist() == [1, 0] * 8


def test_no_frames_in_any_order() -> None:
    none = of("H2O", 1)[:0]
    assert AnyOrder(none).find(of("H2O", 2))[0].tolist() == [-1, -1]
    assert AnyOrder(of("H2O", 2)).find(none)[0].tolist() == []


def test_known_frames_take_the_order_of_those_asked_for() -> None:
    wanted = of("CH3OH", 6)
    rng = np.random.default_rng(0)
    forces = rng.normal(size=wanted.positions.shape)
    labelled = wanted.replace(forces=forces, energy=np.arange(6.0))
    atoms = np.concatenate([6 * i + (rng.permutation(6) if i < 4 else np.arange(6)) for i in range(6)])
    known = labelled.replace(
        numbers=labelled.numbers[atoms], positions=labelled.positions[atoms], forces=forces[atoms]
    )
    assert not np.array_equal(known.numbers, wanted.numbers)
    back = in_order_of(wanted, known)
    for name in ("numbers", "positions", "forces", "energy"):
        assert np.array_equal(getattr(back, name), getattr(labelled, name))
    other = of("CH3OH", 3, seed=7)
    assert np.array_equal(in_order_of(other, known).positions, known.positions)
