"""Plans from bare prices."""

import pytest

from fidsel.exceptions import UsageError
from fidsel.tasks.prices import VALIDATION, plan_prices

PRICES = {"ccsdt": 1.0, "dft": 0.05}


def test_a_molecule_is_as_good_as_its_number_of_atoms() -> None:
    made = plan_prices("60", PRICES, smiles="C=O")
    assert made == plan_prices("60", PRICES, atoms=4)
    assert made.validation == VALIDATION
    with pytest.raises(UsageError, match="not by both"):
        plan_prices("60", PRICES, smiles="C=O", atoms=4)


def test_validation_labels_are_set_aside() -> None:
    assert plan_prices("60", PRICES, validation=0).fixed == 0
    with pytest.raises(UsageError, match="must be ≥ 0, got -1"):
        plan_prices("60", PRICES, validation=-1)
