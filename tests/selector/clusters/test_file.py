from pathlib import Path

import numpy as np
import pytest

from fidsel.exceptions import UsageError
from fidsel.selector import BroadClusters
from fidsel.selector.clusters.file import VERSION, read_clusters, write_clusters


@pytest.fixture
def path(tmp_path: Path) -> Path:
    features = np.random.default_rng(0).normal(size=(40, 3))
    return BroadClusters.fit(features).save(tmp_path / "clusters.npz")


def test_what_is_written_is_read(path: Path) -> None:
    arrays = read_clusters(path)
    again = read_clusters(write_clusters(path.with_name("again.npz"), arrays))
    assert arrays.keys() == again.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(again[name], array)


def test_nothing_is_unpickled(path: Path) -> None:
    arrays = read_clusters(path) | {"notes": np.array([{"a": 1}], dtype=object)}
    np.savez(path, **arrays)
    with pytest.raises(UsageError, match="not a whole file of clusters"):
        read_clusters(path)


def test_other_files_are_refused(path: Path) -> None:
    with pytest.raises(UsageError, match=r"missing\.npz is not a whole file"):
        read_clusters(path.with_name("missing.npz"))
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(UsageError, match="not a whole file of clusters"):
        read_clusters(path)
    np.savez(path, R=np.zeros((2, 3)))
    with pytest.raises(UsageError, match="it lacks centroids, energy"):
        read_clusters(path)


@pytest.mark.parametrize("version", [VERSION - 1, VERSION + 1, "three"])
def test_another_version_is_refused(path: Path, version: object) -> None:
    np.savez(path, **read_clusters(path) | {"version": np.array(version)})
    with pytest.raises(UsageError, match=f"must hold clusters of version {VERSION}, got {version!r}"):
        read_clusters(path)
