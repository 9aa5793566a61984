"""Harmonic vibrations: from a Hessian to modes and their wavenumbers."""

import numpy as np
from ase.units import _e, _hbar, invcm, s

from fidsel.arrays import FloatArray

HBAR = _hbar / _e * s
"""eV × ASE time unit."""


def vibrations(hessian: FloatArray, minimum: FloatArray, masses: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return ω² (m,) eV/(u·Å²), rising, and modes (m, N, 3) 1/√u, translations and rotations left out.

    Parameters
    ----------
    hessian : (3N, 3N) eV/Å².
    minimum : (N, 3) Å.
    masses : (N,) u.
    """
    weight = np.repeat(masses, 3) ** -0.5
    internal = internal_motions(minimum, masses)
    values, vectors = np.linalg.eigh(internal.T @ (weight[:, None] * hessian * weight) @ internal)
    cartesian = weight * (internal @ vectors).T
    return values, cartesian.reshape(len(values), *minimum.shape)


def wavenumbers(values: FloatArray) -> FloatArray:
    """Return 1/cm of ω², eV/(u·Å²); imaginary ones are negative."""
    return np.asarray(np.sign(values) * HBAR * np.sqrt(np.abs(values)) / invcm)


def internal_motions(minimum: FloatArray, masses: FloatArray) -> FloatArray:
    """Return (3N, m) an orthonormal basis of motions that are no translation and no rotation."""
    centred = minimum - masses @ minimum / masses.sum()
    root = np.sqrt(masses)[:, None]
    axes = np.eye(3)
    rigid = [np.broadcast_to(axis, minimum.shape) * root for axis in axes]
    rigid += [np.cross(axis, centred) * root for axis in axes]
    basis, size, _ = np.linalg.svd(np.reshape(rigid, (6, -1)).T, full_matrices=True)
    return basis[:, int((size > 1e-4 * size[0]).sum()) :]
