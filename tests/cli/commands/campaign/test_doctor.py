"""`fidsel doctor` answers with rows, and fails where one of them does."""

import json
import sys
from pathlib import Path

import pytest
from small_campaign import CONFIG

from fidsel.cli import main
from fidsel.tasks.doctor import references

LEVELS = """
[[fidelity]]
name = "orca"
kind = "calculator"
calculator = "orca"
price = { per = "label", value = 1 }

[[fidelity]]
name = "own"
kind = "no_such_module:Source"
price = { per = "label", value = 1 }

[[fidelity]]
name = "emt"
kind = "calculator"
calculator = "emt"
price = { per = "label", value = 1 }
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "fidsel.toml").write_text(CONFIG)
    return tmp_path


def test_what_fails_does_not_hide_the_rest(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "fidsel.toml").write_text(CONFIG.replace("[recipe]", LEVELS + "\n[recipe]"))
    (folder / "labels.db").write_text("not a database" * 1000)
    atoms, basis, energy, tolerance, origin = references.PYSCF["hf"]
    monkeypatch.setattr(
        references, "PYSCF", {**references.PYSCF, "hf": (atoms, basis, energy + 0.01, tolerance, origin)}
    )
    settings = ["tracking.uri=nowhere://x", "model.kind=sgdml", "model.device=cuda:99"]
    arguments = ["fidsel", "doctor", "-C", str(folder), *settings, "--json"]
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    failed = {name for name, row in rows.items() if not row["ok"]}
    assert failed == {
        "store", "model", "hf(sto): program", "orca: first frame", "own: first frame", "tracker",
    }  # fmt: skip
    assert "computes something else" in rows["hf(sto): program"]["detail"]
    assert "no_such_module" in rows["own: first frame"]["detail"]
    assert "device 'cuda:99' must be on this machine" in rows["model"]["detail"]
    assert "not a label store" in rows["store"]["detail"]
    assert "check tracking.uri" in rows["tracker"]["detail"]
    assert rows["emt: first frame"]["ok"]
    assert rows["budget"]["detail"].startswith("what it buys is not known, since no label of ")
    assert not any("Traceback" in row["detail"] for row in rows.values())
