"""The report of a selection: one HTML file that opens offline."""

from fidsel.selector.report.content import (
    ClusterDescription,
    ClusterTable,
    Energies,
    Mark,
    Picked,
    Structure,
    picked,
)
from fidsel.selector.report.describe import describe_clusters
from fidsel.selector.report.document import Report
from fidsel.selector.report.page import write_report
from fidsel.selector.report.words import findings, plain

__all__ = [
    "ClusterDescription",
    "ClusterTable",
    "Energies",
    "Mark",
    "Picked",
    "Report",
    "Structure",
    "describe_clusters",
    "findings",
    "picked",
    "plain",
    "write_report",
]
