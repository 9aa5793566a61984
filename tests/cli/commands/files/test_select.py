"""`fidsel select` as a person runs it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import fidsel, write_pool
from morse_molecule import frames

from fidsel.data import write
from fidsel.models import load
from fidsel.selector import PICKERS

QUICK = ["--start", "10", "--size", "5", "--rounds", "2", "model.sigmas=[10]", "model.symmetries=false"]
QUICK += ["selector.clusters=3", "selector.energy_clusters=2", "selector.fine_clusters=10"]


@pytest.fixture
def pool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return a file of 120 frames with labels at two levels; picks go into its folder."""
    monkeypatch.chdir(tmp_path)
    write_pool(tmp_path, 120)
    return "pool.npz:E_accurate:F_accurate"


def test_selection_writes_picks_model_and_report(capfd: pytest.CaptureFixture[str], pool: str) -> None:
    found = fidsel(
        capfd, "select", pool, *QUICK, "--json", "--save-model", "model", "--report", "report.html"
    )
    assert found.code == 0, found.err
    told = json.loads(found.out)
    assert [one["labels"] for one in told["rounds"]] == [10, 15, 20]
    assert [one["labels"] for one in told["control"]] == [10, 15, 20]
    assert told["stop"].startswith("round limit")
    with np.load("picks.npz", allow_pickle=False) as file:
        assert file["picks"].tolist() == told["rounds"][1]["picks"] + told["rounds"][2]["picks"]
    assert len(frames(120)) == told["held_out"] + told["pool"]
    assert load("model").kind == "sgdml"
    assert "control arm" in Path("report.html").read_text(encoding="utf-8")


def test_same_command_goes_on_and_another_is_refused(capfd: pytest.CaptureFixture[str], pool: str) -> None:
    fidsel(capfd, "select", pool, *QUICK, "--rounds", "1")
    more = json.loads(fidsel(capfd, "select", pool, *QUICK, "--json").out)
    whole = json.loads(fidsel(capfd, "select", pool, *QUICK, "--json", "--out", "whole.npz").out)
    assert [one["picks"] for one in more["rounds"]] == [one["picks"] for one in whole["rounds"]]
    assert [one["picks"] for one in more["control"]] == [one["picks"] for one in whole["control"]]
    other = fidsel(capfd, "select", pool, *QUICK, "--seed", "1")
    assert other.code == 2
    assert "picks.npz holds another selection (it differs in seed)" in other.err


def test_a_selection_goes_on_where_there_is_another_device(
    capfd: pytest.CaptureFixture[str], pool: str
) -> None:
    first = fidsel(capfd, "select", pool, *QUICK, "--no-control", "--rounds", "1", "model.device=cpu")
    assert first.code == 0, first.err
    more = fidsel(capfd, "select", pool, *QUICK, "--no-control", "--json")
    assert "picks.npz holds 2 rounds already" in more.err
    assert [one["labels"] for one in json.loads(more.out)["rounds"]] == [10, 15, 20]
    assert "device" not in json.loads(more.out)["task"]["model"]
    member = ["--model", "ensemble", "model.member.kind=sgdml", "model.member.device=cpu"]
    settings = [text.replace("model.", "model.member.") for text in QUICK] + ["--no-control"]
    for rounds, place in (("0", member), ("1", member[:-1])):
        found = fidsel(capfd, "select", pool, *settings, *place, "--rounds", rounds, "--out", "committee.npz")
        assert found.code == 0, found.err


@pytest.mark.parametrize("picker", sorted(set(PICKERS) - {"cluster-error"}))
def test_every_picker_by_name(capfd: pytest.CaptureFixture[str], pool: str, picker: str) -> None:
    settings = [setting for setting in QUICK if "fine_clusters" not in setting]
    found = fidsel(capfd, "select", pool, *settings, "--picker", picker, "--no-control", "--json")
    assert found.code == 0, found.err
    assert [len(one["picks"]) for one in json.loads(found.out)["rounds"]] == [0, 5, 5]


def test_the_help_names_every_picker(capfd: pytest.CaptureFixture[str]) -> None:
    letters = "".join(fidsel(capfd, "select", "--help").out.split())  # lines are broken at hyphens, too
    assert [name for name in PICKERS if name not in letters] == []


def test_errors_from_a_cheap_level(capfd: pytest.CaptureFixture[str], pool: str) -> None:
    cheap = ["--error", "cheap", "--cheap", "pool.npz:E_cheap:F_cheap"]
    found = fidsel(capfd, "select", pool, *QUICK, *cheap, "--json")
    assert found.code == 0, found.err
    last = json.loads(found.out)["rounds"][-1]
    assert last["estimate"]["frame_rank"] > 0.8


NETWORK = [
    "--model",
    "painn",
    "model.features=4",
    "model.layers=1",
    "stage.steps=4",
    "stage.validate_every=4",
]


@pytest.mark.parametrize(
    "settings",
    [
        ["selector.descriptor=latent"],
        ["--error", "latent", "selector.probes=4"],
        ["selector.descriptor=soap"],
    ],
)
def test_networks_and_other_descriptors(
    capfd: pytest.CaptureFixture[str], pool: str, settings: list[str]
) -> None:
    if "selector.descriptor=soap" in settings:
        pytest.importorskip("dscribe", reason="pip install 'fidsel[soap]'")
    settings = [*NETWORK, *QUICK[:6], "--rounds", "1", "--no-control", *settings]
    found = fidsel(capfd, "select", pool, *settings, "--json")
    assert found.code == 0, found.err
    assert len(json.loads(found.out)["rounds"][1]["picks"]) == 5


def test_kernel_has_no_latent_features(capfd: pytest.CaptureFixture[str], pool: str) -> None:
    found = fidsel(capfd, "select", pool, *QUICK, "selector.descriptor=latent")
    assert found.code == 2
    assert "the descriptor 'latent' needs a network" in found.err


def test_picks_that_nobody_labelled_yet_end_with_code_5(
    capfd: pytest.CaptureFixture[str], pool: str, tmp_path: Path
) -> None:
    some = frames(120)
    energy, forces = some.energy.copy(), some.forces.copy()
    energy[60:], forces[240:] = np.nan, np.nan
    write(tmp_path / "some.extxyz", some.replace(energy=energy, forces=forces))
    settings = [setting for setting in QUICK[4:] if "fine" not in setting]
    extra = ["--save-model", "model", "--report", "report.html", "--json"]
    arguments = [*settings, "--size", "7", "--picker", "farthest-point", *extra]
    found = fidsel(capfd, "select", "some.extxyz", *arguments)
    assert found.code == 5, found.err
    assert len(json.loads(found.out)["rounds"]) == 2
    assert load("model").kind == "sgdml"
    assert Path("report.html").exists()
    assert "the picks have no labels yet" in found.out
    with np.load("picks.npz") as file:
        assert len(file["picks"]) == 7
    assert pool


def test_the_same_command_goes_on_once_what_it_asked_for_has_labels(
    capfd: pytest.CaptureFixture[str], pool: str, tmp_path: Path
) -> None:
    whole = frames(120)

    def told(labelled: set[int], code: int) -> dict[str, Any]:
        atoms = np.repeat(np.isin(np.arange(120), list(labelled)), 4)
        write(
            tmp_path / "some.extxyz",
            whole.replace(energy=None, forces=np.where(atoms[:, None], whole.forces, np.nan)),
        )
        words = [*QUICK[2:4], "--rounds", "1", *QUICK[6:], "--error", "probe", "selector.probes=4"]
        found = fidsel(capfd, "select", "some.extxyz", *words, "--save-model", "model", "--json")
        assert found.code == code, found.err
        document: dict[str, Any] = json.loads(found.out)
        return document

    owned = set(range(40))
    first = told(owned, 5)
    assert first["stop"].startswith("the probes have no labels yet: label them, then select again")
    probes = first["rounds"][1]["probes"]
    assert f"errors are estimated from 4 probes, and {len(set(probes) - owned)} have no label" in str(first)
    with np.load("picks.npz") as file:
        assert (file["probes"].tolist(), file["picks"].tolist()) == (probes, [])
    assert told(owned, 5) == first
    second = told(owned | set(probes), 5)
    assert second["stop"].startswith("the picks have no labels yet")
    assert second["rounds"][1]["probes"] == probes
    picks = second["rounds"][1]["picks"]
    assert len(picks) == 5
    last = told(owned | {*probes, *picks}, 0)
    assert last["rounds"][1]["picks"] == picks
    assert last["rounds"][1]["held_out"]["force_rmse"] > 0
    assert last["rounds"][0] == first["rounds"][0]
    changed = fidsel(capfd, "select", pool, *QUICK, "--error", "probe", "selector.probes=4")
    assert changed.code == 2
    assert "holds another selection" in changed.err


def test_frames_without_labels_are_numbered(
    capfd: pytest.CaptureFixture[str], pool: str, tmp_path: Path
) -> None:
    some = frames(120)
    forces = some.forces.copy()
    forces[4 * 113 :] = np.nan
    write(tmp_path / "some.extxyz", some.replace(forces=forces))
    write(tmp_path / "none.extxyz", some.unlabelled())
    part = fidsel(capfd, "select", "some.extxyz")
    assert part.code == 2
    assert "7 frames have no finite label (113, 114, 115, 116, 117 and 2 more)" in part.err
    none = fidsel(capfd, "select", "none.extxyz")
    assert none.code == 2
    assert "none.extxyz has no labels; name them as none.extxyz:ENERGY_KEY:FORCES_KEY" in none.err
    keys = fidsel(capfd, "select", pool.partition(":")[0])
    assert "keys in the file: E_accurate, E_cheap, F_accurate, F_cheap" in keys.err


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["--picker", "cluster-eror"], "cluster-error"),
        (["--error", "guess"], "guess"),
        (["--error", "cheap"], "give --cheap FILE"),
        (["--error", "committee"], "needs models that can disagree"),
        (["--start", "500"], "start (--start) must be 2 to 90, the labelled frames"),
        (["--holdout", "1.5"], "holdout must be a finite number > 0 and < 1"),
        (["--target", "-1"], "target must be a finite number > 0"),
        (["--seed", "-1"], "a seed must be a whole number from 0"),
        (["--picker", "random", "--error", "probe"], "picker 'random' looks at no errors"),
        (["--cheap", "pool.npz:E_cheap:F_cheap"], "cheap labels are for --error cheap"),
        (["selector.coverage=0.9"], "take --cluster-target and --coverage"),
        (["--out", "nowhere/picks.npz"], "must be a file in a folder that exists"),
        (["--report", "."], "must be a file in a folder that exists"),
        (["--report", "report.pdf"], "a report is written as .html or .htm, got report.pdf"),
        (["--out", "picks.txt"], "a file of picks is written as .npz, got picks.txt"),
        (["model.sigma=[1]"], "sigmas"),
        (["model.kind=ensemble", "model.member.kind=painnn"], "unknown model.member.kind 'painnn'"),
    ],
)
def test_bad_usage_is_explained(
    capfd: pytest.CaptureFixture[str], pool: str, settings: list[str], message: str
) -> None:
    found = fidsel(capfd, "select", pool, *settings)
    assert found.code == 2
    assert message in found.err
    assert not Path("picks.npz").exists()


def test_a_model_that_cannot_be_saved_is_said_at_once(capfd: pytest.CaptureFixture[str], pool: str) -> None:
    found = fidsel(capfd, "select", pool, *QUICK, "--save-model", "pool.npz/model")
    assert found.code == 1
    assert "could not write pool.npz/model: Not a directory" in found.err
    assert not Path("picks.npz").exists()


def test_control_arm_catches_up(capfd: pytest.CaptureFixture[str], pool: str) -> None:
    fidsel(capfd, "select", pool, *QUICK, "--no-control")
    told = json.loads(fidsel(capfd, "select", pool, *QUICK, "--json").out)
    assert [one["labels"] for one in told["control"]] == [10, 15, 20]
    assert [one["stop"] for one in told["rounds"]][:2] == ["", ""]


def test_other_cheap_labels_are_another_selection(capfd: pytest.CaptureFixture[str], pool: str) -> None:
    error = ["--error", "cheap", "--no-control"]
    fidsel(capfd, "select", pool, *QUICK, *error, "--cheap", "pool.npz:E_cheap:F_cheap")
    other = fidsel(capfd, "select", pool, *QUICK, *error, "--cheap", pool)
    assert other.code == 2
    assert "it differs in cheap" in other.err


def test_wrong_labels_are_refused_unless_trusted(capfd: pytest.CaptureFixture[str], pool: str) -> None:
    with np.load("pool.npz") as archive:
        arrays = dict(archive)
    arrays["E_accurate"] = arrays["E_accurate"] + 1e4 * (np.arange(120) == 7)
    np.savez("pool.npz", **arrays)
    refused = fidsel(capfd, "select", pool, *QUICK)
    assert refused.code == 2
    for part in ("pool.npz", "1 of 120 frames", "(frame 7)", "--trust-labels"):
        assert part in refused.err
    assert not Path("picks.npz").exists()
    trusted = fidsel(capfd, "select", pool, *QUICK, "--trust-labels")
    assert trusted.code == 0, trusted.err
    assert "(frame 7)" in trusted.err


def test_a_model_and_labels_that_are_there_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_pool(tmp_path, 60)
    pool = "pool.npz:E_accurate:F_accurate"
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "model.json").write_text("{}")
    refused = fidsel(capfd, "select", pool, *QUICK, "--save-model", "other")
    assert (refused.code, "other holds a model already, which is kept" in refused.err) == (2, True)
    refused = fidsel(capfd, "select", pool, *QUICK, "--out", "pool.npz")
    assert (refused.code, "would be replaced" in refused.err) == (2, True)
    assert (tmp_path / "other" / "model.json").read_text() == "{}"
