"""What the papers' tables are made of: cells, labels, published rows and the shared proton."""

import json
import re
from pathlib import Path

import asteroid
import asteroid_dynamics
import cluster_error
import numpy as np
import pytest
from cells import data_folder
from gap import GAP

from fidsel.data import Frames
from fidsel.training import errors

ROOT = Path(__file__).resolve().parents[2]


def cell(way: str, model: str = "painn", budget: int = 250, ratio: int = 40) -> asteroid.Cell:
    return asteroid.Cell("malonaldehyde", model, way, budget, ratio, 0)


def test_a_budget_pays_for_fifty_labels_less_and_the_cheap_ones() -> None:
    assert cell("asteroid", ratio=80).sizes == asteroid.accuracy.Sizes(200, 4000, 250)
    assert [cell("standard", budget=budget).test for budget in asteroid.BUDGETS] == [500, 500, 300, 100]


def test_each_training_is_there_once_and_a_seed_adds_no_new_kind() -> None:
    found = list(asteroid.cells(2))
    assert len(set(found)) == len(found)
    kinds = {(one.data, one.model, one.way, one.budget, one.ratio) for one in found}
    assert len(kinds) == len(found) / 2
    assert {one.data for one in found if one.way == "delta"} == set(asteroid.accuracy.PAIRS)


def test_arms_that_the_accuracy_benchmark_has_are_taken_from_it_as_they_are() -> None:
    known = asteroid.known([cell("standard", ratio=0), cell("unweighted"), cell("unweighted", ratio=20)])
    rows = json.loads((ROOT / "benchmarks" / "results" / "accuracy.json").read_text())["cells"]
    right = [
        row["force_mae"]
        for row in rows
        if (row["data"], row["model"], row["seed"], row["bias_weights"])
        == ("malonaldehyde", "painn", 0, False)
        and row["recipe"] in ("standard", "asteroid")
    ]
    assert sorted(row["force_mae"] for row in known.values()) == sorted(right)
    assert not asteroid.known([cell("asteroid"), cell("mmff94")])


@pytest.mark.parametrize(
    ("arm", "right"),
    [
        (("malonaldehyde", "gemnet", "asteroid", 250, 40), 0.338),
        (("ethanol", "egnn", "mmff94", 250, 40), 0.637),
        (("benzene", "gemnet", "standard", 250, 0), 0.074),
        (("benzene", "gemnet", "standard", 200, 0), 0.083),
        (("malonaldehyde", "gemnet", "asteroid", 450, 40), None),
        (("malonaldehyde", "painn", "asteroid", 250, 40), None),
    ],
)
def test_published_numbers_stand_beside_the_same_arm(
    arm: tuple[str, str, str, int, int], right: float | None
) -> None:
    assert asteroid.published(*arm) == right


@pytest.fixture(scope="module")
def folder() -> Path:
    try:
        return data_folder("malonaldehyde_ccsd_t/malonaldehyde_ccsd_t.npz", "rmd17/salicylic.npz")
    except SystemExit as missing:
        pytest.skip(str(missing))


def test_variants_change_the_cheap_labels_alone(folder: Path) -> None:
    (plain, test), (mmff, same) = (
        asteroid.training_data(cell(way, ratio=20), folder) for way in ("unweighted", "mmff94")
    )
    assert np.array_equal(test.ids, same.ids)
    assert np.array_equal(plain.train.ids, mmff.train.ids)
    assert np.array_equal(plain.cheap[0].ids, mmff.cheap[0].ids)
    assert set(mmff.cheap[0].level) == {"mmff94"}
    assert np.abs(mmff.cheap[0].forces - plain.cheap[0].forces).mean() > 0.1


def test_several_molecules_bring_as_many_cheap_labels_each(folder: Path) -> None:
    data, _ = asteroid.training_data(cell("several", ratio=20), folder)
    (cheap,) = data.cheap
    formulas, counts = np.unique(cheap.formulas, return_counts=True)
    assert len(formulas) == 5
    assert set(counts) == {1000}


def test_delta_leaves_the_difference_of_both_levels(folder: Path) -> None:
    own = asteroid.Cell("benzene", "sgdml", "delta", 100, 0, 0)
    _, test = asteroid.training_data(own, folder)
    accurate, cheap = asteroid.accuracy.pair("benzene", folder)
    row = list(accurate.ids).index(test.ids[0])
    right = accurate[[row]].forces - cheap[[row]].forces
    np.testing.assert_allclose(test[[0]].forces, right, atol=1e-12)


def test_dynamics_have_the_trainings_of_the_tables_and_the_force_field_once() -> None:
    found = list(asteroid_dynamics.cells("painn", 2))
    assert len(set(found)) == len(found) == 2 * 2 * 2 + 2
    trained = {one.training for one in found if one.way != "mmff94"}
    assert trained <= set(asteroid.cells(2))


def test_survivors_are_told_by_model_and_time_step() -> None:
    def row(seed: int, survived: float) -> dict[str, object]:
        runs = [{"model": name, "timestep_fs": 0.5, "survived": survived} for name in ("cheap", "asteroid")]
        return {"data": "benzene", "model": "painn", "seed": seed, "runs": runs}

    found = asteroid_dynamics.summary([row(0, 1.0), row(1, 0.5)])
    assert [(one["arm"], one["seeds"]) for one in found] == [("asteroid", 2), ("cheap", 2)]
    assert found[0]["survived"] == (0.75, pytest.approx(0.25))


def test_a_proton_is_shared_where_two_oxygens_are_about_as_near() -> None:
    numbers = [8, 8, 1]
    places = [[[0, 0, 0], [2.4, 0, 0], [x, 0, 0]] for x in (1.0, 1.1, 1.25)]
    frames = Frames.stack(numbers, np.array(places, dtype=float))
    assert cluster_error.shared_proton(frames).tolist() == [False, True, True]
    apart = Frames.stack(numbers, np.array([[[0, 0, 0], [6.0, 0, 0], [3.0, 0, 0]]]))
    assert not cluster_error.shared_proton(apart).any()
    assert not cluster_error.shared_proton(Frames.stack([8, 1], np.array([[[0.0, 0, 0], [1, 0, 0]]]))).any()


def test_where_the_shared_protons_lie_is_told_by_cluster() -> None:
    errors, clusters = np.array([1.0, 1.0, 2.0, 2.0, 5.0, 5.0]), np.array([0, 0, 1, 1, 2, 2])
    told = cluster_error.proton(errors, clusters, np.array([False, False, True, True, True, False]))
    assert told["in_worst"] == 0.5
    assert (told["most"], told["most_rank"], told["most_frames"], told["clusters"]) == (1.0, 2, 2, 3)
    assert told["rmse"] == pytest.approx(np.sqrt(11))


def test_the_start_alone_is_the_same_for_all_pickers() -> None:
    start = [one.picker for one in cluster_error.cells([0], 1) if one.model == "sgdml"]
    assert start == ["random"] * len(cluster_error.MOLECULES)
    ethanol = {one.picker for one in cluster_error.cells([4], 1) if one.molecule == "ethanol"}
    assert ethanol == set(cluster_error.PICKING)


def test_small_clusters_are_not_the_worst() -> None:
    found = cluster_error.errors_of(
        np.repeat([1.0, 2.0, 9.0], [30, 30, 3]), np.repeat([0, 1, 2], [30, 30, 3])
    )
    assert found["worst"] == 2.0
    assert found["clusters"] == [1.0, 2.0, 9.0]


def test_published_errors_of_default_and_improved_models() -> None:
    assert cluster_error.published("salicylic", "schnet", "cluster-error") == 1.03
    assert cluster_error.published("uracil", "sgdml", "random") == 0.38
    assert cluster_error.published("uracil", "gap", "random") is None
    assert cluster_error.published("uracil", "sgdml", "centroid") is None


def test_every_script_that_the_page_names_is_there() -> None:
    text = (ROOT / "docs" / "reproduced.md").read_text()
    names = set(re.findall(r"`((?:papers/)?\w+\.py)", text))
    assert {"papers/asteroid.py", "papers/cluster_error.py", "ttt_md17.py"} <= names
    assert [name for name in names if not (ROOT / "benchmarks" / name).exists()] == []


@pytest.mark.slow
def test_a_gap_learns_and_survives_its_state(folder: Path) -> None:
    pytest.importorskip("quippy", reason="needs pip install 'fidsel[gap]'")
    frames = asteroid.accuracy.pair("ethanol", folder)[1]
    test = frames[1000:1010]
    few, more = (GAP(4, 3, sparse=50).fit(frames[: 400 : 400 // n], test)[0] for n in (5, 40))
    assert errors(more, test).force_mae < 0.7 * errors(few, test).force_mae
    again = GAP.from_state(*more.state())
    np.testing.assert_array_equal(again.predict(test).forces, more.predict(test).forces)
