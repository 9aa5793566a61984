"""Broad clusters of the configuration space: geometry by Ward, energy by k-means, made once."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np

from fidsel.arrays import FloatArray, IntArray, shown
from fidsel.exceptions import UsageError
from fidsel.selector.clusters.energy_bins import energy_centers, nearest_center
from fidsel.selector.clusters.file import read_clusters, write_clusters
from fidsel.selector.clusters.join import join
from fidsel.selector.clusters.nearest_neighbour_chain import ward_tree
from fidsel.selector.clusters.projection import Projection
from fidsel.selector.clusters.tree import MergeTree, nested
from fidsel.selector.clusters.ward import N_KMEANS, SUBSET, Method, geometry_clusters

GEOMETRY, ENERGY = 10, 5
"""Usual numbers of broad clusters by geometry, and of energy clusters inside each."""


@dataclass(frozen=True, eq=False)
class BroadClusters:
    """Fixed clusters that errors are compared on from round to round.

    ================== =============== ========= ==================================================
    field              shape           unit      meaning
    ================== =============== ========= ==================================================
    labels             (n,)                      cluster of each fitted frame, 0 .. n_clusters − 1
    reference          (m, d)          features  the rows or k-means centroids clustered by Ward
    reference_geometry (m,)                      geometry cluster of each of them
    weights            (m,)                      fitted frames that each of them stands for
    geometry           (n_clusters,)             geometry cluster each cluster belongs to
    energy             (n_clusters,)   eV        centre of each cluster's energies, NaN if unknown
    centroids          (n_clusters, d) features  mean of the cluster's frames
    ================== =============== ========= ==================================================

    Geometry clusters are numbered by population of what Ward clustered; the clusters of one geometry
    follow each other from low to high energy. `method` says what Ward clustered (see `geometry_clusters`),
    `notes` what the fit had to do that its caller should know.
    Where frames have more than 500 features, d is the number of their principal components, which
    `projection` makes.

    References
    ----------
    G. Fonseca, I. Poltavsky, V. Vassilev-Galindo, A. Tkatchenko, J. Chem. Phys. 154, 124102 (2021),
    doi:10.1063/5.0035530.
    """

    labels: IntArray
    reference: FloatArray
    reference_geometry: IntArray
    geometry: IntArray
    energy: FloatArray
    centroids: FloatArray
    weights: IntArray
    method: Method = "subset"
    notes: tuple[str, ...] = ()
    projection: Projection | None = None
    __repr__ = shown

    @classmethod
    def fit(
        cls,
        features: FloatArray,
        energies: FloatArray | None = None,
        *,
        n_geometry: int = GEOMETRY,
        n_energy: int = ENERGY,
        method: Method = "auto",
        subset: int = SUBSET,
        n_kmeans: int = N_KMEANS,
        seed: int = 0,
    ) -> Self:
        """Return at most `n_geometry` × `n_energy` clusters of some frames.

        1. Ward into `n_geometry` clusters: of the frames themselves where they fit `subset`, above that
           over k-means clusters of all of them (or, as published, of a random subset that the others
           join: `method`).
        2. In each, k-means++ of the energies into `n_energy`.

        Parameters
        ----------
        features : (n, d); more than 500 are projected (`Projection.above`).
        energies : (n,) eV at any one level (cheap labels will do). Where NaN, a frame joins the
            energy cluster of its geometry with the nearest centroid; a geometry with no known
            energy stays whole. None = none known.
        method : see `geometry_clusters`.
        subset : most frames clustered by Ward itself, which needs 8·subset² bytes at its peak.
        n_kmeans : k-means clusters of a larger pool; time and quality grow with them.

        Examples
        --------
        >>> features = np.array([[0.0], [0.1], [0.2], [9.0], [9.1]])
        >>> energies = np.array([-1.0, -1.1, 3.0, -1.0, np.nan])
        >>> BroadClusters.fit(features, energies, n_geometry=2, n_energy=2).labels.tolist()
        [0, 0, 1, 2, 2]
        """
        features = _rows(features)
        if len(features) == 0:
            raise UsageError("clusters need at least one frame, got none")
        if n_energy < 1:
            raise UsageError(f"n_energy must be ≥ 1, got {n_energy}")
        energies = _energies(energies, len(features))
        projection = Projection.above(features)
        features = features if projection is None else projection(features)
        rng = np.random.default_rng(seed)
        found = geometry_clusters(features, n_geometry, rng, method=method, subset=subset, n_kmeans=n_kmeans)
        owner, centers = _energy_clusters(energies, found.labels, n_energy, rng)
        labels, centroids = _placed(features, energies, found.labels, owner, centers)
        notes = _notes(energies, centers)
        return cls(
            labels, found.reference, found.clusters, owner, centers, centroids, found.weights, found.method,
            notes if projection is None else (projection.describe(), *notes), projection,
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self.geometry)

    @cached_property
    def population(self) -> IntArray:
        """(n_clusters,) fitted frames in each cluster."""
        return np.bincount(self.labels, minlength=len(self))

    @cached_property
    def geometry_tree(self) -> MergeTree:
        """How the geometry clusters merge on, up to one root: the top of Ward's tree."""
        weights = np.bincount(self.reference_geometry, self.weights)
        sums = [np.bincount(self.reference_geometry, self.weights * column) for column in self.reference.T]
        return ward_tree(np.stack(sums, axis=1) / weights[:, None], weights)

    @cached_property
    def merges(self) -> IntArray:
        """(n_clusters − 1, 2) how the clusters merge up to one root, numbered as in `MergeTree`.

        First those of one geometry, by Ward on their energies, then the geometries by their tree.
        """
        groups = []
        for g in range(len(self.geometry_tree)):
            own = self.geometry == g
            groups.append(ward_tree(np.nan_to_num(self.energy[own, None]), self.population[own]))
        return nested(groups, self.geometry_tree)

    def assign(self, features: FloatArray, energies: FloatArray | None = None) -> IntArray:
        """Return the cluster of each of some new frames, (n,); the clusters stay as they are.

        A row joins a geometry cluster by its average distance to `reference`, then the energy cluster with
        the nearest centre: as in the fit, save that rows of the subset which Ward itself clustered keep
        their cluster in `labels`, which need not be the nearest one.

        Parameters
        ----------
        features : (n, d), the descriptor (and projection) of the fit.
        energies : (n,) eV at the level of the fit; NaN or None where unknown, as in `fit`.
        """
        features = _rows(features)
        made = self.reference.shape[1] if self.projection is None else len(self.projection.mean)
        if features.shape[1] != made:
            raise UsageError(
                f"these clusters were made from {made} features per frame, got {features.shape[1]}: "
                "use the same descriptor"
            )
        features = features if self.projection is None else self.projection(features)
        energies = _energies(energies, len(features))
        weights = self.weights if self.method == "kmeans" else None
        geometry = join(features, self.reference, self.reference_geometry, weights)
        return _split(features, energies, geometry, (self.geometry, self.energy, self.centroids))

    def save(self, path: Path | str) -> Path:
        """Write the clusters to an npz file and return its path."""
        arrays = {name: getattr(self, name) for name in ARRAYS}
        texts = {"method": self.method, "notes": self.notes}
        arrays |= {name: np.array(text, dtype=np.str_) for name, text in texts.items()}
        if self.projection is not None:
            arrays |= {name: np.asarray(value) for name, value in vars(self.projection).items()}
        return write_clusters(Path(path), arrays)

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Return the clusters that `save` wrote.

        Raises
        ------
        UsageError
            where the file is something else, damaged, or of another version.
        """
        arrays = read_clusters(Path(path))
        plain: dict[str, Any] = {name: arrays[name] for name in ARRAYS}
        if "components" in arrays:
            mean, components = arrays["mean"], arrays["components"]
            plain["projection"] = Projection(mean, components, float(arrays["explained"]))
        plain |= {"method": str(arrays["method"]), "notes": tuple(map(str, arrays["notes"]))}
        return cls(**plain)


ARRAYS = ("labels", "reference", "reference_geometry", "weights", "geometry", "energy", "centroids")


def _rows(features: FloatArray) -> FloatArray:
    features = np.asarray(features, dtype=np.float64)
    if features.ndim != 2 or features.shape[1] == 0:
        raise UsageError(f"features must be (n, d) with d ≥ 1, got shape {features.shape}")
    if not np.isfinite(features).all():
        raise UsageError("features must be finite numbers; leave out the frames whose features are not")
    return features


def _energies(energies: FloatArray | None, n: int) -> FloatArray:
    energies = np.full(n, np.nan) if energies is None else np.asarray(energies, dtype=np.float64)
    if energies.shape != (n,):
        raise UsageError(f"energies must have shape ({n},), one per frame, got {energies.shape}")
    return energies


def _energy_clusters(
    energies: FloatArray, geometry: IntArray, n_energy: int, rng: np.random.Generator
) -> tuple[IntArray, FloatArray]:
    """Return the geometry (k,) and the energy centre (k,) eV of each cluster."""
    parts = [
        energy_centers(energies[(geometry == g) & np.isfinite(energies)], n_energy, rng)
        for g in range(geometry.max() + 1)
    ]
    owner = np.repeat(np.arange(len(parts)), [max(1, len(part)) for part in parts])
    return owner, np.concatenate([part if len(part) else [np.nan] for part in parts])


def _placed(
    features: FloatArray, energies: FloatArray, geometry: IntArray, owner: IntArray, centers: FloatArray
) -> tuple[IntArray, FloatArray]:
    """Return the cluster of each row, and the clusters' means; rows of unknown energy join by geometry."""
    known = np.isfinite(energies)
    if known.all():
        labels = _split(features, energies, geometry, (owner, centers, None))
        return labels, _means(features, labels, len(owner))
    first = _split(features[known], energies[known], geometry[known], (owner, centers, None))
    middles = _means(features[known], first, len(owner))
    labels = _split(features, energies, geometry, (owner, centers, middles))
    return labels, _means(features, labels, len(owner))


def _split(
    features: FloatArray,
    energies: FloatArray,
    geometry: IntArray,
    clusters: tuple[IntArray, FloatArray, FloatArray | None],
) -> IntArray:
    """Return the cluster of each row.

    `clusters` is the geometry, energy and centroid of each; centroids place the rows of unknown
    energy (None: there are no such rows).
    """
    from scipy.spatial.distance import cdist

    owner, centers, centroids = clusters
    labels = np.empty(len(features), dtype=np.int64)
    for g in range(owner[-1] + 1):
        own, inside = np.flatnonzero(owner == g), geometry == g
        if len(own) == 1:
            labels[inside] = own[0]
            continue
        known, lost = inside & np.isfinite(energies), inside & ~np.isfinite(energies)
        labels[known] = own[0] + nearest_center(energies[known], centers[own])
        if centroids is not None and lost.any():
            labels[lost] = own[0] + cdist(features[lost], centroids[own]).argmin(axis=1)
    return labels


def _means(features: FloatArray, labels: IntArray, k: int) -> FloatArray:
    """Return the mean row of each cluster, (k, d); zero for a cluster without rows."""
    means = np.zeros((k, features.shape[1]))
    for c in np.unique(labels):
        means[c] = features[labels == c].mean(axis=0)
    return means


def _notes(energies: FloatArray, centers: FloatArray) -> tuple[str, ...]:
    unknown = int((~np.isfinite(energies)).sum())
    if unknown == 0:
        return ()
    if not np.isfinite(centers).any():
        return ("no energies are known: clusters by geometry only",)
    return (f"{unknown} of {len(energies)} energies are unknown: those frames joined by geometry",)
