"""Frames as dense tensors, padded to the largest molecule."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from fidsel.arrays import IntArray
from fidsel.data import Frames

PAIRS = {"cpu": 1 << 13, "cuda": 1 << 15}
"""Atom pairs of one predicted batch, by device: bounds the memory of the pair tensors."""


class Batch(NamedTuple):
    """B frames with at most N atoms each.

    ========== =========== ====== ==================================================================
    field      shape       unit   meaning
    ========== =========== ====== ==================================================================
    numbers    (B, N)             atomic numbers, 0 = padding
    positions  (B, N, 3)   Å      relative to the centre of each frame's atoms
    mask       (B, N)             True for atoms, False for padding
    cell       (B, 3, 3)   Å      lattice vectors as rows, zero where the frame is not periodic
    head       (B,)               which of the network's levels of theory is asked for
    ========== =========== ====== ==================================================================
    """

    numbers: Tensor
    positions: Tensor
    mask: Tensor
    cell: Tensor
    head: Tensor

    def rows(self, rows: Tensor | slice) -> "Batch":
        """Return some frames of the batch."""
        return Batch(*(tensor[rows] for tensor in self))


def pad(
    frames: Frames, dtype: torch.dtype, device: torch.device | str = "cpu", heads: IntArray | int = 0
) -> Batch:
    """Return frames as one dense batch; centring in float64 keeps digits that float32 would lose.

    Parameters
    ----------
    heads : (n_frames,) or one for all.
    """
    sizes = frames.sizes
    mask = np.arange(sizes.max(initial=0)) < sizes[:, None]
    centre = frames.mean_per_frame(frames.positions)
    positions = np.zeros((*mask.shape, 3))
    positions[mask] = frames.positions - np.repeat(centre, sizes, axis=0)
    numbers = np.zeros(mask.shape, dtype=np.int64)
    numbers[mask] = frames.numbers
    return Batch(
        torch.from_numpy(numbers).to(device),
        torch.from_numpy(positions).to(device, dtype),
        torch.from_numpy(mask).to(device),
        torch.from_numpy(frames.cell * frames.pbc[:, :, None]).to(device, dtype),
        torch.from_numpy(np.broadcast_to(heads, len(frames)).astype(np.int64)).to(device),
    )


def chunks(frames: Frames, limit: int) -> Iterator[tuple[IntArray, IntArray]]:
    """Yield (rows, their atoms) of frames of like size, at most `limit` atom pairs at a time."""
    sizes = frames.sizes
    order = np.argsort(sizes, kind="stable")
    while len(order):
        # Sizes rise, so the last frame of a chunk decides the padding of all.
        padded = sizes[order].astype(np.int64) ** 2 * np.arange(1, len(order) + 1)
        count = max(1, int(np.searchsorted(padded, limit, side="right")))
        rows, order = order[:count], order[count:]
        starts = frames.offsets[rows]
        atoms = np.concatenate([np.arange(s, s + n) for s, n in zip(starts, sizes[rows], strict=True)])
        yield rows, atoms
