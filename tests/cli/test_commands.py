"""What a person gets who does everything right: one JSON document on stdout, words on stderr."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import fidsel, write_campaign

from fidsel.models import load


def parsed(text: str) -> Any:
    """Return the one JSON document in a text, which may hold no NaN."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(text, parse_constant=refuse)


def test_campaign_from_sampling_to_status(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = write_campaign(tmp_path / "campaign")
    sampled = fidsel(capfd, "sample", "-C", folder, "--json")
    assert sampled.code == 0
    assert parsed(sampled.out)["frames"] == 80
    planned = fidsel(capfd, "plan", "-C", folder, "--json")
    assert planned.code == 0
    plan = parsed(planned.out)
    assert plan["levels"] == ["cheap", "accurate"]
    assert plan["recommended"]["cost"] <= 12
    assert plan["validation"] == plan["fixed"] == 4
    told = " ".join(fidsel(capfd, "plan", "-C", folder).err.split())
    assert "accurate 1.05 labels (1 label, and 0.05 labels for the same frame at the cheaper levels" in told
    assert "set aside beforehand: 4 validation labels, 4 labels" in told
    assert "spent in vain" not in told
    done = fidsel(capfd, "iterate", "-C", folder, "--json")
    assert done.code == 0
    summary = parsed(done.out)
    assert summary["finished"]
    assert summary["spent"] <= 12
    assert [row["index"] for row in summary["rounds"]] == [0]
    assert "round 0: " in done.err
    shown = fidsel(capfd, "status", "-C", folder, "--json")
    assert parsed(shown.out) == summary
    assert (shown.code, shown.err) == (0, "")
    again = fidsel(capfd, "iterate", "-C", folder, "--json")
    assert parsed(again.out) == summary
    kept = parsed((folder / "rounds" / "0000" / "config.json").read_text())
    assert kept["pool"]["path"] == "pool.npz"
    assert kept["selector"]["fine_clusters"] == 10


def test_tables_without_json(finished: Path, capfd: pytest.CaptureFixture[str]) -> None:
    shown = fidsel(capfd, "status", "-C", finished)
    assert shown.code == 0
    assert "accurate" in shown.out
    assert "spent" in shown.err


def test_overrides_reach_the_campaign(finished: Path, capfd: pytest.CaptureFixture[str]) -> None:
    found = fidsel(capfd, "status", "-C", finished, "budget.total=99", "--json")
    assert parsed(found.out)["budget"]["total"] == 99


def test_validate_prints_every_default(finished: Path, capfd: pytest.CaptureFixture[str]) -> None:
    words = ("config", "validate", "-C", finished, "fidelity.0.price.value=0.5", "campaign.name=x")
    found = fidsel(capfd, *words)
    assert found.code == 0
    config = parsed(found.out)
    assert config["fidelity"][0]["price"] == {"per": "label", "value": 0.5}
    assert config["campaign"]["name"] == "x"
    assert config["selector"]["probes"] == 10
    assert "is valid" in found.err


def test_schema_and_template(capfd: pytest.CaptureFixture[str]) -> None:
    assert parsed(fidsel(capfd, "config", "schema").out)["title"] == "Config"
    assert 'smiles = "CO"' in fidsel(capfd, "config", "template").out


def test_plan_from_prices(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    words = ("plan", "-C", tmp_path, "--budget", "60", "--price", "ccsdt=1", "--price", "dft=0.1")
    found = fidsel(capfd, *words, "--json")
    plan = parsed(found.out)
    assert plan["levels"] == ["dft", "ccsdt"]
    cheap, accurate = plan["recommended"]["bought"]
    assert 0.1 * cheap + accurate + plan["fixed"] <= 60
    shown = fidsel(capfd, *words)
    assert "errors expected from other molecules" in shown.out
    assert "assumed: ccsdt is the accurate level; dft is a dft method" in " ".join(shown.err.split())
    assert "set aside beforehand: 10 validation labels, 10 labels" in shown.err
    assert "the full 60 labels" in shown.err
    assert not list(tmp_path.iterdir())


def test_init_then_validate(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    made = fidsel(capfd, "init", tmp_path / "water", "--smiles", "O")
    assert made.code == 0
    assert "fidsel doctor" in made.err
    assert fidsel(capfd, "config", "validate", "-C", tmp_path / "water").code == 0


def test_train_on_files(finished: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = finished / "pool.npz"
    words = ("train", f"{file}:E_accurate:F_accurate", "--cheap", f"{file}:E_cheap:F_cheap")
    found = fidsel(capfd, *words, "--out", tmp_path / "new" / "model", "model.sigmas=[10]", "--json")
    assert found.code == 0, found.err
    report = parsed(found.out)
    assert (report["recipe"], report["train"], report["validation"]) == ("cokriging", 64, 16)
    assert report["validation_force_mae"] < 0.05
    assert report["warnings"] == []
    assert load(report["model"]).kind == report["kind"]
    again = (*words[:2], "--out", tmp_path / "new" / "model", "model.sigmas=[10]")
    kept = fidsel(capfd, *again)
    assert kept.code == 2
    assert "model holds a model already, which is kept: name another --out, or give --force" in kept.err
    spoken = fidsel(capfd, *again, "--force")
    assert "standard on 64 accurate labels: validation force MAE" in spoken.err
    assert spoken.out == ""


def test_check_tells_good_from_bad(
    copy_of_finished: Callable[[], Path], capfd: pytest.CaptureFixture[str]
) -> None:
    file = copy_of_finished() / "pool.npz"
    words = ("check", file, "--energy-key", "E_accurate", "--forces-key", "F_accurate", "--json")
    good = fidsel(capfd, *words)
    assert good.code == 0
    assert parsed(good.out)["frames"] == 80
    arrays = dict(np.load(file))
    np.savez(file, **(arrays | {"F_accurate": -arrays["F_accurate"]}))
    bad = fidsel(capfd, *words)
    assert bad.code == 1
    assert "wrong sign" in bad.out
    np.savez(file, **(arrays | {"E_accurate": np.where(np.arange(80) < 70, arrays["E_accurate"], np.nan)}))
    partly = fidsel(capfd, *words[:-1])
    assert partly.code == 0
    assert re.search("10 of 80 frames have no energies.*70, 71, 72, 73, 74", partly.out)


def test_what_a_library_prints_does_not_reach_stdout(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = write_campaign(tmp_path / "campaign")
    (folder / "chatty_source.py").write_text(
        "import os\nfrom fidsel.fidelity.sources.table import TableSource\n\n\n"
        "class Chatty(TableSource):\n"
        "    def settings(self):\n"
        "        print('hello')\n"
        "        os.write(1, b'world')\n"
        "        return super().settings()\n"
    )
    level = (
        'fidelity.0={name = "cheap", kind = "chatty_source:Chatty", price = {per = "label", value = 0.05}, '
        f'options = {{path = "{folder / "pool.npz"}", energy_key = "E_cheap", forces_key = "F_cheap"}}}}'
    )
    found = fidsel(capfd, "iterate", "-C", folder, level, "--json")
    assert found.code == 0, found.err
    assert parsed(found.out)["finished"]
    assert "hello" in found.err
    assert "world" in found.err


def test_the_end_of_iterate_says_where_the_model_is_and_how_to_use_it(
    finished: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    done = fidsel(capfd, "iterate", "-C", finished)
    model = finished / "rounds" / "0000" / "model"
    assert done.code == 0
    assert "best round: 0 of 0 to 0: lowest validation force MAE" in done.err
    assert f"model in {model}" in done.err
    assert f'    import fidsel\n    atoms.calc = fidsel.load("{model}").calculator()\n' in done.err
    assert f"fidsel evaluate {model} FILE" in done.err
    shown = fidsel(capfd, "status", "-C", finished, "--json")
    assert parsed(shown.out)["best"]["model"] == str(model)


HASTY = """
from fidsel.models import SGDML


class Hasty(SGDML):
    kind = "hasty"

    def __init__(self, sigmas=(10.0,), seed=0):
        super().__init__(sigmas, solver="iterative", tolerance=1e-14, iterations=40)
"""


def test_what_a_fit_warns_of_is_a_note_of_the_round(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = write_campaign(tmp_path / "campaign")
    (folder / "hasty.py").write_text(HASTY)
    model = 'model={kind = "hasty:Hasty", options = {sigmas = [10.0]}}'
    done = fidsel(capfd, "iterate", "-C", folder, model)
    assert done.code == 0, done.err
    told = "round 0: not converged: take solver = 'exact' where memory allows it"
    assert told in done.err
    assert told in fidsel(capfd, "status", "-C", folder, model).err
