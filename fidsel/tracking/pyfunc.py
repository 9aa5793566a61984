"""A force field as a model of MLflow: a row for each configuration in, its energy and forces out.

MLflow runs this file where such a model is saved or loaded ("models from code"), so nothing is pickled:
what was learnt lies beside it as safetensors and JSON.
"""

from typing import Any

import numpy as np
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext
from pandas import DataFrame

from fidsel.arrays import FloatArray
from fidsel.data import Frames
from fidsel.exceptions import UsageError
from fidsel.models import ForceField, load
from fidsel.tracking.models import ARTIFACT, OPTIONAL


class FrameModel(PythonModel):
    """Predicts configurations; `fidsel.tracking.models` names columns and units.

    `force_field` is the force field itself, which has an ASE calculator:
    `mlflow.pyfunc.load_model(uri).unwrap_python_model().force_field.calculator()`.
    """

    force_field: ForceField

    def load_context(self, context: PythonModelContext) -> None:
        """Read the force field; `load_model(uri, model_config={"device": "cuda"})` says where it computes."""
        self.force_field = load(context.artifacts[ARTIFACT], context.model_config["device"])

    def predict(
        self,
        context: PythonModelContext,  # noqa: ARG002
        model_input: DataFrame,
        params: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> DataFrame:
        """Return `energy`, eV, and `forces`, a list of x, y and z for each atom, eV/Å.

        Raises
        ------
        UsageError
            where a row is no configuration, or one that the force field cannot treat.
        """
        frames = frames_of(model_input)
        found = self.force_field.predict(frames)
        forces = [rows.tolist() for rows in np.split(found.forces, frames.offsets[1:-1])]
        return DataFrame({"energy": found.energy, "forces": forces})


def frames_of(rows: DataFrame) -> Frames:
    """Return the configurations in the rows of a table, without labels.

    Raises
    ------
    UsageError
        where an atom has not three coordinates, or a cell not three vectors.
    """
    numbers = [np.ravel(row) for row in rows["numbers"]]
    positions = np.concatenate(
        [_block("positions", i, row, len(numbers[i])) for i, row in enumerate(rows["positions"])]
    )
    given = {name: rows[name].to_numpy() for name in OPTIONAL if name in rows}
    if "cell" in given:
        given["cell"] = np.array([_block("cell", i, row, 3) for i, row in enumerate(rows["cell"])])
    if "pbc" in given:
        given["pbc"] = np.array([list(row) for row in rows["pbc"]])
    offsets = np.cumsum([0, *map(len, numbers)])
    return Frames.pack(np.concatenate(numbers), positions, offsets, **given)


def _block(name: str, row: int, values: Any, length: int) -> FloatArray:  # Any: nested lists, or arrays
    """Return rows of three numbers, (length, 3)."""
    try:
        found = np.array(list(values), dtype=np.float64)
    except ValueError:  # rows of different lengths
        found = np.empty(0)
    if found.shape != (length, 3):
        raise UsageError(
            f"{name} must be {length} rows of three numbers, row {row} of the table has {values!r:.100}"
        )
    return found


set_model(FrameModel())
