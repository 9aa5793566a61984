import numpy as np
import torch
from architectures import mixed

from fidsel.data import Frames
from fidsel.models.networks.batch import chunks, pad


def test_frames_are_centred_and_padded() -> None:
    frames = mixed()
    batch = pad(frames, torch.float64)
    assert batch.mask.sum(1).tolist() == frames.sizes.tolist()
    for i, atoms in enumerate(frames):
        real = batch.mask[i].numpy()
        np.testing.assert_array_equal(batch.numbers[i].numpy()[real], atoms.numbers)
        centred = atoms.positions - atoms.positions.mean(axis=0)
        np.testing.assert_allclose(batch.positions[i].numpy()[real], centred, atol=1e-14)
        assert not batch.numbers[i].numpy()[~real].any()
        assert not batch.positions[i].numpy()[~real].any()


def test_single_precision_keeps_the_digits_of_a_frame_far_away() -> None:
    frames = mixed()
    far = frames.replace(positions=frames.positions + 1e6)
    gap = pad(far, torch.float32).positions - pad(frames, torch.float32).positions
    assert gap.abs().max() < 1e-6


def test_cells_count_along_periodic_directions_only() -> None:
    frames = Frames.stack([29], np.zeros((1, 1, 3)), cell=[3.6 * np.eye(3)], pbc=[[True, False, True]])
    assert pad(frames, torch.float64).cell[0].diagonal().tolist() == [3.6, 0.0, 3.6]


def test_heads_are_of_each_frame_or_all() -> None:
    frames = mixed()
    assert pad(frames, torch.float64, heads=2).head.tolist() == [2] * len(frames)
    each = np.arange(len(frames))
    assert pad(frames, torch.float64, heads=each).rows(slice(1, 3)).head.tolist() == [1, 2]


def test_chunks_hold_every_frame_once_and_few_pairs() -> None:
    frames = mixed()
    found = list(chunks(frames, limit=20))
    assert sorted(np.concatenate([rows for rows, _ in found]).tolist()) == list(range(len(frames)))
    for rows, atoms in found:
        assert len(rows) == 1 or len(rows) * frames.sizes[rows].max() ** 2 <= 20
        np.testing.assert_array_equal(frames.positions[atoms], frames[rows].positions)
    assert [len(rows) for rows, _ in chunks(frames, limit=1)] == [1] * len(frames)
    assert list(chunks(frames[[]], limit=20)) == []
