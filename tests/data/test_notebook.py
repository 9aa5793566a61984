from fidsel.data.notebook import html_table


def test_cells_are_escaped_and_nothing_is_a_dash() -> None:
    shown = html_table("a & b", ("x", "<y>"), [(1, None), (0.123456, "<b>")], ["note & more"])
    assert shown == (
        "<table><caption>a &amp; b</caption><tr><th>x</th><th>&lt;y&gt;</th></tr>"
        "<tr><td>1</td><td>–</td></tr><tr><td>0.1235</td><td>&lt;b&gt;</td></tr></table>"
        "<ul><li>note &amp; more</li></ul>"
    )
