"""Rules that recipes keep, by training small models."""

from dataclasses import fields, is_dataclass

from fidsel.testing.model import digest_of
from fidsel.training.labels import level_of
from fidsel.training.stage import ModelFactory, Recipe, Stage, Trained, TrainingData


def check_recipe(recipe: Recipe, model: ModelFactory, data: TrainingData) -> None:
    """Run every check of this module.

    Parameters
    ----------
    recipe : with stages of a few steps.
    model : builds an untrained model that it can train.
    data : some labelled frames of one molecule, cheap ones among them where it takes any.
    """
    check_value(recipe)
    trained = recipe(data, model, 1)
    check_trained(recipe, trained, data)
    again = recipe(data, model, 1)
    assert digest_of(trained.model) == digest_of(again.model), "the same seed must give the same model"


def check_value(recipe: Recipe) -> None:
    """Check that a recipe is a frozen value with a kind, and that it tells its stages."""
    kind = type(recipe)
    assert isinstance(getattr(kind, "kind", None), str), "a recipe must have a `kind`, the name of it"
    frozen = is_dataclass(kind) and kind.__dataclass_params__.frozen  # type: ignore[attr-defined]
    assert frozen, f"{kind.__name__} must be a frozen dataclass: its fields are its settings"
    same = kind(**{field.name: getattr(recipe, field.name) for field in fields(recipe) if field.init})
    assert same == recipe, "recipes of equal fields must be equal"
    assert isinstance(recipe.first, Stage), f"first must be a Stage, got {recipe.first!r}"
    for levels in (1, 2):
        stages = recipe.stages(levels)
        assert stages, "stages must tell all stages, at least one"
        assert all(isinstance(one, Stage) for one in stages), f"stages must be of Stage, got {stages}"


def check_trained(recipe: Recipe, trained: Trained, data: TrainingData) -> None:
    """Check that what a recipe returns predicts the accurate level, and has the surrogates it promises."""
    level = level_of(data.train)
    assert trained.model.level == level, f"the model must be of level {level!r}, got {trained.model.level!r}"
    assert trained.histories, "a recipe must tell at least one history"
    if not trained.model.needs_source:
        forces = trained.model.predict(data.validation).forces
        assert forces.shape == data.validation.forces.shape, "the model must predict the validation frames"
    promised = len(data.cheap) if recipe.has_surrogates else 0
    assert len(trained.surrogates) == promised, (
        f"has_surrogates = {recipe.has_surrogates} promises {promised} surrogates for {len(data.cheap)} "
        f"cheap levels, got {len(trained.surrogates)}"
    )
    for surrogate, frames in zip(trained.surrogates, data.cheap, strict=False):
        assert surrogate.level == level_of(frames), "surrogates must be of the cheap levels, cheapest first"
        assert set(surrogate.unseen) <= set(frames.ids), "unseen must name frames of the surrogate's level"
