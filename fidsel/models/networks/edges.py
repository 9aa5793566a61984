"""Edges, atoms within a cutoff and their periodic images, as a list: for networks of sparse graphs."""

import numpy as np
import torch
from ase.geometry import complete_cell
from torch import Tensor

from fidsel.models.networks.batch import Batch


def edges(batch: Batch, cutoff: float) -> tuple[Tensor, Tensor]:
    """Return the edges i → j of a batch and the lattice vectors that lead to the image of j.

    Parameters
    ----------
    cutoff : Å, longest edge.

    Returns
    -------
    index : (2, n_edges) rows i and j among the batch's real atoms; an edge runs in both directions.
    shifts : (n_edges, 3) Å; the edge's vector is x_j − x_i + shift. Zero without a cell.
    """
    return _periodic(batch, cutoff) if bool(batch.cell.any()) else _molecular(batch, cutoff)


def _molecular(batch: Batch, cutoff: float) -> tuple[Tensor, Tensor]:
    positions, mask = batch.positions.detach(), batch.mask
    d = positions[:, None] - positions[:, :, None]
    itself = torch.eye(mask.shape[1], dtype=torch.bool, device=mask.device)
    near = mask[:, :, None] & mask[:, None, :] & ~itself & ((d * d).sum(-1) < cutoff**2)
    frame, i, j = near.nonzero(as_tuple=True)
    row = (mask.flatten().cumsum(0) - 1).view(mask.shape)
    return torch.stack([row[frame, i], row[frame, j]]), positions.new_zeros(len(i), 3)


def _periodic(batch: Batch, cutoff: float) -> tuple[Tensor, Tensor]:
    """Return the edges frame by frame: matscipy's neighbour lists run on the CPU."""
    from matscipy.neighbours import neighbour_list

    index, shifts, first = [np.empty((2, 0), dtype=np.int64)], [np.empty((0, 3))], 0
    positions, cells = (x.detach().cpu().double().numpy() for x in (batch.positions, batch.cell))
    for x, cell, mask in zip(positions, cells, batch.mask.cpu().numpy(), strict=True):
        full, pbc = complete_cell(cell), cell.any(axis=1)
        i, j, image = neighbour_list("ijS", cutoff=cutoff, positions=x[mask], cell=full, pbc=pbc)
        index.append(np.stack([i, j]) + first)
        shifts.append(image @ cell)
        first += int(mask.sum())
    rows, vectors = torch.from_numpy(np.concatenate(index, axis=1)), torch.from_numpy(np.concatenate(shifts))
    return rows.to(batch.cell.device), vectors.to(batch.cell)
