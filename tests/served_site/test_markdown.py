"""Markdown as HTML that is safe to show."""

import pytest

from async_downloads.site.markdown import MAX_MARKDOWN_BYTES, readme_of, rendered, rendered_readme
from async_downloads.sources.base import Entry


@pytest.mark.parametrize(
    ("text", "html"),
    [
        pytest.param("*a*", "<p><em>a</em></p>\n", id="emphasis"),
        pytest.param("~~a~~", "<p><s>a</s></p>\n", id="struck-out"),
        pytest.param("<script>alert(1)</script>", "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>\n", id="raw-html"),
        pytest.param("[a](b%20c.txt)", '<p><a href="b%20c.txt">a</a></p>\n', id="link"),
        pytest.param("[a](http://e.org/)", '<p><a href="http://e.org/">a</a></p>\n', id="link-elsewhere"),
        pytest.param("[a](javascript:alert(1))", "<p>[a](javascript:alert(1))</p>\n", id="script-in-a-link"),
        pytest.param("[a](JaVaScRiPt&#58;x)", "<p>[a](JaVaScRiPt:x)</p>\n", id="hidden-script-in-a-link"),
        pytest.param("[a](data:text/html,x)", "<p>[a](data:text/html,x)</p>\n", id="page-in-a-link"),
        pytest.param("![a](b.png)", '<p><img src="b.png" alt="a" /></p>\n', id="picture"),
        pytest.param("![a](http://e.org/b.png)", '<p><a href="http://e.org/b.png">a</a></p>\n', id="foreign-picture"),
        pytest.param("![](//e.org/b.png)", '<p><a href="//e.org/b.png">//e.org/b.png</a></p>\n', id="foreign-host"),
        pytest.param("# A b!\n## A b", '<h2 id="a-b">A b!</h2>\n<h3 id="a-b-1">A b</h3>\n', id="headings"),
        pytest.param("###### a", '<h6 id="a">a</h6>\n', id="smallest-heading"),
        pytest.param("    a<b", '<pre tabindex="0"><code>a&lt;b\n</code></pre>\n', id="indented-code"),
    ],
)
def test_markdown_becomes_html(text: str, html: str) -> None:
    assert rendered(text) == html


def test_code_has_colours_and_a_table_can_be_scrolled_by_keys() -> None:
    assert '<pre tabindex="0"><code class="code"><span class="k">def</span>' in rendered("```python\ndef f(): ...\n```")
    assert '<table tabindex="0">' in rendered("|a|\n|-|\n|b|")


def _files(*names: str) -> list[Entry]:
    return [Entry(name, False, 5) for name in names]


@pytest.mark.parametrize(
    ("entries", "name"),
    [
        (_files("a.md", "README.md", "README"), "README.md"),
        (_files("README", "readme.MD"), "readme.MD"),
        (_files("README.txt"), "README.txt"),
        (_files("README.rst", "README"), "README"),
        (_files("README.exe", "my README.md"), None),
        ([Entry("README.md", True)], None),
        ([Entry("README.md", False, MAX_MARKDOWN_BYTES + 1)], None),
        ([], None),
    ],
)
def test_the_readme_of_a_folder_is_markdown_if_there_is_any(entries: list[Entry], name: str | None) -> None:
    found = readme_of(entries)
    assert (found and found.name) == name


def test_a_readme_that_is_no_markdown_is_shown_as_it_is() -> None:
    assert rendered_readme("README", "*a* <b>") == '<pre tabindex="0">*a* &lt;b&gt;</pre>'
    assert rendered_readme("README.md", "*a*") == '<div class="md"><p><em>a</em></p>\n</div>'
