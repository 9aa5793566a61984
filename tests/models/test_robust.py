from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from morse_molecule import frames

from fidsel.data import Frames, read
from fidsel.models import SGDML, EnergyReference, Offset
from fidsel.models.robust import LEAST, far_out
from fidsel.training import Stage, Standard, TrainingData
from fidsel.training.recipes.align import align

OUTLIER = 1e4


def spoilt(some: Frames, *rows: int) -> Frames:
    energy = some.energy.copy()
    energy[list(rows)] += OUTLIER
    return some.replace(energy=energy)


@given(st.integers(3, 200), st.integers(0, 10**6), st.floats(1e-6, 10.0))
@settings(deadline=None, max_examples=50)
def test_no_energy_of_a_normal_distribution_is_far_out(n: int, seed: int, width: float) -> None:
    energies = np.random.default_rng(seed).normal(-3000.0, width, n)
    if n >= 20:
        assert not far_out(energies).any()
    wrong = energies.copy()
    wrong[0] += max(1e3 * width, 2 * LEAST)
    assert far_out(wrong)[0] == (n >= 8)


def test_good_energies_of_small_sets_are_kept() -> None:
    rng = np.random.default_rng(0)
    lost = [sum(far_out(rng.normal(size=n)).any() for _ in range(1000)) for n in range(3, 9)]
    assert lost[:5] == [0, 0, 0, 0, 0]
    assert lost[5] <= 1, "of 8 energies"


def test_a_rigid_majority_does_not_judge_a_flexible_minority() -> None:
    rng = np.random.default_rng(1)
    energies = np.concatenate([rng.normal(scale=0.02, size=60), rng.normal(-500.0, 1.0, 40)])
    groups = np.repeat([0, 1], [60, 40])
    assert not far_out(energies, groups).any()
    energies[[5, 70]] += 1e3
    assert np.flatnonzero(far_out(energies, groups)).tolist() == [5, 70]


@given(st.lists(st.tuples(st.sampled_from([0.0, 0.1, 7.0, 1e4]), st.integers(0, 3)), min_size=1, max_size=30))
@settings(deadline=None, max_examples=100)
def test_some_energy_of_each_group_is_never_far_out(drawn: list[tuple[float, int]]) -> None:
    groups = np.unique([group for _, group in drawn], return_inverse=True)[1]
    far = far_out(np.array([energy for energy, _ in drawn]), groups)
    assert all((~far[groups == group]).any() for group in np.unique(groups))


def test_references_of_clean_energies_are_those_of_least_squares_to_the_bit() -> None:
    some = frames(50)
    found = EnergyReference.fit(some, some.energy)
    counts = np.tile([2.0, 1.0, 1.0], (50, 1))
    expected = np.linalg.lstsq(counts, some.energy, rcond=None)[0]
    assert list(found.per_element.values()) == expected.tolist()
    assert found.outliers == 0


def test_wrong_energies_do_not_move_references_offsets_or_alignments() -> None:
    some, rest = frames(40), np.setdiff1d(np.arange(40), [3, 17])
    bad = spoilt(some, 3, 17)
    found = EnergyReference.fit(bad, bad.energy)
    assert found.outliers == 2
    np.testing.assert_allclose(found.energy(some), some.energy[rest].mean(), atol=1e-8)
    np.testing.assert_allclose(Offset.matching(bad).predict(some).energy, found.energy(some))
    pairs, others = some.replace(energy=some.energy + 321.0), frames(30, 9)
    for low, clean, count in (
        (pairs, pairs, 2),
        (spoilt(pairs, 5), pairs, 3),
        (spoilt(others, 2), others, 3),
    ):
        made = align(low, bad).report()
        assert made["outliers"] == count
        assert made["mean_shift"] == pytest.approx(align(clean, some).report()["mean_shift"], abs=0.05)


def test_wrong_energies_do_not_move_what_models_say() -> None:
    train, validation, test = frames(40), frames(10, 1), frames(30, 2)
    kernel, record = SGDML([10.0]).fit(spoilt(train, 7), validation)
    assert (record["energies"], record["energy_outliers"]) == (39, 1)
    assert np.abs(kernel.predict(test).energy - test.energy).mean() < 0.02
    clean, record = SGDML([10.0]).fit(train, validation)
    assert record["energy_outliers"] == 0
    assert np.abs(kernel.predict(test).energy - clean.predict(test).energy).max() < 2e-3
    gap = clean.fitted.train.energy.numpy() - (clean.predict(train).energy - clean.fitted.constant)
    assert clean.fitted.constant == pytest.approx(gap.mean(), abs=1e-9)


def test_wrong_energies_do_not_move_what_networks_say() -> None:
    from fidsel.models import PaiNN

    stage = Stage(steps=40, learning_rate=5e-3, batch=5, validate_every=20)
    data = TrainingData(spoilt(frames(20), 7), frames(10, 1))
    trained = Standard(stage=stage)(data, lambda seed: PaiNN(features=4, layers=1, seed=seed), 0)
    test = frames(30, 2)
    assert np.abs(trained.model.predict(test).energy - test.energy).mean() < 3 * np.std(test.energy)
    assert trained.histories[0].notes["energy_outliers"] == 1


def test_a_file_with_one_wrong_energy_gives_the_model_of_one_without(data_folder: Path) -> None:
    path = data_folder.parent / "cases" / "energy_outlier.npz"
    if not path.exists():
        pytest.skip(f"no {path}")
    some = read(path)
    wrong = int(np.abs(some.energy - np.median(some.energy)).argmax())
    kept = np.setdiff1d(np.arange(len(some)), [wrong])
    model, record = SGDML([10.0]).fit(some[:32], some[32:])
    assert record["energy_outliers"] == (wrong < 32)
    assert np.median(np.abs(model.predict(some[kept]).energy - some.energy[kept])) < 0.05
