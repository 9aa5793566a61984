from typing import Literal

import pytest
from pydantic import ValidationError

from fidsel.config.strict import Strict


class Stage(Strict):
    steps: int = 1


class Kernel(Strict):
    kind: Literal["kernel"] = "kernel"
    sigma: float = 1.0


class Recipe(Strict):
    stage: Stage = Stage()
    first: Stage | None = None
    model: Kernel | Stage = Kernel()
    patience: int = 3


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"steps": 5}, "unknown key 'steps': did you mean 'stage.steps' or 'first.steps' or 'model.steps'?"),
        ({"sigma": 5}, "unknown key 'sigma': did you mean 'model.sigma'?"),
        ({"patiense": 5}, "unknown key 'patiense': did you mean 'patience'?"),
        ({"zzz": 5}, "unknown key 'zzz': it takes stage, first, model, patience"),
        ({"stage": {"step": 5}}, "unknown key 'step': did you mean 'steps'?"),
    ],
)
def test_unknown_keys_are_told_where_they_belong(values: dict[str, object], told: str) -> None:
    with pytest.raises(ValidationError) as error:
        Recipe.model_validate(values)
    assert told in str(error.value)
