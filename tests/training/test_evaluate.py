import numpy as np
import pytest
from morse_molecule import frames

from fidsel.exceptions import UsageError
from fidsel.models import SGDML, ForceField
from fidsel.training.evaluate import Errors, Metrics, errors, validation_error


@pytest.fixture(scope="module")
def model() -> ForceField:
    return SGDML([10.0]).fit(frames(30), frames(0))[0]


def test_errors_are_those_put_in(model: ForceField) -> None:
    test = frames(3, 9)
    exact = model.predict(test)
    shift = np.repeat([0.1, -0.2, 0.4], 4)[:, None] * np.ones(3)
    found = errors(
        model, test.replace(forces=exact.forces + shift, energy=exact.energy + np.array([1.0, 2.0, -3.0]))
    )
    np.testing.assert_allclose(found.per_frame_force_rmse, [0.1, 0.2, 0.4])
    np.testing.assert_allclose(found.per_frame_force_mae, [0.1, 0.2, 0.4])
    np.testing.assert_allclose(found.per_frame_energy, [1.0, 2.0, 3.0])
    assert found.force_mae == pytest.approx(0.7 / 3)
    assert found.force_rmse == pytest.approx(np.sqrt(0.21 / 3))
    assert found.energy_mae == pytest.approx(2.0)
    assert found.energy_rmse == pytest.approx(np.sqrt(14 / 3))


def test_missing_labels_are_left_out(model: ForceField) -> None:
    test = frames(3, 9)
    some = test.replace(
        forces=np.where(np.arange(12)[:, None] < 4, np.nan, test.forces),
        energy=np.where(np.arange(3) < 2, np.nan, test.energy),
    )
    found, rest = errors(model, some), errors(model, test[1:])
    assert found.force_rmse == pytest.approx(rest.force_rmse)
    assert np.isnan(found.per_frame_force_rmse).tolist() == [True, False, False]
    assert found.energy_mae == pytest.approx(errors(model, test[2:]).energy_mae)
    assert np.isnan(errors(model, test.replace(forces=None)).force_mae)
    assert validation_error(model, test.replace(forces=None)) == errors(model, test).energy_mae
    with pytest.raises(UsageError, match="none of the 3 has"):
        errors(model, test.unlabelled())


def random_errors(sizes: list[int], seed: int = 0) -> Errors:
    rng = np.random.default_rng(seed)
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    forces, energies = rng.normal(size=(offsets[-1], 3)), rng.normal(size=len(sizes))
    return Errors(offsets, np.ones(len(sizes), dtype=bool), forces, energies)


def test_all_measures_of_a_set() -> None:
    found = random_errors([4] * 60)
    each = np.sqrt((found.forces.reshape(60, -1) ** 2).mean(axis=1))
    clusters = np.repeat([0, 1, 2], [25, 25, 10])
    told = found.metrics(clusters)
    assert (told.frames, told.p99) == (60, pytest.approx(np.percentile(each, 99)))
    assert told.force_mae == pytest.approx(np.abs(found.forces).mean())
    assert told.force_rmse == pytest.approx(np.sqrt((found.forces**2).mean()))
    assert told.energy_mae == pytest.approx(np.abs(found.energies).mean())
    assert told.energy_rmse == pytest.approx(np.sqrt((found.energies**2).mean()))
    both = [np.sqrt((each[clusters == c] ** 2).mean()) for c in (0, 1)]
    assert told.worst == pytest.approx(np.mean(both))
    assert found.metrics().worst is None
    assert told.error() == told.headline == told.force_mae
    assert told.error("rmse") == told.force_rmse


def test_some_frames_are_those_asked_for() -> None:
    found = random_errors([2, 5, 1, 3])
    some = found[np.array([3, 1])]
    np.testing.assert_array_equal(some.forces, np.concatenate([found.forces[8:], found.forces[2:7]]))
    np.testing.assert_array_equal(some.energies, found.energies[[3, 1]])
    np.testing.assert_array_equal(some.per_frame_force_rmse, found.per_frame_force_rmse[[3, 1]])
    assert some.metrics().frames == 2


def test_frames_of_several_molecules_count_by_their_components() -> None:
    found = random_errors([2, 30])
    whole = found.metrics(np.array([0, 0]))
    assert whole.force_rmse == pytest.approx(np.sqrt((found.forces**2).mean()))


def test_energies_decide_where_there_are_no_forces() -> None:
    some = random_errors([4] * 30)
    bare = Errors(some.offsets, np.zeros(30, dtype=bool), some.forces * np.nan, some.energies)
    told = bare.metrics(np.zeros(30, dtype=int))
    assert told.force_mae is told.force_rmse is None
    assert told.error() == told.energy_mae
    assert told.error("rmse") == told.energy_rmse == pytest.approx(told.worst)
    assert told.p99 == pytest.approx(np.percentile(np.abs(some.energies), 99))
    assert str(told) == f"energy MAE {1000 * told.error():.3g} meV"


def test_metrics_survive_plain_values() -> None:
    told = random_errors([4] * 30).metrics()
    assert Metrics(**told.to_dict()) == told
