from pathlib import Path

import pytest
from jinja2 import TemplateNotFound, UndefinedError
from markupsafe import Markup
from ordergap.report.contents import Table
from ordergap.report.environment import environment

TABLE = "{% from 'macros.html' import table %}{{ table(content) }}"


def test_a_name_that_is_not_defined_is_an_error() -> None:
    with pytest.raises(UndefinedError, match="misspelt"):
        environment().from_string("{{ misspelt }}").render()


def test_what_is_not_marked_as_html_is_text() -> None:
    template = environment().from_string("{{ text }}")
    assert template.render(text="<b>") == "&lt;b&gt;"
    assert template.render(text=Markup("<b>")) == "<b>"


def test_another_package_finds_its_own_templates_and_those_of_the_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shop" / "templates").mkdir(parents=True)
    (tmp_path / "shop" / "__init__.py").touch()
    (tmp_path / "shop" / "templates" / "page.html").write_text(TABLE)
    monkeypatch.syspath_prepend(tmp_path)
    table = Table("Sold", ["", "Pieces"], [["Soap", "3"], ["Salt", "4"]], strong=[(1, 1)])
    page = environment("shop").get_template("page.html").render(content=table)
    assert '<tr><th scope="row">Soap</th><td class="n">3</td></tr>' in page
    assert '<tr><th scope="row">Salt</th><td class="n"><b>4</b></td></tr>' in page
    with pytest.raises(TemplateNotFound):
        environment().get_template("page.html")
