"""fidsel spends a label budget well when building machine-learning force fields.

=============== ======================================================================================
name            does
=============== ======================================================================================
`read`          reads configurations and labels from a file
`check`         says what is wrong with them, before anything is trained on them
`train`         trains a force field on labels of one or several levels
`load`          gives a trained force field back: of a folder, or the best one of a campaign
`evaluate`      says how wrong it is, by element and by molecule
`outliers`      says where it is wrong, and what marks these frames
`select`        picks the frames of a pool that are worth training on, round by round
`plan`          says how many labels to buy at which level of theory
`open_campaign` opens the folder of a campaign
`iterate`       runs it: buy, train, measure, pick again, a round at a time
=============== ======================================================================================

Parts for work of one's own: `fidsel.data`, `fidelity`, `selector`, `models`, `training`, `md`, `report`,
`refine`, `campaign`, `tracking` and `testing`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from fidsel.campaign import iterate
    from fidsel.config.build import open_campaign
    from fidsel.data import check, read
    from fidsel.tasks.evaluate import evaluate
    from fidsel.tasks.model_files import load_folder as load
    from fidsel.tasks.outliers import outliers
    from fidsel.tasks.plan import plan
    from fidsel.tasks.select import select_files as select
    from fidsel.tasks.train import train_files as train

__version__ = "0.1.0"
__all__ = [
    "__version__",
    "check",
    "evaluate",
    "iterate",
    "load",
    "open_campaign",
    "outliers",
    "plan",
    "read",
    "select",
    "train",
]

PLACES: Final = {
    "check": ("fidsel.data", "check"),
    "evaluate": ("fidsel.tasks.evaluate", "evaluate"),
    "iterate": ("fidsel.campaign", "iterate"),
    "load": ("fidsel.tasks.model_files", "load_folder"),
    "open_campaign": ("fidsel.config.build", "open_campaign"),
    "outliers": ("fidsel.tasks.outliers", "outliers"),
    "plan": ("fidsel.tasks.plan", "plan"),
    "read": ("fidsel.data", "read"),
    "select": ("fidsel.tasks.select", "select_files"),
    "train": ("fidsel.tasks.train", "train_files"),
}
"""Module and name of each function above, imported on first use, so that `import fidsel` stays light."""
PARTS: Final = (
    "campaign", "data", "fidelity", "md", "models", "refine", "report", "selector", "testing", "tracking",
    "training",
)  # fmt: skip
"""Packages that are there as soon as they are named, as in `fidsel.data.write`."""


def __getattr__(name: str) -> Any:  # Any: each name has a type of its own, see above
    if name in PARTS:
        return import_module(f"fidsel.{name}")
    if name not in PLACES:
        offers = ", ".join((*__all__, *PARTS))
        raise AttributeError(f"module 'fidsel' has no attribute {name!r}; it offers {offers}")
    module, attribute = PLACES[name]
    return getattr(import_module(module), attribute)


def __dir__() -> list[str]:
    return sorted({*__all__, *PARTS, *(name for name in globals() if name.startswith("__"))})
