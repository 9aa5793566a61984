"""The permutations of equal atoms that a molecule's own dynamics visits, recovered from frames."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.sparse.csgraph import minimum_spanning_tree
from scipy.spatial.distance import pdist, squareform

from fidsel.arrays import FloatArray, IntArray, evenly
from fidsel.exceptions import UsageError

Permutation = tuple[int, ...]


def symmetry_group(
    wanted: bool | Sequence[Sequence[int]], numbers: IntArray, positions: FloatArray, max_perms: int
) -> tuple[IntArray, dict[str, Any]]:
    """Return the permutations to sum over, and a record of where they came from.

    Parameters
    ----------
    wanted : True to recover them, False for the identity alone, or permutations that generate them.
    numbers, positions, max_perms : see `recover_permutations`.
    """
    if wanted is True:
        return recover_permutations(numbers, positions, max_perms=max_perms)
    given = np.array(wanted or [range(len(numbers))], dtype=np.int64)
    return check_permutations(given, numbers), {"given": True}


def recover_permutations(
    numbers: IntArray, positions: FloatArray, max_frames: int = 150, max_perms: int = 100
) -> tuple[IntArray, dict[str, Any]]:
    """Return the group of atom permutations that map frames of one molecule onto each other.

    For each pair of frames g, h with distance matrices A, the permutation P with the smallest
    ‖A_g − P A_h Pᵀ‖ is sought by assigning the rows of |U_g| to those of |U_h| (U: eigenvectors of
    A; equal elements only). It counts where it beats the identity. Only the pairs on the minimum
    spanning tree of these costs are believed, which makes the matches consistent from frame to
    frame; the group they generate is returned (Chmiela et al. 2019, DOI 10.1016/j.cpc.2019.02.007).

    Parameters
    ----------
    numbers : (N,) atomic numbers.
    positions : (n, N, 3) Å.
    max_frames : evenly spaced frames that are compared.
    max_perms : permutations, least frequent first, that would make the group larger are left out.

    Returns
    -------
    (n_perms, N) permutations, identity first, otherwise sorted; atom k of a permuted frame is atom
    perm[k]. And a record: frames compared, matches found and left out.

    Examples
    --------
    >>> water = np.array([[0, 0, 0], [0.95, 0, 0], [-0.24, 0.97, 0]])
    >>> mirrored = np.array([[0, 0, 0], [-0.24, 0.97, 0], [0.95, 0, 0]])
    >>> recover_permutations(np.array([8, 1, 1]), np.stack([water, mirrored]))[0].tolist()
    [[0, 1, 2], [0, 2, 1]]
    """
    chosen = evenly(len(positions), max_frames)
    costs, matches = _match_pairs(numbers, positions[chosen])
    tree = minimum_spanning_tree(costs).tocoo()
    edges = ((min(edge), max(edge)) for edge in zip(tree.row.tolist(), tree.col.tolist(), strict=True))
    votes = Counter(matches[edge] for edge in edges if edge in matches)
    group: set[Permutation] = {tuple(range(len(numbers)))}
    left_out = 0
    for permutation, _ in sorted(votes.items(), key=lambda vote: (-vote[1], vote[0])):
        larger = _generate(group | {permutation}, max_perms)
        left_out += larger is None
        group = larger or group
    record = {"frames": len(chosen), "matches": sum(votes.values()), "left_out": left_out}
    return np.array(sorted(group), dtype=np.int64), record


def check_permutations(permutations: IntArray, numbers: IntArray) -> IntArray:
    """Return given permutations, closed to a group, identity first.

    Raises
    ------
    UsageError
        where a row is no permutation of the atoms, or swaps different elements.
    """
    for row in permutations:
        if sorted(row) != list(range(len(numbers))) or (numbers[row] != numbers).any():
            raise UsageError(
                f"each permutation must reorder the {len(numbers)} atoms within their elements, got {row}"
            )
    group = _generate({tuple(row) for row in permutations.tolist()}, 10_000)
    if group is None:
        raise UsageError("the given permutations generate a group of more than 10000 elements")
    return np.array(sorted(group | {tuple(range(len(numbers)))}), dtype=np.int64)


def _match_pairs(
    numbers: IntArray, positions: FloatArray
) -> tuple[FloatArray, dict[tuple[int, int], Permutation]]:
    """Return the cost of each pair of frames and the permutations that beat the identity."""
    n = len(positions)
    distances = np.stack([squareform(pdist(frame)) for frame in positions])
    vectors = np.abs(np.linalg.eigh(distances)[1])
    forbidden = np.where(numbers[:, None] == numbers, 0.0, 1e6)
    costs: FloatArray = np.zeros((n, n))
    matches: dict[tuple[int, int], Permutation] = {}
    for g in range(n - 1):
        overlaps = np.einsum("ak,hbk->hab", vectors[g], vectors[g + 1 :])
        found = np.stack([linear_sum_assignment(forbidden - overlap)[1] for overlap in overlaps])
        others = distances[g + 1 :]
        permuted = np.take_along_axis(np.take_along_axis(others, found[:, :, None], 1), found[:, None, :], 2)
        plain, matched = _norm(others - distances[g]), _norm(permuted - distances[g])
        costs[g, g + 1 :] = 1 + np.minimum(plain, matched)  # near zero would mean "no edge" to the tree
        for h in np.flatnonzero(matched < plain * (1 - 1e-9)).tolist():
            matches[g, g + 1 + h] = tuple(found[h].tolist())
    return costs, matches


def _norm(matrices: FloatArray) -> FloatArray:
    norms: FloatArray = np.linalg.norm(matrices, axis=(1, 2))
    return norms


def _generate(generators: set[Permutation], limit: int) -> set[Permutation] | None:
    """Return the group that permutations generate, or None where it exceeds the limit."""
    group, fresh = set(generators), set(generators)
    while fresh:
        products = {tuple(a[k] for k in b) for a in fresh for b in generators}
        fresh = products - group
        group |= fresh
        if len(group) > limit:
            return None
    return group


def pair_indices(permutations: IntArray) -> NDArray[np.int64]:
    """Return (n_perms, n_pairs): entry of the descriptor that comes to each place under each permutation.

    >>> pair_indices(np.array([[0, 1, 2], [0, 2, 1]])).tolist()
    [[0, 1, 2], [1, 0, 2]]
    """
    size = permutations.shape[1]
    first, second = np.triu_indices(size, 1)
    number = np.zeros((size, size), dtype=np.int64)
    number[first, second] = number[second, first] = np.arange(len(first))
    return number[permutations[:, first], permutations[:, second]]
