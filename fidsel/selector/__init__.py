"""Descriptors, clusters, error sources and pickers."""

from fidsel.selector.cluster_error import ClusterErrors, cluster_errors
from fidsel.selector.clusters import BroadClusters
from fidsel.selector.conformal import Calibration, Score, calibrate, hold_out, score
from fidsel.selector.descriptors import (
    DESCRIPTORS,
    Descriptor,
    Projection,
    inverse_distances,
    mean_latent,
    pair_distances,
    sorted_distances,
)
from fidsel.selector.errors import ERROR_SOURCES, Cheap, Probe, Reference
from fidsel.selector.pickers import PICKERS, ClusterError, Random
from fidsel.selector.plot import Curve, cluster_error_plot, learning_curve_plot
from fidsel.selector.pool import ErrorSource, Picker, Picks, Pool
from fidsel.selector.report import Picked, Report, describe_clusters, picked
from fidsel.selector.ward import fine_clusters

__all__ = [
    "DESCRIPTORS",
    "ERROR_SOURCES",
    "PICKERS",
    "BroadClusters",
    "Calibration",
    "Cheap",
    "ClusterError",
    "ClusterErrors",
    "Curve",
    "Descriptor",
    "ErrorSource",
    "Picked",
    "Picker",
    "Picks",
    "Pool",
    "Probe",
    "Projection",
    "Random",
    "Reference",
    "Report",
    "Score",
    "calibrate",
    "cluster_error_plot",
    "cluster_errors",
    "describe_clusters",
    "fine_clusters",
    "hold_out",
    "inverse_distances",
    "learning_curve_plot",
    "mean_latent",
    "pair_distances",
    "picked",
    "score",
    "sorted_distances",
]
