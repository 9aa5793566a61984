"""The table of molecules: a row for each, errors in the unit that the reader chose."""

import re

from fidsel.report.document import Report
from fidsel.report.molecules import MoleculeLine, molecule_table
from fidsel.report.page import page

LINES = (
    MoleculeLine("methanol", 4, 0.0123, "3 hf, 20 gfn1", "4 labels", 2),
    MoleculeLine("<b>", 0, None, "0 hf", "0 labels", 0),
)


def test_a_row_for_each_molecule() -> None:
    table = molecule_table(LINES, "eV/Å")
    rows = re.findall(r"<tr>(.*?)</tr>", table)[1:]
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in rows]
    assert [row[0] for row in cells] == ["methanol", "&lt;b&gt;"]
    assert ">12.3<" in cells[0][1]
    assert cells[0][2:] == ["4", "3 hf, 20 gfn1", "4 labels", "2"]
    assert cells[1][1] == "–"


def test_a_page_has_it_where_there_are_several() -> None:
    assert 'id="molecules"' in page(Report("two", molecules=LINES))
    assert 'id="molecules"' not in page(Report("one"))
