import pytest
from morse_molecule import frames

from fidsel.errors import UsageError
from fidsel.models import SGDML, PaiNN, Sum
from fidsel.training.dispatch import train_one
from fidsel.training.stage import Stage

STAGE = Stage("short", steps=4, validate_every=2)


def test_closed_form_fits_and_networks_are_trained_alike() -> None:
    for model in (SGDML([10.0]), PaiNN(features=4, radial=3)):
        trained, history = train_one(model, frames(8), frames(4, 1), STAGE, seed=1)
        assert trained.kind == model.kind
        assert trained.level == "morse"
        assert history.stage == "short"
        assert history.notes


def test_a_model_that_only_predicts_is_refused() -> None:
    with pytest.raises(UsageError, match="a sum model only predicts"):
        train_one(Sum([SGDML()]), frames(2), frames(2), STAGE)
