"""Sketches of many distances: of bounded size, and frames stay as far apart as they were."""

import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from water_box import water_box

from fidsel.data import Frames
from fidsel.exceptions import FidselError
from fidsel.selector import BroadClusters, make_descriptor
from fidsel.selector.descriptors.distances import DESCRIPTORS, pair_distances
from fidsel.selector.descriptors.sketch import Sketch


@pytest.mark.parametrize("name", sorted(DESCRIPTORS))
def test_distances_between_frames_are_kept(name: str) -> None:
    frames = water_box(60, 30)
    describe = make_descriptor(name, frames)
    assert isinstance(describe, Sketch)
    sketched, whole = describe(frames), DESCRIPTORS[name](frames)
    assert sketched.shape == (30, 2048)
    i, j = np.triu_indices(30, 1)
    apart = np.linalg.norm(sketched[i] - sketched[j], axis=1) / np.linalg.norm(whole[i] - whole[j], axis=1)
    assert apart.mean() == pytest.approx(1.0, abs=0.02)
    assert apart.std() < 0.04


def test_every_call_gives_the_same_columns() -> None:
    frames = water_box(60, 6)
    first = make_descriptor("pair-distances", frames)(frames)
    other = make_descriptor("pair-distances", frames[2:])(frames[2:])
    np.testing.assert_array_equal(other, first[2:])


def test_small_molecules_keep_their_distances() -> None:
    frames = water_box(3, 5)
    assert make_descriptor("pair-distances", frames) is pair_distances


def test_periodic_frames_use_minimum_images() -> None:
    frames = water_box(60, 2)
    cell = 12.4 * np.eye(3)[None].repeat(2, axis=0)
    periodic = frames.replace(cell=cell, pbc=np.ones((2, 3), dtype=bool))
    expected = [atoms.get_all_distances(mic=True)[np.triu_indices(180, 1)] for atoms in periodic]
    np.testing.assert_allclose(pair_distances(periodic), expected, atol=1e-10)


def test_clusters_of_1000_atoms_fit_into_little_memory() -> None:
    frames = water_box(334, 50)
    tracemalloc.start()
    features = make_descriptor("pair-distances", frames)(frames)
    clusters = BroadClusters.fit(features, frames.energy, n_geometry=4, n_energy=2)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(clusters) > 3
    assert most < 100 << 20, "all distances would take 191 MiB, their principal components 2 GiB"


def test_distances_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    code = """
import resource, sys
from water_box import water_box
from fidsel.selector.descriptors.distances import pair_distances
frames = water_box(334, 2)[[0, 1] * 500]
resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
try:
    pair_distances(frames)
except Exception as error:
    print(type(error).__name__, error)
"""
    here = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=here, capture_output=True, text=True, check=True, env=None
    )
    assert done.stdout.startswith("FidselError the 501501 distances of 1000 frames need 3.74 GiB of memory")
    assert "take fewer frames, or the descriptor 'soap'" in done.stdout


def test_refusal_is_an_error_a_caller_may_catch(monkeypatch: pytest.MonkeyPatch) -> None:
    frames = Frames.stack([1, 1], np.zeros((3, 2, 3)))
    monkeypatch.setattr("fidsel.data.memory.available_memory", lambda: 8)
    with pytest.raises(FidselError, match="the 1 distances of 3 frames need"):
        pair_distances(frames)
