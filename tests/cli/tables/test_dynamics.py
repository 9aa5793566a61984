"""What `md` prints; its tables are also read in tests/cli/commands/files/test_md.py."""

import pytest

from fidsel.cli.tables.dynamics import dynamics_tables

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
