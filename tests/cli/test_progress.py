import pytest

from fidsel.cli.progress import PlainLines


def test_plain_lines_say_when_work_begins_and_ends(capsys: pytest.CaptureFixture[str]) -> None:
    report = PlainLines()
    for done in range(101):
        report("labels", done, 100)
    assert capsys.readouterr().err == "labels: 0/100\nlabels: 100/100\n"
