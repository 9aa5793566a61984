"""What a person gets who does everything right: one JSON document on stdout, words on stderr."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_line import fidsel, write_campaign


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
    assert plan["units"]["cost"] == "label"
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
    assert summary["units"]["force"] == "eV/Å"
    assert summary["units"]["cost"] == summary["budget"]["unit"] == "label"
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


def test_a_driver_in_the_background_is_told_of_in_json(
    copy_of_finished: Callable[[], Path], capfd: pytest.CaptureFixture[str]
) -> None:
    folder = copy_of_finished()
    done = fidsel(capfd, "iterate", "--detach", "-C", folder, "--json")
    assert done.code == 0
    told = parsed(done.out)
    assert told["log"] == str(folder / "iterate.log")
    assert told["told"] in done.err


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


def test_the_command_that_measures_the_model_can_be_pasted(
    copy_of_finished: Callable[[], Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = copy_of_finished().rename(tmp_path / "two words")
    told = fidsel(capfd, "iterate", "-C", folder).err
    assert f"fidsel evaluate '{folder}/rounds/0000/model' FILE" in told
