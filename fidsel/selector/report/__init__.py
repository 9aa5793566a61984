"""The report of a selection: one HTML file that opens offline."""

from fidsel.selector.report.content import (
    ClusterDescription,
    ClusterTable,
    Energies,
    Mark,
    Picked,
    Report,
    Structure,
    picked,
)
from fidsel.selector.report.describe import describe_clusters

__all__ = [
    "ClusterDescription",
    "ClusterTable",
    "Energies",
    "Mark",
    "Picked",
    "Report",
    "Structure",
    "describe_clusters",
    "picked",
]
