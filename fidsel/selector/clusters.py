"""Broad clusters of the configuration space: geometry by Ward, energy by k-means, made once."""

from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np

from fidsel.data.atomic import replacing
from fidsel.data.frames import FloatArray, IntArray
from fidsel.errors import UsageError
from fidsel.selector.energy_bins import energy_centers, nearest_center
from fidsel.selector.ward import Assignment, join, ward_join


@dataclass(frozen=True, eq=False)
class BroadClusters:
    """Fixed clusters that errors are compared on from round to round.

    ================== =============== ========= ==================================================
    field              shape           unit      meaning
    ================== =============== ========= ==================================================
    labels             (n,)                      cluster of each fitted frame, 0 .. n_clusters − 1
    reference          (m, d)          features  the random subset clustered by Ward
    reference_geometry (m,)                      geometry cluster of each row of the subset
    geometry           (n_clusters,)             geometry cluster each cluster belongs to
    energy             (n_clusters,)   eV        centre of each cluster's energies, NaN if unknown
    centroids          (n_clusters, d) features  mean of the cluster's frames
    representatives    (n_clusters,)             fitted frame nearest to the centroid
    ================== =============== ========= ==================================================

    Geometry clusters are numbered by population; the clusters of one geometry follow each other
    from low to high energy. `assignment` is how frames outside the subset join, `notes` what the
    fit had to do that its caller should know.

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
    representatives: IntArray
    assignment: Assignment = "average"
    notes: tuple[str, ...] = ()

    @classmethod
    def fit(
        cls,
        features: FloatArray,
        energies: FloatArray | None = None,
        *,
        n_geometry: int = 10,
        n_energy: int = 5,
        subset: int = 20000,
        assignment: Assignment = "average",
        seed: int = 0,
    ) -> Self:
        """Return at most `n_geometry` × `n_energy` clusters of some frames.

        1. Ward into `n_geometry` clusters on a random subset; every other frame joins one.
        2. In each, k-means++ of the energies into `n_energy`.

        Parameters
        ----------
        features : (n, d); above 500 features reduce them first (`Projection`).
        energies : (n,) eV at any one level (cheap labels will do). Where NaN, a frame joins the
            energy cluster of its geometry with the nearest centroid; a geometry with no known
            energy stays whole. None = none known.
        subset : rows clustered by Ward itself, which needs 8·subset² bytes at its peak.

        Examples
        --------
        >>> features = np.array([[0.0], [0.1], [0.2], [9.0], [9.1]])
        >>> energies = np.array([-1.0, -1.1, 3.0, -1.0, np.nan])
        >>> BroadClusters.fit(features, energies, n_geometry=2, n_energy=2).labels.tolist()
        [0, 0, 1, 2, 2]
        """
        features = _rows(features)
        n = len(features)
        if n == 0:
            raise UsageError("clusters need at least one frame, got none")
        if n_energy < 1:
            raise UsageError(f"n_energy must be ≥ 1, got {n_energy}")
        energies = _energies(energies, n)
        rng = np.random.default_rng(seed)
        geometry, rows = ward_join(features, n_geometry, subset, assignment, rng)
        parts = [
            energy_centers(energies[(geometry == g) & np.isfinite(energies)], n_energy, rng)
            for g in range(geometry.max() + 1)
        ]
        owner = np.repeat(np.arange(len(parts)), [max(1, len(part)) for part in parts])
        centers = np.concatenate([part if len(part) else [np.nan] for part in parts])
        known = np.isfinite(energies)
        first = _split(features[known], energies[known], geometry[known], (owner, centers, None))
        middles = _means(features[known], first, len(owner))
        labels = _split(features, energies, geometry, (owner, centers, middles))
        centroids = _means(features, labels, len(owner))
        nearest = [_nearest_row(features, labels == c, centroids[c]) for c in range(len(owner))]
        return cls(
            labels, features[rows], geometry[rows], owner, centers, centroids, np.array(nearest),
            assignment, _notes(energies, centers),
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self.geometry)

    @cached_property
    def population(self) -> IntArray:
        """(n_clusters,) fitted frames in each cluster."""
        return np.bincount(self.labels, minlength=len(self))

    def assign(self, features: FloatArray, energies: FloatArray | None = None) -> IntArray:
        """Return the cluster of each of some new frames, (n,); the clusters stay as they are.

        A row joins the geometry cluster with the smallest distance to the subset's members, then
        the energy cluster with the nearest centre. Rows of the subset keep their Ward cluster in
        `labels`, which need not be the nearest one.

        Parameters
        ----------
        features : (n, d), the descriptor (and projection) of the fit.
        energies : (n,) eV at the level of the fit; NaN or None where unknown, as in `fit`.
        """
        features = _rows(features)
        if features.shape[1] != self.reference.shape[1]:
            raise UsageError(
                f"these clusters were made from {self.reference.shape[1]} features per frame, got "
                f"{features.shape[1]}: use the same descriptor"
            )
        energies = _energies(energies, len(features))
        geometry = join(features, self.reference, self.reference_geometry, self.assignment)
        return _split(features, energies, geometry, (self.geometry, self.energy, self.centroids))

    def save(self, path: Path | str) -> Path:
        """Write the clusters to an npz file and return its path."""
        with replacing(Path(path)) as temporary, temporary.open("wb") as file:
            np.savez_compressed(
                file, labels=self.labels, reference=self.reference, geometry=self.geometry,
                reference_geometry=self.reference_geometry, energy=self.energy, centroids=self.centroids,
                representatives=self.representatives, assignment=np.array(self.assignment),
                notes=np.array(self.notes, dtype=np.str_),
            )  # fmt: skip
        return Path(path)

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Return the clusters that `save` wrote."""
        with np.load(path, allow_pickle=False) as file:
            arrays = {f.name: file[f.name] for f in fields(cls)}
        arrays |= {"assignment": str(arrays["assignment"]), "notes": tuple(map(str, arrays["notes"]))}
        return cls(**arrays)


def _rows(features: FloatArray) -> FloatArray:
    features = np.asarray(features, dtype=np.float64)
    if features.ndim != 2 or features.shape[1] == 0:
        raise UsageError(f"features must be (n, d) with d ≥ 1, got shape {features.shape}")
    return features


def _energies(energies: FloatArray | None, n: int) -> FloatArray:
    energies = np.full(n, np.nan) if energies is None else np.asarray(energies, dtype=np.float64)
    if energies.shape != (n,):
        raise UsageError(f"energies must have shape ({n},), one per frame, got {energies.shape}")
    return energies


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


def _nearest_row(features: FloatArray, mask: np.ndarray, centroid: FloatArray) -> int:
    rows = np.flatnonzero(mask)
    return int(rows[((features[rows] - centroid) ** 2).sum(axis=1).argmin()])


def _notes(energies: FloatArray, centers: FloatArray) -> tuple[str, ...]:
    unknown = int((~np.isfinite(energies)).sum())
    if unknown == 0:
        return ()
    if not np.isfinite(centers).any():
        return ("no energies are known: clusters by geometry only",)
    return (f"{unknown} of {len(energies)} energies are unknown: those frames joined by geometry",)
