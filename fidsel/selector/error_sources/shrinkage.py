"""Empirical-Bayes estimates of cluster errors from a few labels per cluster."""

import numpy as np

from fidsel.arrays import FloatArray, IntArray

PRIOR = 0.25
"""Prior of φ, counted as one degree of freedom: squared errors that spread by 100 %."""


def shrunk_rms(errors: FloatArray, clusters: IntArray, population: IntArray) -> FloatArray:
    """Return the estimated RMSE of each cluster, (k,), from the errors of random frames.

    On the scale of logarithms, where the noise of a cluster's RMSE is relative and so comparable
    between good and bad clusters. With m_c frames of cluster c, of N_c, and s_c = mean_i e_i²:

    ==== ============================================ ============================================
    y_c  ½ ln s_c                                     what cluster c itself says
    μ    ½ ln (Σ N_c s_c / Σ N_c)                     the overall RMSE, sampled clusters only
    φ    (¼ + ¼ Σ_i (e_i²/s_c − 1)²) / (1 + Σ (m_c − 1))  variance of y_c from one frame (delta method,
                                                      with one degree of freedom of prior)
    τ²   (Q − C + 1) / (Σ w − Σ w² / Σ w), ≥ 0        variance between the C clusters, with w_c = m_c/φ
                                                      and Q = Σ w (y − ȳ_w)² (DerSimonian–Laird)
    B_c  τ² / (τ² + φ/m_c)                            trust in the cluster
    ==== ============================================ ============================================

    RMSE_c = exp(B_c y_c + (1 − B_c) μ); a cluster without frames gets exp(μ).

    Parameters
    ----------
    errors : (m,) ≥ 0, frames drawn at random within clusters.
    clusters : (m,) their clusters, 0 .. k − 1.
    population : (k,) frames in each cluster.

    References
    ----------
    R. DerSimonian and N. Laird, Control. Clin. Trials 7, 177 (1986),
    doi:10.1016/0197-2456(86)90046-2.

    Examples
    --------
    >>> errors, clusters = np.array([1.0, 1.1, 3.0, 3.2]), np.array([0, 0, 1, 1])
    >>> shrunk_rms(errors, clusters, np.array([90, 10, 5])).round(2).tolist()
    [1.07, 2.93, 1.4]
    """
    k = len(population)
    counts = np.bincount(clusters, minlength=k)
    sampled = counts > 0
    square: FloatArray = np.bincount(clusters, errors**2, minlength=k).astype(np.float64)
    square[sampled] = square[sampled] / counts[sampled]
    overall = float(np.average(square[sampled], weights=np.maximum(population[sampled], 1)))
    if overall == 0:
        return np.zeros(k)
    square = np.maximum(square, 1e-6 * overall)  # a cluster without any error has no logarithm
    spare = int((counts[sampled] - 1).sum())
    spread = float(((errors**2 / square[clusters] - 1) ** 2).sum())
    phi = (PRIOR + spread / 4) / (1 + spare)
    y, mu = 0.5 * np.log(square[sampled]), 0.5 * np.log(overall)
    trust = _trust(y, counts[sampled], phi)
    out = np.full(k, np.exp(mu))
    out[sampled] = np.exp(trust * y + (1 - trust) * mu)
    return out


def _trust(y: FloatArray, counts: IntArray, phi: float) -> FloatArray:
    """Return B_c of each sampled cluster."""
    if len(y) == 1:
        return np.ones(len(y))
    w = counts / phi
    q = float((w * (y - np.average(y, weights=w)) ** 2).sum())
    between = max(0.0, (q - len(y) + 1) / (w.sum() - (w**2).sum() / w.sum()))
    return np.asarray(between / (between + phi / counts))
