import numpy as np
import pytest
from morse_molecule import frames

from fidsel.exceptions import UsageError
from fidsel.models import SGDML, ForceField
from fidsel.training.evaluate import errors, validation_error


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
