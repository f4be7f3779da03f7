"""`/v1/translate`. Authority: `translate` of the same model without a server."""

import pytest

TEXTS = ["The dog sleeps.", "", "A cat sees the red house.", "The child eats."]


def texts_of(response):
    return [each["text"] for each in response["translations"]]


def test_translations_are_those_of_the_model(server, loaded):
    response = server.ask("/v1/translate", model="en-de", text=TEXTS)
    expected = loaded["en-de"].translate(TEXTS)
    assert texts_of(response) == [each.text for each in expected]
    assert texts_of(response)[0] == "Der Hund schläft."
    scores = [each["score"] for each in response["translations"]]
    assert scores == pytest.approx([each.score for each in expected], abs=1e-5)


def test_one_text_and_settings(server, loaded):
    settings = {"beam": 3, "n_best": 3, "alpha": 0.6, "banned": ["Hund"]}
    response = server.ask("/v1/translate", model="en-de", text=TEXTS[0], **settings)
    (expected,) = loaded["en-de"].translate(TEXTS[:1], **settings)
    (best,) = response["translations"]
    texts = [best["text"], *(each["text"] for each in best["alternatives"])]
    assert texts == [each.text for each in expected]
    assert "Der Hund schläft." not in texts


def test_samples_do_not_depend_on_the_chunks_of_the_engine(server, loaded):
    texts = TEXTS[:1] * 40
    settings = {"method": "sample", "seed": 3}
    response = server.ask("/v1/translate", model="en-de", text=texts, **settings)
    expected = loaded["en-de"].translate(texts, **settings)
    assert texts_of(response) == [each.text for each in expected]
    assert len(set(texts_of(response))) > 1


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ({"model": "en-fr"}, 404, "there is no model 'en-fr'. Models: en-de"),
        ({"model": ""}, 400, "Choose one with model: en-de, zh-en."),
        ({"model": "gpt2"}, 400, "this model cannot translate"),
        ({"beem": 2}, 400, "'beem' is not a field"),
        ({"beam": "2"}, 400, "beam: Input should be a valid integer."),
        ({"beam": 2, "n_best": 3}, 400, "n_best=3 is more than beam=2"),
        ({"beam": 17}, 400, "beam=17 is above 16, this server's limit"),
        ({"method": "mbr"}, 400, "samples=32 is above 16"),
        ({"max_length": 513}, 400, "max_length=513 is above 512"),
        ({"timeout": 0}, 400, "timeout: Input should be greater than 0."),
        ({"text": 3}, 400, "text: Input should be a valid string; or: Input should be a valid"),
        ({"text": ["a"] * 129}, 400, "text has 129 texts, more than 128"),
        ({"text": ["a", "b" * 20_001]}, 400, "text: text 1 has 20,001 characters"),
        ({"banned": [""]}, 400, "banned: each string must have 1 to 256 characters"),
        ({"banned": ["a"] * 17}, 400, "banned has 17 strings, more than 16"),
        ({"to": "fr"}, 400, "fr"),
    ],
)
def test_what_cannot_be_done_is_refused(server, body, status, message):
    body = {"model": "en-de", "text": "A cat."} | body
    assert message in server.refusal("/v1/translate", status, **body)
