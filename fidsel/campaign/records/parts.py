"""The parts of a round's record that are tables of their own, checked when the record is read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fidsel.data.typed import from_plain
from fidsel.exceptions import UsageError
from fidsel.training.stage import History


@dataclass(frozen=True)
class ClusterRows:
    """As `fidsel.selector.ClusterErrors.to_dict` gives them: one entry per cluster."""

    cluster: tuple[int, ...]
    rmse: tuple[float | None, ...]
    population: tuple[int, ...]
    measured: tuple[int, ...]
    overall: float | None
    mae: tuple[float | None, ...]


@dataclass(frozen=True)
class Bounds:
    """Bounds of the clusters' errors."""

    clusters: Mapping[str, float | None] = field(default_factory=dict)
    picks: Mapping[str, float] = field(default_factory=dict)
    coverage: float = 0.0
    own_factors: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Source:
    """How the errors behind the picks were estimated."""

    kind: str = ""
    labelled: int = 0
    estimates: Mapping[str, float] = field(default_factory=dict)
    bounds: Bounds = field(default_factory=Bounds)
    score: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Training:
    """Histories and diagnostics of a recipe."""

    histories: tuple[History, ...] = ()
    diagnostics: Mapping[str, Any] = field(default_factory=dict)


def check_parts(clusters: Mapping[str, Any], source: Mapping[str, Any], training: Mapping[str, Any]) -> None:
    """Raise `UsageError` where one of the tables does not hold what is read from it later."""
    rows = from_plain(ClusterRows, clusters, "cluster_errors", extra=True)
    lengths = {len(rows.cluster), len(rows.rmse), len(rows.population), len(rows.measured)}
    if len(lengths) > 1 or len(rows.mae) not in {0, *lengths}:
        raise UsageError("cluster_errors must have as many entries of each kind as clusters")
    bounds = from_plain(Source, source, "error_source", extra=True).bounds
    if wrong := [name for name in (*bounds.clusters, *bounds.own_factors) if not name.isdecimal()]:
        raise UsageError(f"error_source.bounds must be of clusters by their numbers, got {wrong[0]!r}")
    from_plain(Training, training, "training", extra=True)
