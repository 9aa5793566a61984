"""Pools of several molecules: each is sampled by itself, and all have an equal share of the frames."""

from collections.abc import Callable, Mapping, Sequence

from fidsel.data import Frames
from fidsel.data.seed import named_rng
from fidsel.exceptions import FidselError, UsageError
from fidsel.fidelity.molecules.family import group_of
from fidsel.fidelity.molecules.molecule import Molecule
from fidsel.md.sampling.pool import join, split_evenly
from fidsel.md.sampling.report import Sample

Sampler = Callable[[Molecule, int, Sequence[float], int], Sample]
"""Gives so many frames of a molecule at some temperatures, K, for a seed: `sample` or `normal_modes`."""


def sample_family(
    molecules: Mapping[str, Molecule],
    frames: int,
    temperatures: Sequence[float],
    seed: int,
    sampler: Sampler,
) -> Frames:
    """Return exactly `frames` configurations of some molecules, as many of each as of any other.

    Where `frames` is no multiple of their number, the first ones have one more. Of several molecules each has
    a seed of its own, made of `seed` and its SMILES: its frames are the same whatever molecules stand beside
    it, as long as its share is. The groups of its frames begin with its name.

    Parameters
    ----------
    molecules : by name, at least one.

    Raises
    ------
    UsageError
        for fewer frames than molecules, and see the sampler.
    FidselError
        where some could not be sampled, naming all of these: a pool without them would be of other molecules
        than those asked for.
    """
    if len(molecules) == 1:
        (made,) = molecules.values()
        return sampler(made, frames, temperatures, seed).frames
    if frames < len(molecules):
        raise UsageError(
            f"{len(molecules)} molecules need a frame each at least, got pool.frames = {frames}: raise it"
        )
    parts, failed = [], []
    for (name, made), share in zip(molecules.items(), split_evenly(frames, len(molecules)), strict=True):
        own = int(named_rng(seed, f"pool {made.smiles}").integers(1, 2**31))
        try:
            found = sampler(made, share, temperatures, own).frames
        except FidselError as error:
            failed.append(f"{name}: {str(error).rstrip('. ')}")
        else:
            parts.append(found.replace(group=[group_of(name, str(group)) for group in found.group]))
    if failed:
        raise FidselError(
            f"{len(failed)} of {len(molecules)} molecules could not be sampled, so that there is no pool: "
            f"{'; '.join(failed)}. Leave them out, or lower pool.temperature; frames of other origin are "
            "read by pool.source = 'file'"
        )
    return join(parts)
