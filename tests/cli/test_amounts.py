"""Amounts are printed in the unit that the budget was written in, by every command that prints some."""

import re
from pathlib import Path

import pytest
from command_line import fidsel
from tiny_campaign import run, write_campaign

from fidsel.cli.amounts import femtoseconds, kelvin
from fidsel.exceptions import UsageError

OTHER = re.compile(r"\d core-(s|h)\b")


def test_plan_status_and_report_use_the_unit_that_was_written(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = write_campaign(tmp_path, cheap="slow = 0.6", accurate="slow = 6.0")
    given = [f"fidelity.{i}.price={{per='core-second',value=1}}" for i in (0, 1)]
    given += ["fidelity.0.options.seconds=0.6", "fidelity.1.options.seconds=6.0"]
    given += ["budget={total=2, unit='core-min'}", "campaign.rounds=0", "campaign.control=owned"]
    plan = fidsel(capfd, "plan", "-C", folder, *given)
    assert plan.code == 0, plan.err
    assert "plan for 2 core-min" in plan.out
    assert "per label: cheap 0.01 core-min, accurate 0.11 core-min" in plan.err
    assert "beside the budget of 2 core-min: 10 test labels, 1 core-min, 1 min on 1 workers" in plan.err
    run(folder, *given)
    status = fidsel(capfd, "status", "-C", folder, *given)
    assert status.out.count("core-min") == 3, "predicted, cost and spent"
    assert "budget 2 core-min, spent" in status.err
    report = fidsel(capfd, "report", "-C", folder, *given)
    assert re.search(r"spent: [\d.]+ core-min of 2 core-min", report.err)
    for found in (plan, status, report):
        # less than a thousandth of the unit is told in a smaller one: how long a kernel trains is not given
        shown = re.sub(r"(training|setup) [0-9.e-]+ core-s", "", found.out + found.err)
        assert not OTHER.search(shown)
    small = [*given, "budget={total=0.5, unit='core-min'}"]
    refused = fidsel(capfd, "plan", "-C", write_campaign(tmp_path / "other", cheap="slow = 0.6",
                     accurate="slow = 6.0"), *small)  # fmt: skip
    assert refused.code == 2
    assert "the budget of 0.5 core-min cannot pay for this campaign" in refused.err
    assert "take 0.872 core-min" in refused.err
    assert not OTHER.search(refused.err)


def test_times_and_temperatures_take_their_units() -> None:
    assert [femtoseconds(text) for text in ("2", "2fs", "1.5 ps", "1e-3ns")] == [2.0, 2.0, 1500.0, 1000.0]
    assert [kelvin(text) for text in ("300", " 300K", "1e2 K")] == [300.0, 300.0, 100.0]
    for text in ("soon", "3 h", "", "-"):
        with pytest.raises(UsageError):
            femtoseconds(text)
    with pytest.raises(UsageError, match="'warm' holds no number"):
        kelvin("warm")
