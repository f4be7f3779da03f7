"""LibreTranslate's API. Authority: its documented shapes (docs.libretranslate.com), by hand."""

import time
from contextlib import suppress
from html.parser import HTMLParser

import pytest

from pellucid.errors import UsageError
from pellucid.serve.markup import read_markup


def test_languages(server):
    languages = server.client.get("/languages").json()
    assert {"code": "en", "name": "English", "targets": ["de"]} in languages
    assert {"code": "zh", "name": "Chinese", "targets": ["en"]} in languages


def test_a_text_and_a_list(server):
    body = {"source": "en", "target": "de", "format": "text", "api_key": "x"}
    assert server.ask("/translate", q="The dog sleeps.", **body) == {
        "translatedText": "Der Hund schläft."
    }
    reply = server.ask("/translate", q=["The dog sleeps.", ""], **body)
    assert reply == {"translatedText": ["Der Hund schläft.", ""]}


def test_a_form(server):
    data = {"q": "The dog sleeps.", "source": "en", "target": "de", "alternatives": "1"}
    reply = server.client.post("/translate", data=data).json()
    assert reply["translatedText"] == "Der Hund schläft."
    assert len(reply["alternatives"]) == 1


HTML = (
    '<!DOCTYPE html><p class="a > b">The dog sleeps. <BR/>\n<b>3 cats &lt; 4 dogs &amp; a man.</b>'
    "<script>if (a<b) x = '&amp;The dog'</script><style>p>a{}</style><!-- A <b>dog.</b> -->"
    "<img src=x alt='A dog.'></p>A caf&eacute;. <p>\n</p>"
)


def read(html):
    """The tags, with attributes and comments, and the texts, of another parser."""
    tags, texts = [], []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attributes: tags.append((tag, attributes))
    parser.handle_endtag = parser.handle_comment = parser.handle_decl = tags.append
    parser.handle_data = lambda text: (texts if parser.cdata_elem is None else tags).append(text)
    parser.feed(html)
    parser.close()
    return tags, [text.strip() for text in texts if text.strip()]


def test_html(server, loaded):
    """Tags stay, and the texts between them are translated. Authority: `html.parser`."""
    body = {"q": [HTML, "<br>"], "source": "en", "target": "de", "format": "html"}
    reply = server.ask("/translate", **body, alternatives=1)
    result, only_tags = reply["translatedText"]
    tags, texts = read(HTML)
    translated = loaded["en-de"].translate(texts, beam=5, n_best=2)
    assert only_tags == "<br>"
    assert read(result) == (tags, [best.text for best, _ in translated])
    assert read(reply["alternatives"][0][0]) == (tags, [second.text for _, second in translated])


def test_translations_are_no_markup():  # authority: by hand
    markup = read_markup("<b>a < 2 &amp;</b>")
    assert markup.texts == ["a < 2 &"]
    assert markup.replace(["<i>&lt;"]) == "<b>&lt;i&gt;&amp;lt;</b>"


@pytest.mark.parametrize(
    ("html", "texts"),
    [
        (
            "<td>&nbsp;</td><p>A dog.&nbsp; \n</p>&#xa0;<p>&nbsp;B&nbsp;C</p>",
            ["A dog.", "B\u00a0C"],
        ),
        ("<p title=it's>Hello</p><p title=\"it's>\">Bye</p>", ["Hello", "Bye"]),
        ("<p a = '>'>Hello</p>", ["Hello"]),
        ("<svg><style/></svg><p>Hello</p>", ["Hello"]),
        ("<p>12</p><b>.</b> <p>3 cats</p> \u2014 <p>猫</p>", ["3 cats", "猫"]),
    ],
)
def test_what_is_a_text(html, texts):  # authority: the HTML standard, by hand
    markup = read_markup(html)
    assert markup.texts == texts
    same = markup.replace(texts)
    assert same.replace("\u00a0", "&nbsp;") == html.replace("\u00a0", "&nbsp;")


def test_html_is_read_in_linear_time():
    """`html.parser` takes 3 seconds for 20,000 characters of the second of these."""
    for unit in (
        "<!--",
        "<a ",
        "</",
        "<a b='",
        "<script>",
        "<",
        "a<b ",
        "<p>a",
        "&nbsp;",
        "<a =",
        "<a = ",
    ):
        begin = time.process_time()
        with suppress(UsageError):
            read_markup(unit * (100_000 // len(unit)))
        assert time.process_time() - begin < 1, unit


def test_the_only_possible_source_is_used(server):
    reply = server.ask("/translate", q=["猫追狗。"], source="auto", target="en")
    assert reply["detectedLanguage"] == [{"language": "zh", "confidence": 0.0}]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"target": "fr"}, "'en' to 'fr' is not supported. Known: en to de"),
        ({"source": "zh"}, "'zh' to 'de' is not supported"),
        ({"format": "html", "q": "a <b c"}, "the markup '<b c' has no end. Close it."),
        ({"format": "html", "q": "<p>a</p>" * 129}, "texts between tags has 129 texts, more than"),
        ({"format": "xml"}, "format: Input should be 'text' or 'html'"),
        ({"alternatives": 16}, "alternatives=16 must be below 16"),
        ({"q": None}, "q: "),
        ({"x": 1}, "'x' is not a field"),
    ],
)
def test_errors_are_a_string(server, body, message):
    whole = {"q": "a dog", "source": "en", "target": "de"} | body
    response = server.post("/translate", **whole)
    assert response.status_code == 400
    assert message in response.json()["error"]


@pytest.mark.parametrize("body", [b"q", b"q=%ff&source=en&target=de", b"q=a&" * 400, b""])
def test_bad_forms(server, body):
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    response = server.client.post("/translate", content=body, headers=headers)
    assert response.status_code == 400
    assert isinstance(response.json()["error"], str)
