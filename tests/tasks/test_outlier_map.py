import numpy as np
import pytest
from morse_molecule import REST, frames, morse
from small_task import kernel

from fidsel.data import Frames
from fidsel.exceptions import UsageError
from fidsel.selector import pair_distances
from fidsel.tasks.outlier_map import HELD_OUT, POOL, TRAIN, Outliers, find_outliers, sides_of

TRAINED = frames(30)
MODEL, _ = kernel().fit(TRAINED, TRAINED[:0])


def stretched(n: int) -> Frames:
    """Return frames with the C–O bond 0.25 Å longer than any the model knows."""
    positions = REST + 0.02 * np.random.default_rng(9).normal(size=(n, 4, 3))
    positions[:, 1, 0] += 0.45
    energy, forces = morse(positions, 4.0, 1.5)
    return Frames.stack([6, 8, 1, 1], positions, energy=energy - 3000.0, forces=forces, level="morse")


def test_planted_region_is_the_worst_cluster_and_its_bond_marks_it() -> None:
    both = frames(200, 1) + stretched(6)
    found = find_outliers(MODEL, both, pair_distances(both), sides_of(both, None, None), energy_clusters=1)
    table = found.described
    assert table.rows[0].marks[0].label == "C0–O1"
    assert table.rows[0].marks[0].mean > 1.5
    assert (found.clusters[200:] == table.rows[0].cluster).all()
    assert (found.errors[found.worst(206)][:-1] >= found.errors[found.worst(206)][1:]).all()


def test_training_frames_are_left_out_and_held_out_ones_shown_apart() -> None:
    held = frames(40, 2)
    everything = TRAINED + frames(60, 1) + held
    sides = sides_of(everything, MODEL.training_frames, held)
    assert [(sides == side).sum() for side in (TRAIN, POOL, HELD_OUT)] == [30, 60, 40]
    found = find_outliers(MODEL, everything, pair_distances(everything), sides, clusters=3)
    assert np.isnan(found.errors[:30]).all()
    by_side = found.by_side()
    assert {side: errors.frames for side, (errors, _) in by_side.items()} == {POOL: 60, HELD_OUT: 40}
    truth = np.sqrt(np.mean((MODEL.predict(held).forces - held.forces) ** 2))
    assert by_side[HELD_OUT][0].error("rmse") == pytest.approx(truth, rel=1e-9)
    absolute = np.abs(MODEL.predict(held).forces - held.forces).mean()
    assert by_side[HELD_OUT][0].error("mae") == pytest.approx(absolute, rel=1e-9)
    assert len(by_side[HELD_OUT][1].mae) == len(by_side[HELD_OUT][1])
    assert np.isnan(found.maes[:30]).all()
    assert f"and {1000 * absolute:.4g} meV/Å" in dict(found.report("x").facts)["RMSE and MAE, held out"]
    assert found.report("x").errors == by_side[HELD_OUT][1]


def test_ratio_tells_a_bad_frame_of_a_good_cluster() -> None:
    pool = frames(100, 1)
    found = find_outliers(MODEL, pool, pair_distances(pool), sides_of(pool, None, None), clusters=3)
    for c in range(int(found.clusters.max()) + 1):
        inside = found.clusters == c
        assert np.sqrt(np.mean(found.ratio[inside] ** 2)) == pytest.approx(1.0)


def test_nothing_unseen_is_an_error() -> None:
    sides = sides_of(TRAINED, TRAINED, None)
    with pytest.raises(UsageError, match="of 30 frames 30 were, and 0 have no label"):
        find_outliers(MODEL, TRAINED, pair_distances(TRAINED), sides)


def test_held_out_training_frames_are_refused() -> None:
    with pytest.raises(UsageError, match="5 of the frames held out are training frames too"):
        sides_of(TRAINED, TRAINED, TRAINED[:5])


def test_a_constant_of_all_energies_decides_nothing() -> None:
    """Which frames err most is the same in whatever zero a model counts its energies from."""
    labelled = frames(60, seed=1).replace(forces=None)
    sides = np.full(60, POOL)

    def found(by: float) -> Outliers:
        moved = labelled.replace(energy=labelled.energy + by)
        return find_outliers(MODEL, moved, pair_distances(moved), sides, clusters=4, energy_clusters=1)

    plain, far = found(0.0), found(5000.0)
    assert plain.constant is None
    assert far.constant == pytest.approx(-5000.0, abs=0.1)
    spread = np.abs(plain.found.energies - np.median(plain.found.energies))
    np.testing.assert_allclose(far.errors, spread, atol=1e-6)
    assert far.worst(3).tolist() == np.argsort(-spread)[:3].tolist()
