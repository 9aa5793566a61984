"""What a report says, and how it shows itself in a notebook."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from html import escape

import numpy as np

from fidsel.exceptions import UsageError
from fidsel.report.content import UNITS, ClusterTable, Picked
from fidsel.report.molecules import MoleculeLine
from fidsel.report.page import page
from fidsel.report.pictures.plot import LearningCurve
from fidsel.report.pictures.torsions import Turned
from fidsel.selector.cluster_error import ClusterErrors

HEIGHT = 720
"""Pixels of a report in a notebook, where it scrolls."""


@dataclass(frozen=True, eq=False, repr=False)
class Report:
    """What a report shows; parts that are empty are left out of it.

    Parameters
    ----------
    facts : name and value of what a reader asks first (molecule, model, frames, cost, ...).
    errors : errors of each cluster now.
    before : errors of the same clusters earlier, drawn behind them.
    names : of `before` and `errors`, e.g. ("round 0", "round 8").
    curves : learning curves, the control arm among them; errors in `unit`.
    spend : what the curves' spend is, for the axis.
    quantity : what the curves' error is, for the axis: "force RMSE".
    clusters : see `describe_clusters`; errors in words and table are those of `errors` where given.
    picks : in order of picking.
    molecules : a line for each, where there are several.
    torsions : of each molecule by its name, energies of the model beside those of `source`.
    source : the level of theory of the torsions, in words.
    bounds : of the RMSE of each cluster, in `unit`, empty = none; see `fidsel.selector.calibrate`.
    coverage : share of randomly drawn frames that the bounds hold for.
    pooled : clusters whose bound was calibrated on other clusters too, having too few frames of their own.
    notes : what a reader must know.
    unit : of all errors given: "eV/Å", or "eV" for errors of energies per frame.
    date : shown as it is, "" = none.
    """

    title: str
    facts: tuple[tuple[str, str], ...] = ()
    errors: ClusterErrors | None = None
    before: ClusterErrors | None = None
    names: tuple[str, str] = ("before", "after")
    curves: tuple[LearningCurve, ...] = ()
    spend: str = "labels"
    quantity: str = "force RMSE"
    clusters: ClusterTable | None = None
    picks: tuple[Picked, ...] = ()
    molecules: tuple[MoleculeLine, ...] = ()
    torsions: Mapping[str, tuple[Turned, ...]] = field(default_factory=dict)
    source: str = "reference"
    bounds: Mapping[int, float] = field(default_factory=dict)
    coverage: float = np.nan
    pooled: Collection[int] = ()
    notes: tuple[str, ...] = ()
    unit: str = "eV/Å"
    date: str = ""

    def __post_init__(self) -> None:
        if self.unit not in UNITS:
            raise UsageError(f"the errors of a report are in {' or '.join(UNITS)}, got {self.unit!r}")
        if self.before is not None and (
            self.errors is None or set(self.before.cluster) != set(self.errors.cluster)
        ):
            raise UsageError("errors before and after must be of the same clusters; keep the clusters fixed")

    def __repr__(self) -> str:
        told = [f"error {1000 * self.errors.overall:.4g} m{self.unit}"] if self.errors else []
        told += [f"{len(self.clusters)} clusters"] if self.clusters else []
        told += [f"{len(self.picks)} picks"] if self.picks else []
        return f"Report({self.title!r}: {', '.join(told) or 'empty'}; `write_report` writes it as HTML)"

    def _repr_html_(self) -> str:
        """Return the whole page in a frame, for a notebook."""
        return f'<iframe srcdoc="{escape(page(self))}" width="100%" height="{HEIGHT}"></iframe>'
