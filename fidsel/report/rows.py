"""The clusters of a report, one row each: errors now and before beside what is in them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fidsel.report.content import ClusterDescription
from fidsel.selector.cluster_error import ClusterErrors

if TYPE_CHECKING:
    from fidsel.report.document import Report


@dataclass(frozen=True, eq=False)
class Row:
    """A cluster as the report's table and words see it.

    Parameters
    ----------
    rmse, before : errors in the report's unit, NaN = unknown.
    measured : frames behind `rmse`.
    size : frames in it, of those described, or else of those the errors are of.
    overall : error over all frames, the same in every row.
    described : what is in it, None where nothing was described.
    """

    cluster: int
    rmse: float
    before: float
    measured: int
    size: int
    overall: float
    described: ClusterDescription | None


def cluster_rows(report: "Report") -> tuple[Row, ...]:
    """Return a row per cluster, the largest error first, those of unknown error last."""
    described = {row.cluster: row for row in report.clusters.rows} if report.clusters else {}
    errors = report.errors
    if errors is None:
        overall = report.clusters.overall if report.clusters else np.nan
        rows = [
            Row(c, row.rmse, np.nan, row.measured, row.size, overall, row) for c, row in described.items()
        ]
    else:
        rows = [
            _row(cluster, errors, report.before, described.get(cluster))
            for cluster in {*described, *errors.cluster}
        ]
    return tuple(sorted(rows, key=lambda row: (np.inf if np.isnan(row.rmse) else -row.rmse, row.cluster)))


def _row(
    cluster: int, errors: ClusterErrors, before: ClusterErrors | None, described: ClusterDescription | None
) -> Row:
    place = errors.cluster.index(cluster) if cluster in errors.cluster else None
    measured = 0 if place is None else errors.measured[place]
    size = described.size if described else 0 if place is None else errors.population[place]
    old = before.rmse_of(cluster) if before is not None and place is not None else np.nan
    now = np.nan if place is None else errors.rmse[place]
    return Row(cluster, now, old, measured, size, errors.overall, described)
