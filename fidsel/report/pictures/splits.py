"""The picture of a plan: what each way to split the budget should bring."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fidsel.fidelity.planner.plan import Plan, Split
from fidsel.report.pictures.plot import BLUE, COLORS, CROWD, default_style, require_picture, save_figure

__all__ = ["cheap_share", "draw_splits", "require_picture", "split_figure"]

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_splits(plan: Plan, path: Path | str) -> Path:
    """Write the figure of `split_figure` as PNG or SVG, by the ending of the path."""
    return save_figure(split_figure(plan), path)


@default_style()
def split_figure(plan: Plan) -> "Figure":
    """Return the expected error over the part of the money that goes to cheap labels, with 90 % bands.

    There is one line for each cheap level that the budget may go to beside accurate labels; a diamond marks
    the recommended split.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.0, 3.4))
    axes = figure.add_axes((0.115, 0.165, 0.865, 0.745))
    for row, name in enumerate(plan.levels[:-1]):
        others = [other for other in range(len(plan.levels) - 1) if other != row]
        along = [split for split in plan.table if not any(split.bought[other] for other in others)]
        splits = sorted(along, key=lambda split: cheap_share(plan, split))
        shares = [100 * cheap_share(plan, split) for split in splits]
        color = (BLUE, *COLORS[2:])[row % (len(COLORS) - 1)]
        axes.plot(shares, [split.relative.median for split in splits], "o-", color=color, ms=4, label=name)
        low, high = np.array([split.relative[1:] for split in splits]).T
        axes.fill_between(shares, low, high, color=color, alpha=0.15, linewidth=0)
    best = plan.recommended
    words = " + ".join(f"{n} {name}" for n, name in zip(best.labels, plan.levels, strict=True))
    place = 100 * cheap_share(plan, best)
    axes.plot([place], [best.relative.median], "D", color=CROWD, ms=9, label=f"recommended: {words}")
    axes.axhline(1.0, color="#777777", linewidth=0.8, linestyle=":")
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("{x:g}")
    axes.set_xlabel("part of the training labels' cost that is spent on cheap labels (%)")
    axes.set_ylabel("error over accurate labels alone")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)
    figure.text(0.01, 0.99, f"plan for {plan.budget_words}".replace("$", r"\$"), va="top", fontsize=10)
    return figure


def cheap_share(plan: Plan, split: Split) -> float:
    """Return which part of the cost of a split's training labels is that of cheap labels."""
    cost = split.cost - plan.fixed
    accurate = split.bought[-1] * (plan.prices[-1] - plan.companion)
    return max(0.0, 1.0 - accurate / cost) if cost > 0 else 0.0
