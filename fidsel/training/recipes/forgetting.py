"""What fine-tuning forgets: errors on cheap frames that no stage has learnt."""

import numpy as np

from fidsel.data import Frames
from fidsel.models.contract import ForceField
from fidsel.training.evaluate import errors


def forgetting(before: ForceField, after: ForceField, frames: Frames) -> dict[str, dict[str, float]]:
    """Return the mean absolute errors before and after fine-tuning; labels that no frame has are left out.

    Parameters
    ----------
    before, after : the pre-trained and the fine-tuned model.
    frames : held-out cheap frames, their energies aligned with the accurate level.

    Returns
    -------
    `force_mae` (eV/Å) and `energy_mae` (eV), each {"before": ..., "after": ...}.
    """
    known = {
        "force_mae": frames.has_forces.any(),
        "energy_mae": np.isfinite(frames.energy).any(),
    }
    if not any(known.values()):
        return {}
    found = {"before": errors(before, frames), "after": errors(after, frames)}
    return {
        name: {when: getattr(error, name) for when, error in found.items()}
        for name, there in known.items()
        if there
    }
