"""The recipe that is taken where none is named."""

from fidsel.models.contract import ForceField
from fidsel.models.networks.base import NetworkForceField


def usual_recipe(model: type[ForceField] | None, cheap: int) -> str:
    """Return the recipe for a class of models and a number of cheap levels where none is named.

    Of those in docs/choosing.md: networks learn all levels at once, those with one head, as MACE, level
    after level; kernels, ensembles and a user's own models, which may be either, learn what a model of the
    cheap levels lacks.

    Parameters
    ----------
    model : None = not known yet, as of a user's own class.
    """
    if not cheap:
        return "standard"
    if model is None or not issubclass(model, NetworkForceField):
        return "cokriging"
    return "joint" if model.has_heads else "asteroid"
