import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from scipy.spatial.distance import pdist

from fidsel.data import Frames
from fidsel.exceptions import UsageError
from fidsel.models import EnergyReference, PaiNN, Predictions
from fidsel.selector import (
    DESCRIPTORS,
    BroadClusters,
    Soap,
    inverse_distances,
    make_descriptor,
    mean_latent,
    pair_distances,
    sorted_distances,
)


@pytest.fixture
def ethanol() -> Frames:
    atoms, rng = molecule("CH3CH2OH"), np.random.default_rng(0)
    return Frames.stack(atoms.numbers, atoms.positions + rng.normal(scale=0.1, size=(5, len(atoms), 3)))


def test_pair_distances_are_those_of_scipy(ethanol: Frames) -> None:
    expected = [pdist(xyz) for xyz in ethanol.dense().positions]
    np.testing.assert_allclose(pair_distances(ethanol), expected, rtol=1e-13)
    np.testing.assert_allclose(inverse_distances(ethanol), 1 / np.array(expected), rtol=1e-13)


@pytest.mark.parametrize("name", sorted(DESCRIPTORS))
def test_descriptors_ignore_rotation_and_translation(ethanol: Frames, name: str) -> None:
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    moved = ethanol.replace(positions=ethanol.positions @ turn.T + [1.0, -2.0, 3.0])
    np.testing.assert_allclose(DESCRIPTORS[name](moved), DESCRIPTORS[name](ethanol), rtol=1e-10)


@pytest.mark.parametrize("name", sorted(DESCRIPTORS))
def test_rows_do_not_depend_on_the_other_frames(ethanol: Frames, name: str) -> None:
    np.testing.assert_array_equal(DESCRIPTORS[name](ethanol[2:3])[0], DESCRIPTORS[name](ethanol)[2])


def test_only_sorted_distances_ignore_the_order_of_equal_atoms(ethanol: Frames) -> None:
    order = np.arange(9)
    order[[5, 8]] = order[[8, 5]]
    swapped = Frames.stack(ethanol.dense().numbers[order], ethanol.dense().positions[:, order])
    assert (swapped.numbers == ethanol.numbers).all()
    np.testing.assert_allclose(sorted_distances(swapped), sorted_distances(ethanol), rtol=1e-13)
    assert np.abs(pair_distances(swapped) - pair_distances(ethanol)).max() > 0.1


def test_sorted_distances_ignore_the_order_of_all_atoms(ethanol: Frames) -> None:
    rows = [atoms[np.random.default_rng(i).permutation(9)] for i, atoms in enumerate(ethanol)]
    np.testing.assert_allclose(
        sorted_distances(Frames.from_atoms(rows)), sorted_distances(ethanol), rtol=1e-13
    )


def test_sorted_distances_keep_elements_apart() -> None:
    """Two frames with the same distances between other elements differ."""
    there = Frames.stack([1, 1, 8], [[[0, 0, 0], [1, 0, 0], [0, 2, 0]]])
    swapped = Frames.stack([1, 1, 8], [[[0, 0, 0], [2, 0, 0], [0, 1, 0]]])
    assert not np.allclose(sorted_distances(there), sorted_distances(swapped))
    assert np.allclose(np.sort(pair_distances(there)), np.sort(pair_distances(swapped)))


def test_periodic_frames_use_minimum_images() -> None:
    crystal = bulk("NaCl", "rocksalt", 5.64, cubic=True)
    crystal.positions += [0.0, 0.0, 5.0]
    features = pair_distances(Frames.from_atoms([crystal]))
    assert features.max() <= 5.64 * np.sqrt(3) / 2 + 1e-9
    wrapped = crystal.copy()
    wrapped.wrap()
    np.testing.assert_allclose(pair_distances(Frames.from_atoms([wrapped])), features, atol=1e-9)


def test_mixed_molecules_are_sent_to_latent_features() -> None:
    mixed = Frames.from_atoms([molecule("H2O"), molecule("CH4")])
    for describe in DESCRIPTORS.values():
        with pytest.raises(UsageError, match=r"latent features of a network \(descriptor = 'latent'\)"):
            describe(mixed)


def test_descriptors_by_name(ethanol: Frames) -> None:
    for name, describe in DESCRIPTORS.items():
        np.testing.assert_array_equal(make_descriptor(name, ethanol)(ethanol), describe(ethanol))
    assert make_descriptor("soap", ethanol) == Soap((1, 6, 8))
    with pytest.raises(UsageError, match="did you mean 'sorted-distances'"):
        make_descriptor("sorted-distance", ethanol)


def test_latent_features_of_a_mixture_cluster_by_molecule(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    kinds = [molecule(name) for name in ("H2O", "CH4", "CH3CH2OH")]
    shaken = [kinds[i % 3].copy() for i in range(60)]
    for atoms in shaken:
        atoms.rattle(0.02, rng=rng)
    frames, model = Frames.from_atoms(shaken), PaiNN(features=8, layers=1, cutoff=4.0)
    model = model.replace(reference=EnergyReference({1: 0.0, 6: 0.0, 8: 0.0}))
    describe = make_descriptor("latent", frames, model)
    features = describe(frames)
    expected = mean_latent(model.latent(frames), frames)
    np.testing.assert_allclose(features, expected, rtol=1e-6)
    monkeypatch.setattr("fidsel.selector.descriptors.distances.BLOCK", 7)
    np.testing.assert_allclose(describe(frames), expected, rtol=1e-5, atol=1e-6)
    clusters = BroadClusters.fit(features, n_geometry=3)
    assert len(set(zip(clusters.labels.tolist(), (np.arange(60) % 3).tolist(), strict=True))) == 3


def test_latent_features_need_a_network(ethanol: Frames) -> None:
    with pytest.raises(UsageError, match="got no model"):
        make_descriptor("latent", ethanol)
    with pytest.raises(UsageError, match="a model of kind 'predictions'"):
        make_descriptor("latent", ethanol, Predictions(ethanol))


def test_one_atom_has_no_distances() -> None:
    with pytest.raises(UsageError, match="two atoms"):
        pair_distances(Frames.from_atoms([Atoms("Ar")]))


def test_inverse_distances_refuse_coinciding_atoms() -> None:
    with pytest.raises(UsageError, match="frame 1 coincide"):
        inverse_distances(Frames.stack([1, 1], [[[0, 0, 0], [1, 0, 0]], [[0, 0, 0], [0, 0, 0]]]))


def test_mean_latent_averages_over_atoms() -> None:
    frames = Frames.from_atoms([molecule("H2O"), molecule("CH4")])
    latent = np.random.default_rng(0).normal(size=(8, 4))
    np.testing.assert_allclose(
        mean_latent(latent, frames), [latent[:3].mean(axis=0), latent[3:].mean(axis=0)]
    )
    with pytest.raises(UsageError, match="8 atoms"):
        mean_latent(latent[1:], frames)
