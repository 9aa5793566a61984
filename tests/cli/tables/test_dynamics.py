"""What `md` prints; its tables are also read in tests/cli/commands/files/test_md.py."""

import pytest

from fidsel.cli.tables.dynamics import check_table, dynamics_tables

REPLICA = {"replica": 0, "temperature": 300.0, "step": 7, "time_fs": 3.5, "cause": "overlap", "detail": ""}
RUN = {
    "model": "painn", "system": "H2O", "timestep_fs": 0.5, "time_fs": 10.0, "survived": 0.5,
    "causes": {"overlap": 1}, "mean_temperature": 310.0, "drift_mev_per_atom_ps": None, "ns_per_day": 2.0,
    "replicas": [REPLICA, REPLICA | {"cause": None}],
}  # fmt: skip


def test_runs_and_what_ended_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    found = {"runs": [RUN], "largest_stable_step_fs": {"painn": None}, "notes": ["begun anew"]}
    dynamics_tables(found | {"candidates": 4})
    shown = capsys.readouterr()
    assert "1 overlap" in shown.out
    assert "replicas that ended" in shown.out
    assert "50" in shown.out
    assert "painn: of the time steps tried, none is stable" in shown.err
    assert "begun anew\n4 frames the model was unsure of" in shown.err
    many = RUN | {"replicas": [REPLICA] * 23}
    dynamics_tables(found | {"runs": [many]})
    assert "3 more ended" in capsys.readouterr().err


def test_conformers_are_shown_where_there_are_some(capsys: pytest.CaptureFixture[str]) -> None:
    rest = {
        "model": "painn", "system": "C4H10", "rmsd": 0.01, "bond_mae": 0.01, "angle_mae": 0.1,
        "frequency_mae": 5.0, "frequency_max": 9.0, "frequencies": [100.0], "torsions": [],
    }  # fmt: skip
    others = {"count": 3, "mae": 0.0123, "range": 0.0456, "same_lowest": False}
    check_table({"source": "gfn2", "checks": [rest | {"conformers": others}]})
    shown = capsys.readouterr().out
    assert "energies of conformers against gfn2" in shown
    assert all(text in shown for text in ("12.3", "45.6", "no"))
    check_table({"source": "gfn2", "checks": [rest | {"conformers": {"count": 0, "why": "rigid"}}]})
    assert "conformers" not in capsys.readouterr().out
