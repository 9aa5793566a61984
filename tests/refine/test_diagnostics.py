import json
from itertools import pairwise

import numpy as np
import pytest
from spring_systems import shaken, training

from fidsel.data import Frames
from fidsel.exceptions import UsageError
from fidsel.models import SGDML, BySystem, NetworkForceField, Sum
from fidsel.refine import shift
from fidsel.refine.diagnostics import MEASURES, cutoff_of
from fidsel.refine.spectrum import MeanSpectrum


def test_systems_of_training_are_as_in_training(family: NetworkForceField) -> None:
    found = shift(family, shaken("NH3", 20, 77), training("accurate"))
    (system,) = found.systems
    assert tuple(system.measures) == MEASURES
    assert system.verdict == "as in training"
    assert set(found.per_frame) == set(MEASURES)


def test_composition_is_half_the_difference_of_fractions(family: NetworkForceField) -> None:
    found = shift(family, shaken("CH4", 2) + shaken("H2O", 2), shaken("H2O", 5))
    methane, water = (system.measures["composition"] for system in found.systems)
    assert methane.value == pytest.approx((1 / 5 + (4 / 5 - 2 / 3) + 1 / 3) / 2)
    assert methane.far
    assert (water.value, water.mean, water.spread, water.far) == (0, 0, 0, False)


def test_force_norms_are_of_labels_and_predicted_where_there_are_none(family: NetworkForceField) -> None:
    frames, trained = shaken("CH3OH", 4, 9), training("accurate")
    labelled = shift(family, frames, trained).per_frame["force norm"]
    expected = np.linalg.norm(frames.dense().forces, axis=2).mean(1)
    np.testing.assert_allclose(labelled, expected)
    predicted = shift(family, frames.unlabelled(), trained).per_frame["force norm"]
    own = np.linalg.norm(family.predict(frames).forces.reshape(4, -1, 3), axis=2).mean(1)
    np.testing.assert_allclose(predicted, own)
    still = shift(family, frames.replace(forces=np.zeros_like(frames.forces)), trained).systems[0]
    assert still.measures["force norm"].far, "forces that are too small are far as well"


def test_connectivity_is_the_distance_of_the_spectra(family: NetworkForceField) -> None:
    frames, trained = shaken("CH3CH2OH", 3), training("accurate")
    found = shift(family, frames, trained)
    graphs = MeanSpectrum.of(trained, 4.0)
    np.testing.assert_allclose(found.per_frame["connectivity"], graphs.distances(frames))


def test_latent_distance_leaves_a_training_frame_itself_out(family: NetworkForceField) -> None:
    trained = training("accurate", 10)
    found = shift(family, trained, trained)
    means = {system.name: system.measures["latent"] for system in found.systems}
    features = family.latent(trained)
    each = np.stack([features[a:b].mean(0) for a, b in pairwise(trained.offsets)])
    gap = np.sort(np.linalg.norm(each[:, None] - each, axis=2), axis=1)
    assert means["H2O"].mean == pytest.approx(gap[:, 1:6].mean())
    far = shift(family, shaken("CH3CH2OH", 5, 3), trained).systems[0]
    assert far.measures["latent"].far
    assert "latent" in far.verdict


def test_new_elements_are_named_and_what_is_not_known_says_why(family: NetworkForceField) -> None:
    found = shift(family, shaken("SiH4", 2).unlabelled() + shaken("H2O", 2), training("accurate"))
    silane = found.systems[0]
    assert silane.new_elements == ("Si",)
    assert silane.verdict.startswith("new elements Si; shifted in composition")
    assert "force norm" not in silane.measures
    assert silane.notes[0].startswith("force norm is not known: elements [14]")
    assert np.isnan(found.per_frame["force norm"][:2]).all()
    assert np.isfinite(found.per_frame["force norm"][2:]).all()
    told = json.loads(json.dumps(found.to_dict()))
    assert told["systems"][0]["new_elements"] == ["Si"]
    assert told["systems"][1]["measures"]["latent"]["far"] in (True, False)


def test_models_without_cutoff_or_features_have_fewer_measures(family: NetworkForceField) -> None:
    water = shaken("H2O", 12)
    kernel = SGDML([10.0]).fit(water, water[:0])[0]
    alike = shift(kernel, water, water)
    assert set(alike.per_frame) == {"composition", "force norm"}
    assert alike.systems[0].measures["composition"].value == 0
    assert cutoff_of(kernel) is None
    assert cutoff_of(Sum([kernel, BySystem(family, {})])) == 4.0


def test_empty_sets_are_refused(family: NetworkForceField) -> None:
    water = shaken("H2O", 2)
    with pytest.raises(UsageError, match="got 0 and 2"):
        shift(family, water[:0], water)
    with pytest.raises(UsageError, match="got 2 and 0"):
        shift(family, water, water[:0])


def test_one_training_frame_is_enough(family: NetworkForceField) -> None:
    one: Frames = shaken("H2O", 1)
    assert shift(family, one, one).systems[0].verdict == "as in training"
