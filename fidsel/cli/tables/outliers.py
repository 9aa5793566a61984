"""What `outliers` prints."""

from typing import TYPE_CHECKING, Any

from fidsel.cli.output import note, table

if TYPE_CHECKING:
    from fidsel.refine import ErrorShift
    from fidsel.report import ClusterDescription
    from fidsel.selector.cluster_error import ClusterErrors
    from fidsel.tasks.outliers import Found


def outlier_document(found: "Found", top: int) -> dict[str, Any]:
    """Return the errors of each side, the clusters and the worst frames as plain values."""
    outliers = found.outliers
    return {
        "unit": outliers.unit,
        "training_frames_left_out": len(outliers.rows("training")),
        "sides": {
            side: errors.to_dict() | {"clusters": clusters.to_dict()}
            for side, (errors, clusters) in outliers.by_side().items()
        },
        "clusters": [_cluster(row) for row in outliers.described.rows],
        "frames": [_frame(found, int(row)) for row in outliers.worst(top)],
        "findings": words(found),
        "notes": list(found.notes),
        **({} if found.shift is None else {"shift": found.shift.to_dict()}),
    }


def words(found: "Found") -> list[str]:
    """Return what is unusual about the worst cluster, in sentences."""
    from fidsel.report.sentences import as_text, findings

    report = found.outliers.report("")
    return [as_text(sentence, f"m{found.outliers.unit}") for sentence in findings(report)]


def outlier_tables(found: "Found", top: int) -> None:
    """Print the clusters from the worst on, the worst frames, and what marks the worst cluster."""
    outliers = found.outliers
    unit, sides = f"m{outliers.unit}", outliers.by_side()
    kinds = [f"{kind} {side} {unit}" for side in sides for kind in ("RMSE", "MAE")]
    columns = ["cluster", "frames", *kinds, "what marks it"]
    rows = []
    for row in outliers.described.rows[:top]:
        errors = [cell for _, clusters in sides.values() for cell in _cluster_cells(clusters, row.cluster)]
        rows.append([str(row.cluster), row.size, *errors, _marks(row)])
    table(f"the worst {len(rows)} of {int(outliers.clusters.max()) + 1} clusters", columns, rows)
    listed = [_frame(found, int(row)) for row in outliers.worst(top)]
    columns = ["file", "frame", "side", "cluster", f"RMSE {unit}", "MAE", "× its cluster's"]
    cells = [
        [
            one["file"],
            str(one["frame"]),
            one["side"],
            str(one["cluster"]),
            1000 * one["error"],
            1000 * one["mae"],
            one["ratio"],
        ]
        for one in listed
    ]
    table("the worst frames", columns, cells, text=4)
    if found.shift is not None:
        _shift_table(found.shift)
    for side, (whole, _) in sides.items():
        rmse, mae = 1000 * whole.error("rmse"), 1000 * whole.error("mae")
        note(f"{side}: RMSE {rmse:.4g}, MAE {mae:.4g} {unit} over {whole.frames} frames")
    for text in [*words(found), *found.notes]:
        note(text)


def _shift_table(found: "ErrorShift") -> None:
    """Print how errors go with each measure, and the verdict on each system."""
    unit = f"m{found.unit}"
    quarters = [f"RMSE {unit}, {name}" for name in ("nearest quarter", "2nd", "3rd", "farthest")]
    rows = [
        [name, one.rank, *(None if value is None else 1000 * value for value in one.rmse)]
        for name, one in found.trends.items()
    ]
    table("errors against the distance from training", ["measure", "rank correlation", *quarters], rows)
    for system in found.shift.systems:
        note(f"{system.name}, {system.frames} frames: {system.verdict}")
        for text in system.notes:
            note(f"{system.name}: {text}")


def _cluster_cells(found: "ClusterErrors", cluster: int) -> list[float | None]:
    if cluster not in found.cluster:
        return [None, None]
    return [1000 * found.rmse_of(cluster), 1000 * found.mae[found.cluster.index(cluster)]]


def _marks(row: "ClusterDescription") -> str:
    if row.molecules:
        return ", ".join(f"{name} {count}" for name, count in row.molecules)
    return "; ".join(f"{m.label} {m.mean:.2f} Å (elsewhere {m.elsewhere:.2f})" for m in row.marks[:2])


def _cluster(row: "ClusterDescription") -> dict[str, Any]:
    return {
        "cluster": row.cluster,
        "frames": row.size,
        "rmse": row.rmse,
        "marks": [
            {"atoms": m.label, "mean": m.mean, "elsewhere": m.elsewhere, "shift": m.shift} for m in row.marks
        ],
        "molecules": dict(row.molecules),
    }


def _frame(found: "Found", row: int) -> dict[str, Any]:
    outliers, (file, place) = found.outliers, found.place(row)
    return {
        "file": file,
        "frame": place,
        "id": outliers.frames.ids[row],
        "side": str(outliers.sides[row]),
        "cluster": int(outliers.clusters[row]),
        "error": float(outliers.errors[row]),
        "mae": float(outliers.maes[row]),
        "ratio": float(outliers.ratio[row]),
    }
