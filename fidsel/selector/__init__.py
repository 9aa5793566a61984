"""Descriptors, clusters, error sources and pickers."""

from fidsel.selector.cluster_error import ClusterErrors, cluster_errors
from fidsel.selector.clusters.broad import BroadClusters
from fidsel.selector.clusters.projection import Projection, Reduced
from fidsel.selector.clusters.ward import fine_clusters
from fidsel.selector.conformal import Calibration, Score, calibrate, hold_out, score
from fidsel.selector.descriptors.distances import (
    DESCRIPTORS,
    Descriptor,
    inverse_distances,
    latent_features,
    make_descriptor,
    mean_latent,
    pair_distances,
    sorted_distances,
)
from fidsel.selector.descriptors.soap import Soap
from fidsel.selector.error_sources.cheap import Cheap
from fidsel.selector.error_sources.committee import Committee
from fidsel.selector.error_sources.latent import Latent
from fidsel.selector.error_sources.probe import Probe
from fidsel.selector.error_sources.reference import Reference
from fidsel.selector.error_sources.registry import ERROR_SOURCES, error_source
from fidsel.selector.error_sources.shift import Shift
from fidsel.selector.error_sources.source import ErrorSource, Evidence
from fidsel.selector.pickers.cluster_error import PICKERS, ClusterError, Random
from fidsel.selector.pickers.cost_aware import CostAware
from fidsel.selector.pickers.distance_sampling import DistanceSampling
from fidsel.selector.pickers.farthest import FarthestPoint
from fidsel.selector.pickers.greedy import Greedy
from fidsel.selector.pickers.lcmd import LCMD
from fidsel.selector.pickers.stratified import Stratified
from fidsel.selector.pickers.variance import VarianceReduction
from fidsel.selector.pool import Picker, Picks, Pool, needs_covariance, needs_errors

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
    "Committee",
    "CostAware",
    "Descriptor",
    "DistanceSampling",
    "ErrorSource",
    "Evidence",
    "FarthestPoint",
    "Greedy",
    "Latent",
    "Picker",
    "Picks",
    "Pool",
    "Probe",
    "Projection",
    "Random",
    "Reduced",
    "Reference",
    "Score",
    "Shift",
    "Soap",
    "Stratified",
    "VarianceReduction",
    "calibrate",
    "cluster_errors",
    "error_source",
    "fine_clusters",
    "hold_out",
    "inverse_distances",
    "latent_features",
    "make_descriptor",
    "mean_latent",
    "needs_covariance",
    "needs_errors",
    "pair_distances",
    "score",
    "sorted_distances",
]
