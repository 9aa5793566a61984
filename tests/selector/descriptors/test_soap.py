import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule

from fidsel.data import Frames
from fidsel.exceptions import MissingExtraError, UsageError
from fidsel.selector import BroadClusters, Soap
from fidsel.selector.clusters.projection import Reduced
from fidsel.selector.descriptors import soap

pytest.importorskip("dscribe")


@pytest.fixture(scope="module")
def mixture() -> Frames:
    """40 shaken frames each of water, methanol and ammonia."""
    rng = np.random.default_rng(0)
    kinds = [molecule(name) for name in ("H2O", "CH3OH", "NH3")]
    shaken = [kinds[i % 3].copy() for i in range(120)]
    for atoms in shaken:
        atoms.rattle(0.03, rng=rng)
    return Frames.from_atoms(shaken)


def test_features_ignore_rotation_translation_and_order(mixture: Frames) -> None:
    soap, atoms = Soap.of(mixture), mixture[1]
    there = soap(Frames.from_atoms([atoms]))
    assert there.shape == (1, 32 * 33 // 2 * 7)
    turned = atoms.copy()
    turned.rotate(50.0, (1, 2, 3))
    turned.positions += [4.0, -1.0, 2.0]
    turned = turned[np.random.default_rng(1).permutation(len(turned))]
    np.testing.assert_allclose(soap(Frames.from_atoms([turned])), there, atol=1e-8 * np.abs(there).max())
    stretched = atoms.copy()
    stretched.set_distance(0, 1, atoms.get_distance(0, 1) + 0.1)
    assert np.abs(soap(Frames.from_atoms([stretched])) - there).max() > 1e-3 * np.abs(there).max()


def test_rows_do_not_depend_on_the_other_frames(mixture: Frames) -> None:
    soap = Soap.of(mixture)
    np.testing.assert_array_equal(soap(mixture[4:5])[0], soap(mixture[:6])[4])


def test_a_pool_of_several_compositions_is_clustered(mixture: Frames) -> None:
    clusters = BroadClusters.fit(Soap.of(mixture)(mixture), n_geometry=3)
    assert clusters.projection is not None
    assert "3696 features are projected" in clusters.notes[0]
    kinds = np.arange(120) % 3
    assert len(set(zip(clusters.labels.tolist(), kinds.tolist(), strict=True))) == 3


def test_reduced_features_keep_the_clusters_in_less_memory(mixture: Frames) -> None:
    reduced = Reduced.fit(Soap.of(mixture), mixture, 0.999, sample=60, seed=1)
    features = reduced(mixture)
    assert features.shape == (120, len(reduced.projection))
    assert features.shape[1] < 60
    np.testing.assert_allclose(reduced(mixture[7:9]), features[7:9], atol=1e-9 * np.abs(features).max())
    clusters = BroadClusters.fit(features, n_geometry=3)
    assert len(set(zip(clusters.labels.tolist(), (np.arange(120) % 3).tolist(), strict=True))) == 3


def test_periodic_frames_see_their_images() -> None:
    crystal = bulk("NaCl", "rocksalt", 5.64)
    cluster = Atoms(crystal.numbers, crystal.positions)
    frames = Frames.from_atoms([crystal, cluster, crystal.repeat((1, 1, 2))])
    features = Soap((11, 17), n_max=4, l_max=2)(frames)
    np.testing.assert_allclose(features[2], features[0], rtol=1e-6, atol=1e-9)
    assert np.abs(features[1] - features[0]).max() > 0.1 * np.abs(features[0]).max()


def test_no_frames_and_single_atoms() -> None:
    soap = Soap((18,), n_max=3, l_max=1)
    one = Frames.from_atoms([Atoms("Ar")])
    assert soap(one).shape == (1, 12)
    assert soap(one[:0]).shape == (0, 12)


def test_what_cannot_be_is_refused(mixture: Frames) -> None:
    with pytest.raises(UsageError, match="made without N, O"):
        Soap((1, 6))(mixture)
    with pytest.raises(UsageError, match="atomic numbers of its elements"):
        Soap(())
    with pytest.raises(UsageError, match="n_max ≥ 1"):
        Soap((1,), n_max=0)
    with pytest.raises(UsageError, match="above 0 Å"):
        Soap((1,), cutoff=-1.0)


def test_without_dscribe_the_extra_is_named(mixture: Frames, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soap, "find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match=r"fidsel\[soap\]"):
        Soap.of(mixture)(mixture)
