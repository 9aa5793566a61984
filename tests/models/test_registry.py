import json
from pathlib import Path

import numpy as np
import pytest
from architectures import network
from morse_molecule import frames

from fidsel.exceptions import UsageError
from fidsel.models import MODELS, Offset, PaiNN, Sum, load
from fidsel.models.registry import build, join, part


def test_every_model_is_found_by_its_kind() -> None:
    assert {kind: made.kind for kind, made in MODELS.items()} == {kind: kind for kind in MODELS}
    assert MODELS["painn"] is PaiNN


def test_parts_of_a_model_are_told_apart_by_name() -> None:
    models = {"body": network("painn"), "offset": Offset.matching(frames(4))}
    settings, tensors = join(models)
    assert all(name.split(".")[0] in models for name in tensors)
    for name, model in models.items():
        again = part(name, settings, tensors).predict(frames(2))
        np.testing.assert_array_equal(again.energy, model.predict(frames(2)).energy)


def test_what_settings_describe_is_built() -> None:
    whole = Sum([network("painn"), Offset.matching(frames(4))])
    settings, tensors = whole.state()
    again = build({"kind": whole.kind, "level": whole.level} | settings, tensors)
    np.testing.assert_array_equal(again.predict(frames(2)).forces, whole.predict(frames(2)).forces)
    with pytest.raises(UsageError, match="unknown model kind 'pain', did you mean 'painn'"):
        build({"kind": "pain"}, {})


def test_a_file_of_settings_that_fit_no_model_is_told(tmp_path: Path) -> None:
    model = network("painn")
    settings, tensors = model.state()
    del tensors[next(iter(tensors))]
    with pytest.raises(UsageError, match=r"model\.json does not describe a model \(RuntimeError"):
        model_without(tmp_path, settings, tensors)


def model_without(folder: Path, settings: dict[str, object], tensors: dict[str, object]) -> None:
    from fidsel.models import write_state

    write_state(folder, {"kind": "painn", "level": "morse"} | settings, tensors)  # type: ignore[arg-type]
    assert json.loads((folder / "model.json").read_text())["settings"]["kind"] == "painn"
    load(folder)
