"""Contract checks of a label source: each is one rule, and fails with an AssertionError that names it."""

import json
import pickle
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from ase import Atoms

from fidsel.arrays import FloatArray
from fidsel.fidelity.engine.boundary import ENTRIES, label_or_error
from fidsel.fidelity.source import Label, LabelError, LabelSource, Value, WarmUp


def check_source(
    source: LabelSource, atoms: Atoms, *, invariance: float = 1e-6, forces: float = 1e-3
) -> None:
    """Check every rule of the contract that a calculation on one frame can show.

    A source of labels that exist already (a table) knows its own frames only: run `check_settings`,
    `check_picklable`, `check_label` and `check_input_untouched` on it.

    Parameters
    ----------
    atoms : a frame it can label, away from equilibrium so that its forces are not zero.
    invariance : eV and eV/Å, largest change of a label under translation and rotation; an integration
        grid of DFT needs some 1e-3.
    forces : eV/Å, largest difference between forces and finite differences of the energy.

    Raises
    ------
    AssertionError
        naming the first rule that is broken.

    Examples
    --------
    >>> from fidsel.fidelity.sources.calculator import CalculatorSource
    >>> check_source(CalculatorSource("emt"), Atoms("Cu2", [[0, 0, 0], [0.3, 0.2, 2.4]]))
    """
    check_settings(source)
    check_picklable(source)
    check_label(source, atoms)
    check_input_untouched(source, atoms)
    check_warm_up(source, atoms)
    check_not_finite(source, atoms)
    check_repeatable(source, atoms)
    check_translation(source, atoms, invariance)
    check_rotation(source, atoms, invariance)
    if source.forces:
        check_forces(source, atoms, forces)


def check_settings(source: LabelSource) -> None:
    """Check that settings are plain, finite values under string keys, and the same at every call."""
    settings = dict(source.settings())
    plain = (str, int, float, bool, type(None))
    for key, value in settings.items():
        fits = isinstance(key, str) and isinstance(value, plain)
        assert fits, f"setting {key!r} must be plain, got {value!r}"
    text = json.dumps(settings, sort_keys=True, allow_nan=False)
    again = json.dumps(dict(source.settings()), sort_keys=True, allow_nan=False)
    assert text == again, f"settings() must not change from call to call, got {text} and {again}"
    assert settings, "settings() must say what makes the number, got none"


def check_picklable(source: LabelSource) -> None:
    """Check that a source survives pickling, since labels are made in worker processes."""
    copy = pickle.loads(pickle.dumps(source))
    assert dict(copy.settings()) == dict(source.settings()), "a pickled copy must have the same settings"
    assert copy.forces == source.forces, "a pickled copy must offer the same forces"


def check_label(source: LabelSource, atoms: Atoms) -> None:
    """Check that a label is finite, has forces of the right shape where declared, and plain provenance.

    It is looked at as an engine does: what would be stored as an error breaks the rule, and what would be
    left out of its provenance too.
    """
    label = source.label(atoms.copy())
    assert isinstance(label, Label), f"label() must return a Label, got {type(label).__name__}"
    assert (label.forces is not None) == source.forces, (
        f"a source with forces = {source.forces} must label accordingly, got forces {label.forces}"
    )
    seen = label_or_error(_Returns(label, bool(source.forces)), atoms)
    assert isinstance(seen, Label), f"label() must return what can be stored: {seen}"
    stored = dict(seen.provenance) if isinstance(seen, Label) else {}
    said = dict(label.provenance)
    plain = (str, int, float, np.generic, type(None))
    lost = sorted(
        str(key)
        for key, value in said.items()
        if not isinstance(value, plain) or key not in stored or stored[key] != value
    )
    assert (lost, len(stored)) == ([], len(said)), (
        f"provenance must be plain texts and finite numbers, no more than {ENTRIES}, got others: {lost}"
    )


@dataclass(frozen=True)
class _Returns:
    """A source that has labelled already."""

    found: Label
    forces: bool

    def settings(self) -> Mapping[str, Value]:
        return {"kind": "returns"}

    def label(self, _: Atoms) -> Label:
        return self.found


def check_warm_up(source: LabelSource, atoms: Atoms) -> None:
    """Check that warming up, where a source offers it, changes neither its frame nor its label."""
    if not isinstance(source, WarmUp):
        return
    before = source.label(atoms.copy())
    frame = atoms.copy()
    source.warm_up(frame)
    assert (frame, frame.calc) == (atoms, None), "warm_up() must not change the atoms it is given"
    after = source.label(atoms.copy())
    assert _alike(before, after, 1e-9), (
        f"warm_up() must not change a label, got {before.energy!r} and {after.energy!r} eV"
    )


def check_input_untouched(source: LabelSource, atoms: Atoms) -> None:
    """Check that labelling does not change the frame, its `info`, its calculator or the caller's array."""
    frame = atoms.copy()
    info = dict(frame.info)
    source.label(frame)
    assert (frame, frame.calc) == (atoms, None), "label() must not change the atoms it is given"
    assert frame.info == info, f"label() must not change atoms.info, got {frame.info} from {info}"
    assert list(frame.arrays) == list(atoms.arrays), "label() must not add arrays to the atoms it is given"


def check_not_finite(source: LabelSource, atoms: Atoms) -> None:
    """Check that a position that is not a number raises LabelError."""
    frame = atoms.copy()
    frame.positions[-1, 1] = np.nan
    try:
        source.label(frame)
    except LabelError:
        return
    raise AssertionError("a frame with NaN positions must raise LabelError, got a label")


def check_repeatable(source: LabelSource, atoms: Atoms, tolerance: float = 1e-9) -> None:
    """Check that the same frame has the same label (eV, eV/Å), also after another one: no history."""
    first = source.label(atoms.copy())
    source.label(_displaced(atoms, 0.05))
    second = source.label(atoms.copy())
    assert _alike(first, second, tolerance), (
        f"the same frame must have the same label, got {first.energy!r} and {second.energy!r} eV "
        "with another frame between"
    )


def check_translation(source: LabelSource, atoms: Atoms, tolerance: float = 1e-6) -> None:
    """Check that a shifted frame has the same energy (eV) and forces (eV/Å)."""
    shifted = atoms.copy()
    shifted.translate([1.0, -2.0, 0.5])
    _compare("a shift", source.label(atoms.copy()), source.label(shifted), np.eye(3), tolerance)


def check_rotation(source: LabelSource, atoms: Atoms, tolerance: float = 1e-6) -> None:
    """Check that a rotated frame (cell included) has the same energy, eV, and turned forces, eV/Å."""
    rotation = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    rotation *= np.linalg.det(rotation)
    turned = atoms.copy()
    turned.set_cell(atoms.cell.array @ rotation)
    turned.positions = atoms.positions @ rotation
    _compare("a rotation", source.label(atoms.copy()), source.label(turned), rotation, tolerance)


def check_forces(
    source: LabelSource, atoms: Atoms, tolerance: float = 1e-3, components: int = 3, seed: int = 0
) -> None:
    """Check that forces are F = −∂E/∂x by fourth-order finite differences on some components.

    Parameters
    ----------
    source, atoms : what is checked, and where.
    tolerance : eV/Å.
    components : how many of the 3N components, drawn at random.
    """
    forces = source.label(atoms.copy()).forces
    if forces is None:
        raise AssertionError("a source with forces = True must give forces, got None")
    rng = np.random.default_rng(seed)
    for row in rng.choice(forces.size, size=min(components, forces.size), replace=False):
        atom, axis = divmod(int(row), 3)
        expected = _finite_difference(source, atoms, atom, axis)
        assert abs(forces[atom, axis] - expected) <= tolerance, (
            f"forces must be −dE/dx: atom {atom} along {'xyz'[axis]} has {forces[atom, axis]:.6f} eV/Å, "
            f"finite differences give {expected:.6f}"
        )


def _finite_difference(source: LabelSource, atoms: Atoms, atom: int, axis: int, step: float = 5e-3) -> float:
    def energy(steps: int) -> float:
        frame = atoms.copy()
        frame.positions[atom, axis] += steps * step
        return source.label(frame).energy

    return -(8 * (energy(1) - energy(-1)) - (energy(2) - energy(-2))) / (12 * step)


def _displaced(atoms: Atoms, size: float) -> Atoms:
    frame: Atoms = atoms.copy()
    frame.positions += np.random.default_rng(1).normal(scale=size, size=frame.positions.shape)
    return frame


def _compare(what: str, before: Label, after: Label, rotation: FloatArray, tolerance: float) -> None:
    change = abs(after.energy - before.energy)
    assert change <= tolerance, f"{what} must not change the energy, it does by {change:.2e} eV"
    if before.forces is not None and after.forces is not None:
        same = _same(before.forces @ rotation, after.forces, tolerance)
        assert same, f"forces must follow {what} to {tolerance} eV/Å"


def _alike(a: Label, b: Label, tolerance: float) -> bool:
    return abs(a.energy - b.energy) <= tolerance and _same(a.forces, b.forces, tolerance)


def _same(a: FloatArray | None, b: FloatArray | None, tolerance: float) -> bool:
    if a is None or b is None:
        return a is b
    return bool(np.abs(a - b).max() <= tolerance)
