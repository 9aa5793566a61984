"""Contract checks for force fields; each raises `AssertionError` naming the rule that is broken."""

import tempfile
from collections.abc import Sequence

import numpy as np
from numpy.polynomial.chebyshev import chebfit, chebint, chebval

from fidsel.arrays import FloatArray, IntArray
from fidsel.data import Frames
from fidsel.exceptions import UsageError
from fidsel.models import ForceField, Prediction, load
from fidsel.models.files import content_digest

POINTS = 16
"""On a path that forces are checked along."""
NOISE = 0.05
"""Part of the forces that their check may leave open."""


def check_force_field(
    model: ForceField,
    frames: Frames,
    *,
    swap: Sequence[int] | None = None,
    periodic: bool = False,
    tolerance: float = 1e-6,
) -> None:
    """Run every check of a trained force field: what holds for any, however accurate it is.

    Rules are looked at where the frames are, so these should be such as the model is for: distorted, their
    forces not zero. One translation, rotation and permutation stand for all.

    Parameters
    ----------
    model : a model that can predict, on the CPU: bits of other devices are not compared.
    frames : at least two configurations it can treat, of one molecule.
    swap : a permutation of the atoms that the molecule's energy does not feel; None = it has none.
    periodic : whether the model says that it treats crystals.
    tolerance : eV and eV/Å, agreement asked of predictions that must be equal; 1e-4 suits float32 where
        forces are below some 10 eV/Å. The check of forces finds its own limit in either precision.
    """
    check_shapes(model, frames)
    check_inputs_unchanged(model, frames)
    check_deterministic(model, frames)
    check_forces_are_gradients(model, frames)
    check_translation(model, frames, tolerance)
    check_rotation(model, frames, tolerance)
    if swap is not None:
        check_permutation(model, frames, swap, tolerance)
    check_batch_equals_single(model, frames, tolerance)
    check_padding(model, frames, tolerance)
    check_saving(model, frames)
    check_moving(model, frames)
    check_calculator(model, frames, tolerance)
    check_other_level_refused(model, frames)
    if not periodic:
        check_periodic_refused(model, frames)


def check_shapes(model: ForceField, frames: Frames) -> None:
    """Check that energies are (n_frames,), forces (n_atoms, 3), all finite float64."""
    p = model.predict(frames)
    for name, array, shape in (
        ("energy", p.energy, (len(frames),)),
        ("forces", p.forces, (len(frames.numbers), 3)),
    ):
        assert array.shape == shape, f"{name} must have shape {shape}, got {array.shape}"
        assert array.dtype == np.float64, f"{name} must be float64, got {array.dtype}"
        assert np.isfinite(array).all(), f"{name} must be finite"


def check_inputs_unchanged(model: ForceField, frames: Frames) -> None:
    """Check that predicting writes to no array of the frames."""
    before = {name: getattr(frames, name).copy() for name in ("numbers", "positions", "cell")}
    model.predict(frames)
    for name, array in before.items():
        assert (getattr(frames, name) == array).all(), f"predict must not write to frames.{name}"


def check_deterministic(model: ForceField, frames: Frames) -> None:
    """Check that the same frames give the same bits twice in one process."""
    first, second = model.predict(frames), model.predict(frames)
    assert (first.energy == second.energy).all(), "predict must give the same energies twice"
    assert (first.forces == second.forces).all(), "predict must give the same forces twice"


def check_forces_are_gradients(
    model: ForceField, frames: Frames, relative: float = 1e-4, length: float = 4e-3
) -> None:
    """Check F = −∇E: along a short path, the energy changes by the work of the forces.

    Paths start at each frame, one along its forces and one in a random direction of all coordinates. The
    slope of E(t) + ∫F·dx, which must be zero, is fitted to points on the path, so that their scatter tells
    how well it is known. It may be off by `relative` and 6 standard errors of the fit. Of networks in their
    default sizes these are below 1e-5 of the forces in float64; in float32 they are 0.03–0.2 % for
    formaldehyde and 0.1–0.9 % for 21 atoms, and a force that is wrong by less is not found. Where they
    exceed `NOISE` of the forces, the energies are too rough to tell, and the check fails.

    Parameters
    ----------
    relative : largest error of the slope in units of the frame's root mean square force component, or of
        0.1 eV/Å where that is less.
    length : Å, of each path.
    """
    random = np.random.default_rng(0).normal(size=frames.positions.shape)
    forces = model.predict(frames).forces
    size = np.maximum(np.sqrt(frames.sum_per_frame(forces**2).mean(1) / frames.sizes), 0.1)
    for direction in (forces, random):
        norm = np.sqrt(frames.sum_per_frame(direction**2).sum(1)).clip(np.finfo(float).tiny)
        path = length * direction / np.repeat(norm, frames.sizes)[:, None]
        slope, deviation = (values / length for values in _unbalanced(model, frames, path))
        unsure = int((deviation / size).argmax())
        assert (deviation <= NOISE * size).all(), (
            f"energies must be smooth: those of frame {unsure} scatter so much along {length:g} Å that "
            f"their slope is known to {deviation[unsure]:.3g} eV/Å only; take frames with larger forces, or "
            "add large constants in float64"
        )
        limit = relative * size + deviation
        worst = int((np.abs(slope) / limit).argmax())
        assert (np.abs(slope) <= limit).all(), (
            f"forces must be −∇E to {relative:g}: frame {worst} is off by {abs(slope[worst]):.3g} eV/Å "
            f"(allowed {limit[worst]:.3g})"
        )


def check_translation(model: ForceField, frames: Frames, tolerance: float = 1e-6) -> None:
    """Check that a shift of all atoms by 2.6 Å changes neither energy (eV) nor forces (eV/Å)."""
    moved = model.predict(_moved(frames, np.array([1.3, -0.7, 2.1])))
    _assert_equal(model.predict(frames), moved, tolerance, "a translation must change nothing")


def check_rotation(model: ForceField, frames: Frames, tolerance: float = 1e-6) -> None:
    """Check that a rotation about the origin leaves energies (eV) and rotates forces (eV/Å)."""
    q, r = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))
    rotation = q * np.sign(np.diag(r))
    rotation *= np.linalg.det(rotation)
    centred = frames.positions @ rotation.T
    turned = model.predict(frames.replace(positions=centred))
    plain = model.predict(frames)
    expected = Prediction(plain.energy, plain.forces @ rotation.T)
    _assert_equal(expected, turned, tolerance, "a rotation must leave energies and rotate forces")


def check_permutation(
    model: ForceField, frames: Frames, swap: Sequence[int], tolerance: float = 1e-6
) -> None:
    """Check that exchanging equal atoms leaves energies and exchanges forces.

    Parameters
    ----------
    swap : (N,) permutation of each frame's atoms within their elements.
    """
    rows = (frames.offsets[:-1, None] + np.asarray(swap)).ravel()
    assert (frames.numbers[rows] == frames.numbers).all(), "swap must permute atoms within their elements"
    plain, swapped = model.predict(frames), model.predict(frames.replace(positions=frames.positions[rows]))
    expected = Prediction(plain.energy, plain.forces[rows])
    _assert_equal(expected, swapped, tolerance, "exchanging equal atoms must only exchange their forces")


def check_batch_equals_single(model: ForceField, frames: Frames, tolerance: float = 1e-6) -> None:
    """Check that a frame's prediction does not depend on frames of the same molecule beside it."""
    singles = [model.predict(frames[[i]]) for i in range(len(frames))]
    together = Prediction(
        np.concatenate([p.energy for p in singles]), np.concatenate([p.forces for p in singles])
    )
    _assert_equal(model.predict(frames), together, tolerance, "a batch must give what its frames give alone")


def check_padding(model: ForceField, frames: Frames, tolerance: float = 1e-6) -> None:
    """Check that larger and smaller molecules in a batch leave the others' predictions as they are.

    The molecule twice, far apart, and without its last atom (if it has two or more) are put beside the
    frames. A model that refuses one of them alone is for other molecules, and need not predict it in a batch.
    """
    first, apart = frames[:1], np.array([[0.0, 0.0, np.ptp(frames.positions) + 10.0]])
    numbers, positions = first.numbers, first.positions
    sizes = [_molecule(first, np.tile(numbers, 2), np.concatenate([positions, positions + apart]))]
    if len(numbers) > 1:
        sizes.append(_molecule(first, numbers[:-1], positions[:-1]))
    for others in sizes:
        try:
            alone = model.predict(others)
        except UsageError:
            continue
        plain, mixed = model.predict(frames), model.predict(frames + others)
        expected = Prediction(
            np.concatenate([plain.energy, alone.energy]), np.concatenate([plain.forces, alone.forces])
        )
        _assert_equal(expected, mixed, tolerance, "molecules of other sizes in a batch must change nothing")


def check_saving(model: ForceField, frames: Frames) -> None:
    """Check that a saved and loaded model has the same kind, level and predictions, to the bit."""
    with tempfile.TemporaryDirectory() as folder:
        again = load(model.save(folder))
    assert type(again) is type(model), (
        f"loading must return {type(model).__name__}, got {type(again).__name__}"
    )
    assert again.level == model.level, f"loading must keep level {model.level!r}, got {again.level!r}"
    _assert_equal(model.predict(frames), again.predict(frames), 0.0, "a loaded model must predict the same")


def check_moving(model: ForceField, frames: Frames, device: str = "cpu", tolerance: float = 0.0) -> None:
    """Check that the model on a device is the same one: its class, its files, its predictions.

    Parameters
    ----------
    device : see `ForceField.to`.
    tolerance : eV and eV/Å; devices differ in the last digits.
    """
    moved = model.to(device)
    assert type(moved) is type(model), (
        f"to({device!r}) must return {type(model).__name__}, got {type(moved).__name__}"
    )
    same = digest_of(model) == digest_of(moved)
    assert same, f"what is saved must not depend on the device, it does after to({device!r})"
    _assert_equal(
        model.predict(frames), moved.predict(frames), tolerance, f"to({device!r}) must predict the same"
    )


def check_calculator(model: ForceField, frames: Frames, tolerance: float = 1e-6) -> None:
    """Check that the ASE calculator gives energy and forces of `predict`, on the first frame."""
    atoms = frames[0]
    atoms.calc = model.calculator()
    by_ase = Prediction(np.array([atoms.get_potential_energy()]), atoms.get_forces())
    _assert_equal(
        model.predict(frames[[0]]), by_ase, tolerance, "the calculator must give what predict gives"
    )


def check_other_level_refused(model: ForceField, frames: Frames) -> None:
    """Check that asking for a level of theory the model does not know is a `UsageError`."""
    _assert_refused(model, frames, "a level the model does not know", level="no such level")


def check_periodic_refused(model: ForceField, frames: Frames) -> None:
    """Check that a model for molecules refuses frames in a periodic box with a `UsageError`."""
    crystal = frames.replace(pbc=True, cell=np.tile(20 * np.eye(3), (len(frames), 1, 1)))
    _assert_refused(model, crystal, "a periodic frame")


def digest_of(model: ForceField) -> str:
    """Return a hash of what a model's files hold."""
    with tempfile.TemporaryDirectory() as folder:
        return content_digest(model.save(folder))


def _unbalanced(model: ForceField, frames: Frames, path: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the change of energy plus work of the forces, ∫F·dx, along a path, and 6 standard errors of it.

    Parameters
    ----------
    path : (n_atoms, 3) Å, straight from the frames to its end.

    Returns
    -------
    (n_frames,) eV each.
    """
    u = np.linspace(-1, 1, POINTS)
    points = [model.predict(_moved(frames, 0.5 * (1 + x) * path)) for x in u]
    power = np.stack([frames.sum_per_frame(p.forces * path).sum(1) for p in points])
    work = chebval(u, chebint(chebfit(u, power, 4), scl=0.5)).T
    balance = np.stack([p.energy for p in points])
    balance = balance - balance[0] + work
    line = chebfit(u, balance, 1)
    scatter = balance - chebval(u, line).T
    error = np.sqrt((scatter**2).sum(0) / (POINTS - 2) / (u**2).sum())
    return 2 * line[1], 6 * 2 * error


def _moved(frames: Frames, shift: FloatArray) -> Frames:
    return frames.replace(positions=frames.positions + shift)


def _molecule(like: Frames, numbers: IntArray, positions: FloatArray) -> Frames:
    """Return one frame of other atoms with the cell, level, charge and spin of a frame."""
    given = {name: getattr(like, name) for name in ("cell", "pbc", "charge", "spin", "level")}
    return Frames.stack(numbers, positions[None], **given)


def _assert_equal(expected: Prediction, got: Prediction, tolerance: float, rule: str) -> None:
    for name in ("energy", "forces"):
        difference = np.abs(getattr(expected, name) - getattr(got, name)).max()
        assert difference <= tolerance, f"{rule}: {name} differ by {difference:.3g} (allowed {tolerance:g})"


def _assert_refused(model: ForceField, frames: Frames, what: str, level: str | None = None) -> None:
    try:
        model.predict(frames, level)
    except UsageError:
        return
    raise AssertionError(f"{what} must be refused with a UsageError")
