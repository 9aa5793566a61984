"""Descriptors, clusters, error sources and pickers."""

from fidsel.selector.cluster_error import ClusterErrors, cluster_errors
from fidsel.selector.clusters import BroadClusters
from fidsel.selector.conformal import Calibration, Score, calibrate, hold_out, score
from fidsel.selector.cost_aware import CostAware
from fidsel.selector.descriptors import (
    DESCRIPTORS,
    Descriptor,
    inverse_distances,
    latent_features,
    make_descriptor,
    mean_latent,
    pair_distances,
    sorted_distances,
)
from fidsel.selector.errors import Cheap, Committee, Probe, Reference
from fidsel.selector.farthest import FarthestPoint
from fidsel.selector.greedy import Greedy
from fidsel.selector.latent import Latent
from fidsel.selector.lcmd import LCMD
from fidsel.selector.pickers import PICKERS, ClusterError, Random
from fidsel.selector.plot import Curve, cluster_error_plot, learning_curve_plot
from fidsel.selector.pool import ErrorSource, Picker, Picks, Pool, needs_errors
from fidsel.selector.projection import Projection, Reduced
from fidsel.selector.report import (
    ClusterTable,
    Picked,
    Report,
    describe_clusters,
    picked,
    write_report,
)
from fidsel.selector.soap import Soap
from fidsel.selector.sources import ERROR_SOURCES
from fidsel.selector.stratified import Stratified
from fidsel.selector.ward import fine_clusters

__all__ = [
    "DESCRIPTORS",
    "ERROR_SOURCES",
    "LCMD",
    "PICKERS",
    "BroadClusters",
    "Calibration",
    "Cheap",
    "ClusterError",
    "ClusterErrors",
    "ClusterTable",
    "Committee",
    "CostAware",
    "Curve",
    "Descriptor",
    "ErrorSource",
    "FarthestPoint",
    "Greedy",
    "Latent",
    "Picked",
    "Picker",
    "Picks",
    "Pool",
    "Probe",
    "Projection",
    "Random",
    "Reduced",
    "Reference",
    "Report",
    "Score",
    "Soap",
    "Stratified",
    "calibrate",
    "cluster_error_plot",
    "cluster_errors",
    "describe_clusters",
    "fine_clusters",
    "hold_out",
    "inverse_distances",
    "latent_features",
    "learning_curve_plot",
    "make_descriptor",
    "mean_latent",
    "needs_errors",
    "pair_distances",
    "picked",
    "score",
    "sorted_distances",
    "write_report",
]
