"""The best model of a campaign as a logged model of MLflow, which `mlflow.pyfunc.load_model` loads.

A row of its input is a configuration, a row of its output what it predicts for it:

========= ======================= ====== =================================================
column    value                   unit   meaning
========= ======================= ====== =================================================
numbers   N integers                     atomic numbers
positions N rows of 3 numbers     Å
cell      3 rows of 3 numbers     Å      lattice vectors; left out for molecules
pbc       3 booleans                     periodic directions; left out for molecules
charge    integer                 e      0 if left out
spin      integer                        unpaired electrons (2S), 0 if left out
energy    number                  eV     output
forces    N rows of 3 numbers     eV/Å   output, F = −∇E
========= ======================= ====== =================================================
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from fidsel.data import read
from fidsel.models.files import content_digest
from fidsel.tracking.store import Store

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel, Run
    from mlflow.models import ModelSignature

ARTIFACT: Final = "force_field"
"""Folder of the force field among the files of the model."""
NAME: Final = "best_model"
OPTIONAL: Final = ("cell", "pbc", "charge", "spin")
UNITS: Final = {"positions": "Å", "cell": "Å", "charge": "e", "energy": "eV", "forces": "eV/Å"}
DIGEST: Final = "fidsel.digest"
MODEL: Final = "fidsel.model"
"""Tag of a version in the registry: which logged model it is."""
PACKAGES: Final = ("fidsel", "mlflow", "torch")
"""What has to be installed where the model is loaded."""


@dataclass(frozen=True)
class Best:
    """The model that a campaign ends with.

    Parameters
    ----------
    folder : of its round, with `model` and `train.extxyz`.
    step : number of that round.
    facts : said of it beside its level.
    register : name in the model registry that it becomes a version of, "" = none.
    """

    folder: Path
    step: int = 0
    facts: Mapping[str, str] = field(default_factory=dict)
    register: str = ""


def keep_model(client: "MlflowClient", run: "Run", best: Best, store: Store | None = None) -> None:
    """Log and register the model of a run, unless that was done; what is there of it in part is replaced."""
    digest = content_digest(best.folder / "model")
    found = client.search_logged_models(
        [run.info.experiment_id], f"source_run_id = '{run.info.run_id}' AND tags.`{DIGEST}` = '{digest}'"
    )
    whole = [model for model in found if str(model.status) == "READY"]
    for model in found:
        if model not in whole:
            if store is not None:
                store.forget_files("models", model.model_id)
            client.delete_logged_model(model.model_id)
    model = whole[0] if whole else _log_model(client, run, best, digest)
    if best.register:
        _register(client, model, best.register)


def _log_model(client: "MlflowClient", run: "Run", best: Best, digest: str) -> "LoggedModel":
    """Return a new model of a run; it is READY only once all of it has arrived."""
    from mlflow.entities import LoggedModelOutput

    made = client.create_logged_model(
        run.info.experiment_id,
        NAME,
        run.info.run_id,
        tags={DIGEST: digest, "units": json.dumps(UNITS, ensure_ascii=False)},
        params=dict(best.facts),
        model_type="force field",
    )
    with TemporaryDirectory(prefix="fidsel-model-") as scratch:
        save_model(best.folder, Path(scratch) / "model", made.model_id)
        client.log_model_artifacts(made.model_id, f"{scratch}/model")
    client.log_outputs(run.info.run_id, [LoggedModelOutput(made.model_id, best.step)])
    return client.finalize_logged_model(made.model_id, "READY")


def save_model(source: Path, folder: Path, identity: str) -> None:
    """Write the model of a round into a folder in the form that MLflow loads.

    Parameters
    ----------
    source : of the round, with `model` and `train.extxyz`.
    identity : that MLflow gave to the model.
    """
    from mlflow.models import Model
    from mlflow.pyfunc import save_model

    first = read(source / "train.extxyz")[:1]
    example = [{"numbers": first.numbers.tolist(), "positions": first.positions.tolist()}]
    save_model(
        folder,
        python_model=Path(__file__).with_name("pyfunc.py"),
        artifacts={ARTIFACT: (source / "model").resolve().as_uri()},
        model_config={"device": "auto"},
        signature=signature(),
        input_example=example,
        metadata={"units": UNITS},
        pip_requirements=[f"{name}=={version(name)}" for name in PACKAGES],
        mlflow_model=Model(model_uuid=identity, model_id=identity),
    )


def signature() -> "ModelSignature":
    """Return the columns that go in and come out, see the top of this file."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema
    from mlflow.types.schema import Array

    vectors = Array(Array(DataType.double))
    given: dict[str, Array | DataType] = {
        "numbers": Array(DataType.long),
        "positions": vectors,
        "cell": vectors,
        "pbc": Array(DataType.boolean),
        "charge": DataType.long,
        "spin": DataType.long,
    }
    return ModelSignature(
        Schema([ColSpec(kind, name, required=name not in OPTIONAL) for name, kind in given.items()]),
        Schema([ColSpec(DataType.double, "energy"), ColSpec(vectors, "forces")]),
    )


def _register(client: "MlflowClient", model: "LoggedModel", name: str) -> None:
    """Make a logged model the newest version of a name in the registry, unless it is one."""
    if not client.search_registered_models(f"name = '{name}'"):
        client.create_registered_model(name)
    versions = client.search_model_versions(f"name = '{name}'")
    if model.model_id not in {one.tags.get(MODEL) for one in versions}:
        # the folder, not models:/ID, which MLflow looks up in whatever store is its default
        where, run_id, tags = model.artifact_location, model.source_run_id, {MODEL: model.model_id}
        client.create_model_version(name, where, run_id, tags, model_id=model.model_id)
