from fidsel.report.markup import Html, joined, tag


def test_texts_are_escaped_and_markup_is_not() -> None:
    assert tag("p", "<&>", Html("<br>")) == "<p>&lt;&amp;&gt;<br></p>"
    assert joined(["a<b", Html("<i>")], ", ") == "a&lt;b, <i>"
    assert isinstance(joined([]), Html)


def test_attributes_are_escaped_named_and_left_out() -> None:
    assert tag("td", title='"x" & y', class_="n", data_order="1", hidden=False) == (
        '<td title="&quot;x&quot; &amp; y" class="n" data-order="1"></td>'
    )
    assert tag("input", disabled=True) == "<input disabled>", "nothing closes it"
