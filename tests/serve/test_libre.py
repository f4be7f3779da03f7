"""LibreTranslate's API. Authority: its documented shapes (docs.libretranslate.com), by hand."""

import pytest


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


def test_the_only_possible_source_is_used(server):
    reply = server.ask("/translate", q=["猫追狗。"], source="auto", target="en")
    assert reply["detectedLanguage"] == [{"language": "zh", "confidence": 0.0}]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"target": "fr"}, "'en' to 'fr' is not supported. Known: en to de"),
        ({"source": "zh"}, "'zh' to 'de' is not supported"),
        ({"format": "html", "q": "<b>dog</b>"}, "markup is not translated"),
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
