"""The reference page as a browser, a screen reader and a stranger meet it."""

import itertools
import re
import shlex
from html.parser import HTMLParser

import pytest

from gongyu.web.openapi_examples import NoExampleError, example_of
from gongyu.web.problems import CATALOGUE
from gongyu.web.reference_page import groups_of, prose

from .conftest import Site

# How handlers take their `Call`, `Limit` and `Cursor`: Litestar wants them marked before its version 3.
pytestmark = pytest.mark.filterwarnings("ignore::litestar.exceptions.LitestarDeprecationWarning")

PAGE = "/api/v1/ezhou/docs"
VOID = {"meta", "link", "wbr", "br", "img", "input", "hr"}


class Page(HTMLParser):
    """What a browser would build, and the mistakes it would hide."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.wrong: list[str] = []
        self.words: list[tuple[tuple[str, ...], str]] = []
        self.feed(html)
        self.wrong += [f"<{tag}> is not closed" for tag in self.open]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"</{tag}> closes something else")

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.words.append((tuple(self.open), data))

    def values(self, name: str) -> list[str]:
        return [value for _, attributes in self.tags if (value := attributes.get(name))]

    def text(self, tag: str) -> list[str]:
        return [words for inside, words in self.words if inside and inside[-1] == tag]


async def test_page_is_whole_and_leads_nowhere_else(site: Site) -> None:
    answer = await site.get(PAGE)
    page = Page(answer.text)
    assert (answer.status_code, page.wrong) == (200, [])
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    links = page.values("href")
    assert [link for link in links if link.startswith("#") and link[1:] not in ids] == []
    assert [reference for reference in page.values("aria-labelledby") if reference not in ids] == []
    assert [link for link in links + page.values("src") if not link.startswith(("#", "/", "?lang="))] == []
    for link in (link for link in links if link.startswith("/")):
        assert (await site.get(link)).status_code == 200, link
    assert [
        name for _, attributes in page.tags for name in attributes if name == "style" or name.startswith("on")
    ] == []
    assert not {"script", "style", "iframe", "form", "img"} & {tag for tag, _ in page.tags}


async def test_page_has_landmarks_and_headings_without_gaps(site: Site) -> None:
    page = Page((await site.get(PAGE)).text)
    tags = [tag for tag, _ in page.tags]
    assert [tags.count(tag) for tag in ("header", "nav", "main", "footer", "h1")] == [1, 1, 1, 1, 1]
    levels = [int(tag[1]) for tag in tags if re.fullmatch("h[1-6]", tag)]
    assert [pair for pair in itertools.pairwise(levels) if pair[1] > pair[0] + 1] == []
    first_link = next(attributes for tag, attributes in page.tags if tag == "a")
    assert first_link["href"] == "#content"


async def test_page_may_load_nothing_but_our_own_style(site: Site) -> None:
    headers = (await site.get(PAGE)).headers
    assert headers["content-security-policy"].startswith("default-src 'none'; style-src 'self'; img-src 'self';")
    assert "script" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-type"] == "text/html; charset=utf-8"


async def test_page_speaks_the_language_asked_for(site: Site) -> None:
    asked = {
        "nothing": await site.get(PAGE),
        "header": await site.get(PAGE, accept_language="en-GB,en;q=0.9,zh;q=0.5"),
        "query": await site.get(f"{PAGE}?lang=en", accept_language="zh"),
        "query back": await site.get(f"{PAGE}?lang=zh", accept_language="en"),
        "unknown": await site.get(f"{PAGE}?lang=fr"),
    }
    seen = {how: (Page(page.text).values("lang")[0], page.headers["content-language"]) for how, page in asked.items()}
    zh, en = ("zh-CN", "zh-CN"), ("en", "en")
    assert seen == {"nothing": zh, "header": en, "query": en, "query back": zh, "unknown": zh}
    titles = [Page(asked[how].text).text("a") for how in ("nothing", "query")]
    assert ["列出书目" in titles[0], "List the books" in titles[1]] == [True, True]
    assert "Add a book" in titles[0]  # its author gave no Chinese title; better in English than not at all


async def test_page_shows_what_to_send_and_what_comes_back(site: Site) -> None:
    document = (await site.get("/api/v1/ezhou/openapi.json")).json()
    shelf = next(group for group in groups_of(document, "zh") if group.id == "tag-shelf")
    add = next(entry for entry in shelf.entries if entry.id == "shelf_add_book")
    assert (add.method, add.path, add.permission["name"]) == ("POST", "/api/v1/ezhou/shelf/books", "shelf.book.add")
    sent, created = add.request[0].field, add.answers[0].contents[0].field
    assert sent is not None
    assert created is not None
    asked = {field.name: (field.type, field.required, list(field.notes)) for field in sent.children}
    assert asked == {
        "title": ("string", True, ["最短 1", "最长 100"]),
        "pages": ("integer", False, ["最小 1", "最大 5000", "默认 100"]),
        "lent_until": ("date | null", False, ["默认 null"]),
    }
    assert shlex.split(add.curl.replace("\\\n", "")) == [
        *("curl", "-X", "POST", "$GONGYU_URL/api/v1/ezhou/shelf/books"),
        *("-H", "Authorization: Bearer $GONGYU_TOKEN", "-H", "Content-Type: application/json"),
        *("-d", '{"title": "草房子", "pages": 100, "lent_until": null}'),
    ]
    chapters = next(field for field in created.children if field.name == "chapters")
    parts = next(field for field in chapters.children if field.name == "parts")
    assert (chapters.type, parts.type, list(parts.children)) == ("object[]", "Chapter[]", [])
    assert [answer.problems for answer in add.answers if answer.status == "413"] == [["too-large"]]


async def test_words_of_a_plugin_are_text_and_never_markup(site: Site) -> None:
    html = (await site.get(PAGE)).text
    assert "<b>" not in html
    assert "&lt;b&gt;只&lt;/b&gt;为测试" in html
    assert "<code>&lt;i&gt;markup&lt;/i&gt;</code>" in html
    assert str(prose("a `<i>` **b**\n\nc & d")) == "<p>a <code>&lt;i&gt;</code> <strong>b</strong></p><p>c &amp; d</p>"


async def test_page_of_a_district_leaves_out_what_is_off(site: Site) -> None:
    of_district, whole = [(await site.get(path)).text for path in (PAGE, "/docs")]
    assert ["shelf_list_books" in page for page in (of_district, whole)] == [True, True]
    assert ["attic_list_books" in page for page in (of_district, whole)] == [False, True]
    assert (await site.get("/api/v1/nowhere/docs")).json()["type"] == "/problems/unknown-district"


async def test_type_of_a_problem_leads_to_its_explanation(site: Site) -> None:
    anchors = set(Page((await site.get("/docs")).text).values("id"))
    for kind in CATALOGUE:
        location = (await site.get(f"/problems/{kind}")).headers["location"]
        assert location == f"/docs#problem-{kind}"
        assert location.partition("#")[2] in anchors
    assert (await site.get("/problems/nothing")).status_code == 404


async def test_assets_are_kept_for_ever_by_their_content(site: Site) -> None:
    page = Page((await site.get(PAGE)).text)
    style = next(str(attributes["href"]) for tag, attributes in page.tags if tag == "link")
    now = await site.get(style)
    before = await site.get("/docs/assets/reference.0123456789.css")  # the page of a process not yet upgraded
    assert (now.headers["cache-control"], before.headers["cache-control"]) == (
        "public, max-age=31536000, immutable",
        "no-cache",
    )
    assert now.headers["content-type"].startswith("text/css")
    assert before.content == now.content
    assert b"url(" not in now.content
    icon = await site.get("/favicon.ico")
    assert (icon.status_code, icon.headers["content-type"].partition(";")[0]) == (200, "image/svg+xml")
    assert (await site.get("/docs/assets/openapi.py")).status_code == 404


def test_example_is_left_out_where_it_could_be_wrong() -> None:
    coded = {"type": "string", "pattern": "^[A-Z]{3}$"}
    with pytest.raises(NoExampleError):
        example_of(coded, {})
    optional = {"type": "object", "properties": {"code": coded, "count": {"type": "integer", "exclusiveMinimum": 4}}}
    assert example_of(optional, {}) == {"count": 5}
    loop = {"Loop": {"type": "object", "properties": {"on": {"$ref": "#/components/schemas/Loop"}}}}
    assert example_of({"$ref": "#/components/schemas/Loop"}, loop) == {}
