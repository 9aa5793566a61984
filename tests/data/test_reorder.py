import numpy as np
import pytest
from ase.build import molecule
from hypothesis import given, settings
from hypothesis import strategies as st

from fidsel.data import Frames
from fidsel.data.reorder import AnyOrder, in_order_of


def of(name: str, n: int, seed: int = 0) -> Frames:
    atoms = molecule(name)
    noise = np.random.default_rng(seed).normal(0, 0.1, (n, len(atoms), 3))
    return Frames.stack(atoms.numbers, atoms.positions + noise)


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


def test_no_frames() -> None:
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
