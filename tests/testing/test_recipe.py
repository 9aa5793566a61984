"""Built-in recipes keep the contract of recipes; those that break it are told."""

from dataclasses import dataclass, replace
from typing import ClassVar

import pytest
from morse_molecule import frames

from fidsel.models import SGDML, PaiNN
from fidsel.models.watch import QUIET, Watch
from fidsel.testing import check_recipe
from fidsel.training import RECIPES, ModelFactory, Recipe, Stage, Standard, Trained, TrainingData

SHORT = Stage("short", steps=4, batch=4, validate_every=2)
DATA = TrainingData(frames(12, level="hi"), frames(5, 1, level="hi"), (frames(12, depth=3.8, level="lo"),))
STAGES = {
    "asteroid": ("identify", "pretrain", "finetune"),
    "asteroid-unlabelled": ("baseline", "pretrain", "finetune"),
    "cokriging": ("stage", "surrogate_stage"),
    "ttt-pretrain": ("pretrain", "heads"),
}


def painn(seed: int) -> PaiNN:
    return PaiNN(features=4, layers=1, radial=4, seed=seed)


def short(kind: str) -> Recipe:
    settings: dict[str, object] = {"temperature": 300.0} if kind == "asteroid-unlabelled" else {}
    stages = dict.fromkeys(STAGES.get(kind, ("stage",)), SHORT)
    return RECIPES[kind](**settings, **stages)


@pytest.mark.parametrize("kind", RECIPES)
def test_built_in_recipes_keep_the_contract(kind: str) -> None:
    recipe = short(kind)
    data = DATA
    if kind == "delta":
        both = DATA.train + DATA.validation
        data = replace(DATA, cheap=(both.replace(level="lo"),))
    check_recipe(recipe, painn, data)


def test_a_kernel_may_be_trained_too() -> None:
    check_recipe(RECIPES["cokriging"](), lambda seed: SGDML([10.0]), DATA)  # noqa: ARG005


@dataclass(frozen=True, kw_only=True)
class Promising(Standard):
    """Promises surrogates and makes none."""

    kind: ClassVar[str] = "promising"
    has_surrogates: ClassVar[bool] = True


@dataclass(frozen=True, kw_only=True)
class Wavering(Standard):
    """Trains another model each time."""

    kind: ClassVar[str] = "wavering"
    calls: ClassVar[list[int]] = []

    def __call__(
        self, data: TrainingData, model: ModelFactory, seed: int, *, watch: Watch = QUIET
    ) -> Trained:
        self.calls.append(seed)
        return super().__call__(data, model, seed + len(self.calls), watch=watch)


@dataclass(frozen=True, kw_only=True)
class Idle(Standard):
    """Has no stage."""

    kind: ClassVar[str] = "idle"

    def stages(self, levels: int) -> tuple[Stage, ...]:  # noqa: ARG002
        return ()


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (Promising, "promises 1 surrogates for 1 cheap levels, got 0"),
        (Wavering, "the same seed must give the same model"),
        (Idle, "at least one"),
    ],
)
def test_broken_rules_are_named(broken: type[Standard], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_recipe(broken(stage=SHORT), painn, DATA)
