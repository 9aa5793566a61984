"""Descriptors: one row of features per frame, for clustering and diversity."""

from collections.abc import Callable
from functools import partial
from itertools import combinations_with_replacement
from typing import Protocol, runtime_checkable

import numpy as np
from ase import Atoms
from ase.geometry import get_distances
from scipy.spatial.distance import pdist

from fidsel.arrays import FloatArray, IntArray
from fidsel.data import DenseFrames, Frames
from fidsel.data.given import require_frames
from fidsel.data.memory import require_memory
from fidsel.exceptions import UsageError, unknown
from fidsel.selector.descriptors.sketch import Sketch
from fidsel.selector.descriptors.soap import Soap

CHUNK = 1 << 22
"""Numbers held at once while features are computed (32 MiB)."""

LARGE = 10_000
"""Distances of a frame, those of 142 atoms, above which `make_descriptor` makes a `Sketch` of them."""

REMEDY = "take fewer frames, or the descriptor 'soap'"

BLOCK = 4096
"""Frames whose latent features are taken at once."""

Descriptor = Callable[[Frames], FloatArray]
"""Frames in, features (n, d) out."""


def pair_distances(frames: Frames) -> FloatArray:
    """Return all interatomic distances, (n, N(N − 1)/2) Å, pairs (i, j > i) row by row.

    The descriptor of Fonseca et al., J. Chem. Phys. 154, 124102 (2021), doi:10.1063/5.0035530.
    Swapping two equal atoms changes it: see `sorted_distances`. Minimum images where periodic.

    Raises
    ------
    UsageError
        where frames do not all have the same atoms in the same order, or have one atom only.

    Examples
    --------
    >>> pair_distances(Frames.stack([1, 1, 8], [[[0, 0, 0], [3, 0, 0], [0, 4, 0]]]))
    array([[3., 4., 5.]])
    """
    dense = _dense(frames)
    return _distances(frames, dense.positions)


def inverse_distances(frames: Frames) -> FloatArray:
    """Return 1/r for all pairs, (n, N(N − 1)/2) 1/Å: close contacts weigh most.

    Raises
    ------
    UsageError
        as `pair_distances`, and where two atoms coincide.
    """
    distances = pair_distances(frames)
    if (distances == 0).any():
        row = int(np.argmax((distances == 0).any(axis=1)))
        raise UsageError(f"inverse distances need atoms apart; two atoms of frame {row} coincide")
    return np.asarray(1 / distances)


def sorted_distances(frames: Frames) -> FloatArray:
    """Return distances sorted within each element pair, (n, N(N − 1)/2) Å.

    Swapping equal atoms, or listing the atoms in another order, leaves it unchanged; so do some
    rare pairs of different geometries. Element pairs come in order of atomic numbers.

    Raises
    ------
    UsageError
        where frames differ in composition, or have one atom only.

    Examples
    --------
    >>> sorted_distances(Frames.stack([1, 8, 1], [[[0, 0, 0], [3, 0, 0], [0, 4, 0]]]))
    array([[4., 3., 5.]])
    """
    dense = _dense(_by_element(frames))
    distances = _distances(frames, dense.positions)
    first, second = np.triu_indices(len(dense.numbers), k=1)
    pairs = np.stack([dense.numbers[first], dense.numbers[second]], axis=1)
    blocks = []
    for pair in combinations_with_replacement(np.unique(dense.numbers), 2):
        columns = (pairs == pair).all(axis=1)
        blocks.append(np.sort(distances[:, columns], axis=1))
    return np.concatenate(blocks, axis=1)


DESCRIPTORS: dict[str, Descriptor] = {
    "pair-distances": pair_distances,
    "inverse-distances": inverse_distances,
    "sorted-distances": sorted_distances,
}


NAMES = (*DESCRIPTORS, "soap", "latent")
"""What `make_descriptor` makes."""


@runtime_checkable
class HasLatent(Protocol):
    """A model that may have features of its own, as every network and ensemble of networks has."""

    @property
    def has_latent(self) -> bool:
        """Whether it has some."""
        ...

    def latent(self, frames: Frames) -> FloatArray:
        """Return invariant features of each atom, (n_atoms, d)."""
        ...


def make_descriptor(name: str, pool: Frames, model: object | None = None) -> Descriptor:
    """Return a descriptor by name.

    ==================== ======================================================== ====================
    name                 features of a frame                                      compositions
    ==================== ======================================================== ====================
    pair-distances       all distances between atoms                              one
    inverse-distances    their inverses                                           one
    sorted-distances     distances, any order of equal atoms                      one
    soap                 averaged SOAP of the pool's elements (`Soap`)            any
    latent               what a network says of its atoms, averaged               any it can predict
    ==================== ======================================================== ====================

    Distances of more than 141 atoms are sketched into 2048 features (`Sketch`).

    Parameters
    ----------
    pool : frames to be described; SOAP takes their elements, distances the number of atoms.
    model : with "latent", whose features.
    """
    if name not in NAMES:
        raise unknown("descriptor", name, NAMES)
    if name == "soap":
        return Soap.of(pool)
    if name == "latent":
        if not isinstance(model, HasLatent) or not model.has_latent:
            what = "no model" if model is None else f"a model of kind {getattr(model, 'kind', model)!r}"
            raise UsageError(
                f"the descriptor 'latent' needs a network or an ensemble of networks, got {what}: give one, "
                "or take 'soap'"
            )
        return partial(latent_features, model)
    size = int(pool.offsets[1]) if len(pool) else 0
    pairs = size * (size - 1) // 2
    return Sketch(DESCRIPTORS[name], pairs) if pairs > LARGE else DESCRIPTORS[name]


def latent_features(model: HasLatent, frames: Frames) -> FloatArray:
    """Return the latent features of a model averaged over the atoms of each frame, (n, d).

    Taken of some frames at a time, so that the features of all atoms never are in memory together.
    """
    starts = range(0, len(frames), BLOCK) or [0]
    blocks = (frames[start : start + BLOCK] for start in starts)
    return np.concatenate([mean_latent(model.latent(block), block) for block in blocks])


def mean_latent(latent: FloatArray, frames: Frames) -> FloatArray:
    """Return a model's latent features averaged over the atoms of each frame, (n, d).

    Parameters
    ----------
    latent : (n_atoms, d) as from a force field's `latent(frames)`; any compositions.
    """
    if latent.ndim != 2 or len(latent) != len(frames.numbers):
        raise UsageError(
            f"latent features must have one row for each of {len(frames.numbers)} atoms, got {latent.shape}"
        )
    return np.asarray(frames.mean_per_frame(latent), dtype=np.float64)


def _dense(frames: Frames) -> DenseFrames:
    require_frames(frames)
    try:
        dense = frames.dense()
    except UsageError as error:
        raise UsageError(
            f"distance descriptors compare frames of one molecule: {error}. Treat each composition on "
            "its own, or take what fits any mixture: latent features of a network (descriptor = 'latent') or "
            "SOAP ('soap')"
        ) from error
    if len(dense.numbers) < 2:
        raise UsageError("distance descriptors need at least two atoms per frame, got one")
    return dense


def _by_element(frames: Frames) -> Frames:
    """Reorder the atoms of each frame by atomic number."""
    require_frames(frames)
    frame = np.repeat(np.arange(len(frames)), frames.sizes)
    order: IntArray = np.lexsort((frames.numbers, frame))
    return frames.replace(
        numbers=frames.numbers[order], positions=frames.positions[order], forces=frames.forces[order]
    )


def _distances(frames: Frames, positions: FloatArray) -> FloatArray:
    n, size = positions.shape[:2]
    pairs = size * (size - 1) // 2
    require_memory(8 * n * pairs, f"the {pairs} distances of {n} frames", REMEDY)
    out = np.empty((n, pairs))
    if pairs > LARGE:
        for row in np.flatnonzero(~frames.pbc.any(axis=1)).tolist():
            out[row] = pdist(positions[row])
    else:
        first, second = np.triu_indices(size, k=1)
        step = max(1, CHUNK // (3 * pairs))
        for start in range(0, n, step):
            block = positions[start : start + step]
            out[start : start + step] = np.linalg.norm(block[:, second] - block[:, first], axis=2)
    for row in np.flatnonzero(frames.pbc.any(axis=1)).tolist():
        out[row] = _nearest_images(frames[row])
    return out


def _nearest_images(atoms: Atoms) -> FloatArray:
    """Return the distances of all pairs to the nearest image, some rows at a time."""
    size, parts = len(atoms), []
    step = max(1, CHUNK // (16 * size))
    for start in range(0, size, step):
        rows = np.arange(start, min(start + step, size))
        _, table = get_distances(
            atoms.positions[rows], atoms.positions[start:], cell=atoms.cell, pbc=atoms.pbc
        )
        parts.append(table[np.arange(table.shape[1]) > (rows - start)[:, None]])
    return np.concatenate(parts)
