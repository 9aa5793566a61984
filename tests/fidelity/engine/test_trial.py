import pytest

from fidsel.fidelity.engine.trial import Trial, trial_atoms
from fidsel.testing.source import check_picklable, check_settings


def test_it_labels_with_the_first_coordinate_after_it_did_as_told() -> None:
    assert Trial().label(trial_atoms(3.5)).energy == 3.5
    with pytest.raises(RuntimeError, match="as told"):
        Trial().label(trial_atoms(1.0, "raise", "as told"))
    check_settings(Trial())
    check_picklable(Trial())
