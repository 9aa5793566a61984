"""A selection as reports show it: water whose cluster 1 is stretched, high in energy and badly predicted."""

import numpy as np

from fidsel.data import Frames
from fidsel.report import ClusterTable, LearningCurve, Picked, Report, describe_clusters
from fidsel.selector import cluster_errors

NUMBERS = [8, 1, 1]
COUNT = 100


def stretched_water(seed: int = 0) -> tuple[Frames, np.ndarray, np.ndarray]:
    """Return frames, their clusters and errors; in cluster 1, one frame of five, O1–H3 is longer."""
    rng = np.random.default_rng(seed)
    clusters = (np.arange(COUNT) % 5 == 0).astype(np.int64)
    positions = np.zeros((COUNT, 3, 3))
    positions[:, 1, 0] = 0.96 + 0.02 * rng.standard_normal(COUNT)
    positions[:, 2, 1] = 0.96 + 0.02 * rng.standard_normal(COUNT) + 0.5 * clusters
    errors = 0.02 + 0.08 * clusters + 0.001 * rng.random(COUNT)
    energies = -2000.0 + clusters + 0.1 * rng.random(COUNT)
    return Frames.stack(NUMBERS, positions, energy=energies), clusters, errors


def water_table() -> ClusterTable:
    """Return the description of the clusters of `stretched_water`."""
    return describe_clusters(*stretched_water())


def water_report(**changes: object) -> Report:
    """Return a report with every part."""
    _, clusters, errors = stretched_water()
    parts: dict[str, object] = {
        "title": "water",
        "facts": (("molecule", "H2O"),),
        "errors": cluster_errors(clusters, errors),
        "before": cluster_errors(clusters, 2 * errors),
        "names": ("round 0", "round 3"),
        "curves": (
            LearningCurve("campaign", [10.0, 20.0], [0.08, 0.04]),
            LearningCurve("random labels", [10.0, 20.0], [0.08, 0.06]),
        ),
        "clusters": water_table(),
        "picks": tuple(Picked(str(i), 1, f"reason {i}", i // 4) for i in range(12)),
        "notes": ("a note",),
        "date": "2026-01-31",
    }
    return Report(**(parts | changes))  # type: ignore[arg-type]
