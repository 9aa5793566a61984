"""The report of a selection: one HTML file that opens offline."""

from fidsel.report.content import (
    ClusterDescription,
    ClusterTable,
    Energies,
    Mark,
    Picked,
    Structure,
    picked,
)
from fidsel.report.describe import describe_clusters
from fidsel.report.document import Report
from fidsel.report.page import require_page, write_report
from fidsel.report.pictures.plot import LearningCurve, cluster_error_plot, learning_curve_plot
from fidsel.report.sentences import as_text, findings

__all__ = [
    "ClusterDescription",
    "ClusterTable",
    "Energies",
    "LearningCurve",
    "Mark",
    "Picked",
    "Report",
    "Structure",
    "as_text",
    "cluster_error_plot",
    "describe_clusters",
    "findings",
    "learning_curve_plot",
    "picked",
    "require_page",
    "write_report",
]
