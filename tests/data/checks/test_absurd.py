"""Absurd labels: what no calculation means is named, real labels never are."""

from pathlib import Path

import numpy as np
import pytest

from fidsel.data import Frames, Units, read
from fidsel.data.checks.absurd import absurd
from fidsel.exceptions import UsageError

KCAL = Units("kcal/mol", "Angstrom")


def judged(
    new: Frames, known: Frames | None = None, cheap: Frames | None = None, known_cheap: Frames | None = None
) -> list[str | None]:
    return absurd(
        new.energy, new.forces, new.numbers, new.offsets, known, cheap,
        known_cheap=known_cheap, charge=new.charge,
    )  # fmt: skip


def levels(folder: Path, name: str) -> tuple[Frames, Frames]:
    """Return the frames of a reference set at its two levels, accurate first."""
    path = folder / "h2co" / "h2co.npz" if name == "h2co" else folder / "rmd17" / f"{name}.npz"
    high, low = ("ccsdt", "b3lyp") if name == "h2co" else ("pbe", "md17")
    units = Units() if name == "h2co" else KCAL
    accurate, cheap = (
        read(path, units=units, energy_key=f"E_{key}", forces_key=f"F_{key}") for key in (high, low)
    )
    return accurate[::3], cheap[::3]


NAMES = ["h2co", "malonaldehyde", "ethanol", "uracil", "benzene", "toluene", "salicylic", "aspirin"]


@pytest.mark.parametrize("name", NAMES)
def test_real_labels_pass(name: str, data_folder: Path) -> None:
    accurate, cheap = levels(data_folder, name)
    half = len(accurate) // 2
    for a, b in ((accurate, cheap), (cheap, accurate)):
        assert not any(judged(a))
        assert not any(judged(a[half:], a[:half], b[half:], b[:half]))


def test_ccsd_t_of_a_proton_transfer_passes(data_folder: Path) -> None:
    path = data_folder / "malonaldehyde_ccsd_t" / "malonaldehyde_ccsd_t.npz"
    frames = read(path, units=KCAL, energy_key="E", forces_key="F")
    assert not any(judged(frames[20:], frames[:20]))


def test_hot_frames_pass_beside_cold_ones(data_folder: Path) -> None:
    accurate, cheap = levels(data_folder, "h2co")
    order = np.argsort(accurate.energy)
    cold, hot = order[:100], order[-300:]
    assert not any(judged(accurate[hot], accurate[cold], cheap[hot], cheap[cold]))


def scrambled(frames: Frames, how: str) -> Frames:
    """Return frames whose forces went wrong in a known way."""
    force = frames.dense().forces
    changed = {
        "x 1e12": force * 1e12,
        "x 51.4": force * 51.4,
        "x 1/51.4": force / 51.4,
        "zero": force * 0,
        "sign": -force,
        "transposed": force.transpose(0, 2, 1).reshape(force.shape),
        "other order": force[:, ::-1],
        "other frame": np.roll(force, 7, axis=0),
    }[how]
    return frames.replace(forces=changed.reshape(-1, 3))


@pytest.mark.parametrize("name", ["ethanol", "aspirin"])
@pytest.mark.parametrize(
    ("how", "text"),
    [
        ("x 1e12", "the largest force is"), ("x 51.4", "times"), ("x 1/51.4", "the forces are 0.0"),
        ("zero", "the forces are 0 times"), ("sign", "the forces correlate by -0.9"),
        ("transposed", ""), ("other order", "the forces correlate by"), ("other frame", ""),
    ],
)  # fmt: skip
def test_wrong_forces_are_named_one_by_one(name: str, how: str, text: str, data_folder: Path) -> None:
    accurate, cheap = levels(data_folder, name)
    known, low = accurate[:60], cheap[:60]
    wrong = scrambled(accurate[60:260], how)
    reasons = [judged(wrong[[i]], known, cheap[[60 + i]], low)[0] for i in range(0, 200, 10)]
    found = [reason for reason in reasons if reason is not None]
    # Transposed forces and those of another frame can happen to look like the right ones.
    assert len(found) >= (17 if how in ("other frame", "transposed") else 20)
    assert all(text in reason for reason in found)


def test_wrong_energies_are_named_with_their_excess(data_folder: Path) -> None:
    accurate, cheap = levels(data_folder, "ethanol")
    new = accurate[100:110]
    energy = new.energy + np.eye(10)[3] * 1e4 + np.eye(10)[7] * 7.0
    reasons = judged(new.replace(energy=energy), accurate[:100])
    assert [i for i, reason in enumerate(reasons) if reason] == [3]
    assert "+1e+04 eV from the usual of its composition" in str(reasons[3])
    reasons = judged(new.replace(energy=energy), accurate[:100], cheap[100:110], cheap[:100])
    assert [i for i, reason in enumerate(reasons) if reason] == [3, 7]
    assert "minus that of the cheap level is +7" in str(reasons[7])


def test_a_wrong_sign_of_every_label_is_seen_without_known_labels(data_folder: Path) -> None:
    accurate, cheap = levels(data_folder, "uracil")
    reasons = judged(scrambled(accurate[:20], "sign"), None, cheap[:20])
    assert all("one of the two has the wrong sign" in str(reason) for reason in reasons)


def test_limits_hold_for_a_single_label() -> None:
    water = Frames.stack(
        [8, 1, 1], np.zeros((4, 3, 3)), energy=[-2e3, 1e12, np.nan, -2e3], forces=np.ones((4, 3, 3))
    )
    force = water.dense().forces.copy()
    force[3, 0] = 2e4
    reasons = judged(water.replace(forces=force.reshape(-1, 3)))
    assert reasons[0] is None
    assert "more than 1e+06 eV per atom" in str(reasons[1])
    assert reasons[2] == "the energy is nan"
    assert reasons[3] == "the largest force is 3.46e+04 eV/Å, more than 10000 eV/Å"


def test_a_net_force_is_absurd_only_where_there_is_none_otherwise() -> None:
    rng = np.random.default_rng(0)
    force = rng.normal(size=(12, 5, 3))
    energy = rng.normal(size=12)
    frames = Frames.stack([6, 1, 1, 1, 1], rng.normal(size=(12, 5, 3)), energy=energy, forces=force)
    assert not any(judged(frames)), "an outer field gives net forces"
    closed = force - force.mean(axis=1, keepdims=True)
    closed[4] = force[4] + 3.0
    reasons = judged(frames.replace(forces=closed.reshape(-1, 3)))
    assert [i for i, reason in enumerate(reasons) if reason] == [4]
    assert "net force" in str(reasons[4])


def test_charged_and_neutral_frames_are_different_kinds() -> None:
    rng = np.random.default_rng(1)
    xyz, charge = rng.normal(size=(30, 2, 3)), np.repeat([0, 1], [20, 10])
    energy = rng.normal(scale=0.1, size=30) + 12.0 * charge
    frames = Frames.stack([8, 1], xyz, energy=energy, charge=charge)
    assert not any(judged(frames))
    assert any(judged(frames.replace(charge=0)))


def test_molecules_of_many_compositions_are_compared_by_their_elements() -> None:
    rng = np.random.default_rng(2)
    sizes = rng.integers(1, 9, 40)
    numbers = np.concatenate([[6] * n + [1] * (2 * n + 2) for n in sizes])
    offsets = np.concatenate([[0], np.cumsum(3 * sizes + 2)])
    energy = sizes * -1035.0 + (2 * sizes + 2) * -13.6 + rng.normal(scale=0.3, size=40)
    energy[11] += 1e4
    reasons = absurd(energy, np.full((len(numbers), 3), np.nan), numbers, offsets)
    assert [i for i, reason in enumerate(reasons) if reason] == [11]


def test_forces_come_packed_or_one_by_one() -> None:
    numbers, offsets = np.array([1, 1, 8, 1, 1]), np.array([0, 2, 5])
    energy = np.array([-30.0, -2000.0])
    separate = absurd(energy, [None, np.full((3, 3), 1e5)], numbers, offsets)
    packed = absurd(energy, np.concatenate([np.full((2, 3), np.nan), np.full((3, 3), 1e5)]), numbers, offsets)
    assert separate == packed == [None, "the largest force is 1.73e+05 eV/Å, more than 10000 eV/Å"]
    some = absurd(energy, [np.array([[1.0, 2, np.inf], [0, 0, 0]]), None], numbers, offsets)
    assert some == ["some forces are NaN or infinite", None]


def test_rows_must_fit() -> None:
    frames = Frames.stack([1, 1], np.zeros((2, 2, 3)), energy=[0, 0])
    with pytest.raises(UsageError, match="cheap must hold the same 2 frames row by row"):
        judged(frames, cheap=frames[[0]])
    with pytest.raises(UsageError, match="one array for each of 2 labels, got 1"):
        absurd(frames.energy, [None], frames.numbers, frames.offsets)


def test_nothing_new_gives_nothing() -> None:
    empty = Frames.pack([], np.empty((0, 3)), [0])
    assert judged(empty) == []
