"""Training on what a baseline lacks: once for all recipes and models."""

from dataclasses import dataclass, replace

from fidsel.exceptions import UsageError
from fidsel.models.combinations.baseline import over
from fidsel.models.combinations.labels import SourceLabels
from fidsel.models.combinations.offset import Offset
from fidsel.models.combinations.worth import FEWEST, worth_it
from fidsel.models.watch import QUIET, Watch
from fidsel.training.recipes.guard import keep_best
from fidsel.training.stage import ModelFactory, Recipe, Trained, TrainingData


@dataclass(frozen=True)
class Verdict:
    """Whether a baseline is used.

    Parameters
    ----------
    used : whether it is.
    measured : whether that was measured, or taken as asked for want of labels.
    why : a sentence.
    """

    used: bool
    measured: bool
    why: str


def require_baseline_use(recipe: type[Recipe] | Recipe) -> None:
    """Raise a `UsageError` for a recipe that cannot learn what a baseline lacks."""
    if recipe.takes == "frames":
        raise UsageError(
            f"recipe {recipe.kind!r} learns the whole surface from configurations without labels, from which "
            "a baseline cannot be subtracted: take another recipe, or no baseline"
        )
    if recipe.needs_source:
        raise UsageError(
            f"recipe {recipe.kind!r} computes a level where it predicts, which is a baseline already: "
            "leave it out, or take 'standard' or 'cokriging'"
        )


def judge(data: TrainingData, baseline: SourceLabels, seed: int = 0) -> Verdict:
    """Return whether a baseline makes the accurate labels easier to learn, see `worth_it`.

    Too few labels to tell, or periodic frames, which the quick kernel does not know: it is used as asked.

    Raises
    ------
    UsageError, BaselineError
        where the baseline cannot treat the frames.
    """
    labels = data.train + data.validation
    known = int(labels.has_forces.sum())
    if known < FEWEST or labels.pbc.any():
        told = f"{known} accurate labels with forces are fewer than {FEWEST}"
        told = "no quick test is known for periodic frames" if labels.pbc.any() else told
        return Verdict(True, False, f"the baseline is used as asked, not measured: {told}")
    found = worth_it(labels, baseline, seed=seed)
    return Verdict(found.helps, True, found.told())


def train_over(
    recipe: Recipe,
    data: TrainingData,
    model: ModelFactory,
    seed: int,
    baseline: SourceLabels | None,
    *,
    watch: Watch = QUIET,
) -> Trained:
    """Return a recipe's model of what the labels are above a baseline, plus that baseline.

    The baseline is subtracted from the labels of every level alike, so that E = E_baseline + E_model at each;
    the surrogates too have it beneath them. Where nothing that was learnt lowers its error on the validation
    frames, the baseline at the energies of the accurate level is returned, and `warnings` says so.

    Parameters
    ----------
    recipe, data, model, seed, watch : see `Recipe.__call__`.
    baseline : labels of it; None = train on the labels as they are.

    Raises
    ------
    UsageError
        for a recipe without use for one, and frames that the baseline cannot treat.
    BaselineError
        naming the frames that it could not label.
    """
    if baseline is None:
        return _trained(recipe, data, model, seed, watch)
    require_baseline_use(recipe)
    above = TrainingData(
        baseline.subtract(data.train),
        baseline.subtract(data.validation),
        tuple(map(baseline.subtract, data.cheap)),
    )
    trained = _trained(recipe, above, model, seed, watch)
    states = {"training": trained.model, "none": Offset.matching(above.train)}
    kept = keep_best(states, above.validation if len(above.validation) else above.train)
    surrogates = tuple(replace(one, model=over(baseline, one.model)) for one in trained.surrogates)
    told = dict(baseline.source.settings())
    return replace(
        trained,
        model=over(baseline, kept.model),
        surrogates=surrogates,
        diagnostics={
            **trained.diagnostics,
            "baseline": told | {"alone": kept.errors["none"], "unit": kept.unit},
            "warnings": (*trained.diagnostics.get("warnings", ()), *kept.warnings),
        },
    )


def _trained(recipe: Recipe, data: TrainingData, model: ModelFactory, seed: int, watch: Watch) -> Trained:
    """Return what a recipe trains, which a user's own may not return as it must."""
    found: object = recipe(data, model, seed, watch=watch)
    if not isinstance(found, Trained):
        raise UsageError(
            f"the recipe {type(recipe).__name__} must return fidsel.training.Trained(model, histories), got "
            f"{'None' if found is None else f'a {type(found).__name__}'}"
        )
    return found
