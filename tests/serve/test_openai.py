"""OpenAI's shapes. Authority: the official client, and the same model without a server."""

import pytest

openai = pytest.importorskip("openai")

PROMPT = "The small dog"


@pytest.fixture(scope="module")
def client(server):
    base = f"http://127.0.0.1:{server.port}/v1"
    with openai.OpenAI(base_url=base, api_key="none", max_retries=0) as client:
        yield client


def test_greedy_completions(client, loaded):
    prompts = [PROMPT, "A cat"]
    reply = client.completions.create(
        model="gpt2", prompt=prompts, temperature=0, max_tokens=9, stop=["zzz"]
    )
    expected = loaded["gpt2"].generate(prompts, beam=1, max_length=9)
    assert [choice.text for choice in reply.choices] == [each.text for each in expected]
    reasons = ["stop" if each.finished else "length" for each in expected]
    assert [choice.finish_reason for choice in reply.choices] == reasons
    n_read = sum(len(loaded["gpt2"].ids(prompt)) for prompt in prompts)
    n_written = sum(len(each.ids) for each in expected)
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (n_read, n_written)


def test_samples(client, loaded):
    settings = {"seed": 5, "temperature": 0.7, "top_p": 0.9}
    reply = client.completions.create(model="gpt2", prompt=PROMPT, n=3, max_tokens=8, **settings)
    (expected,) = loaded["gpt2"].generate(
        [PROMPT], method="sample", n_best=3, max_length=8, **settings
    )
    assert [choice.text for choice in reply.choices] == [each.text for each in expected]


def test_what_is_null_is_left_out(client):  # authority: "nullable" in OpenAI's specification
    settings = {"seed": 5, "max_tokens": 16, "temperature": 1, "n": 1}
    null = dict.fromkeys(("max_tokens", "temperature", "n", "stream", "logprobs", "top_p", "stop"))
    default, explicit = (
        client.completions.create(model="gpt2", prompt=PROMPT, extra_body=body)
        for body in (null | {"seed": 5}, settings)
    )
    assert default.choices == explicit.choices


def test_the_most_probable_text_several_times(client, loaded):
    """Settings of sampling do not matter then, and the n texts of a prompt stand together."""
    prompts = [PROMPT, "A cat"]
    reply = client.completions.create(
        model="gpt2", prompt=prompts, temperature=0, n=2, top_p=0.9, max_tokens=5
    )
    one, two = (each.text for each in loaded["gpt2"].generate(prompts, beam=1, max_length=5))
    assert [(each.index, each.text) for each in reply.choices] == [*enumerate((one, one, two, two))]
    body = {"method": "mbr", "samples": 4, "seed": 1}
    reply = client.completions.create(
        model="gpt2", prompt=prompts, temperature=0.01, n=3, max_tokens=3, extra_body=body
    )
    settings = {"n_best": 3, "max_length": 3, "temperature": 0.01, **body}
    ranked = loaded["gpt2"].generate(prompts, **settings)
    assert min(map(len, ranked)) < 3
    assert [each.text for each in reply.choices[::3]] == [best.text for best, *_ in ranked]


def test_samples_without_a_seed_differ(client):
    texts = {
        client.completions.create(model="gpt2", prompt=PROMPT, max_tokens=12).choices[0].text
        for _ in range(3)
    }
    assert len(texts) > 1


@pytest.mark.parametrize("stop", [None, "e"])
def test_a_stream_is_the_text(client, loaded, stop):
    chunks = list(
        client.completions.create(
            model="gpt2",
            prompt=PROMPT,
            temperature=0,
            max_tokens=20,
            stop=stop,
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    stop_at = [stop] if stop else []
    (expected,) = loaded["gpt2"].generate([PROMPT], beam=1, max_length=20, stop_at=stop_at)
    texts = [choice.text for chunk in chunks for choice in chunk.choices]
    assert "".join(texts) == expected.text
    reasons = [choice.finish_reason for chunk in chunks for choice in chunk.choices]
    assert reasons == [None] * (len(reasons) - 1) + ["stop" if expected.finished else "length"]
    assert chunks[-1].usage.completion_tokens == len(expected.ids)


def test_a_stream_has_pieces(client):
    prompt = "The dog sees the red house in the garden."
    chunks = client.completions.create(model="en-de", prompt=[prompt], temperature=0, stream=True)
    texts = [chunk.choices[0].text for chunk in chunks]
    assert len([text for text in texts if text]) > 4


def test_beam_search_of_a_translator(client, loaded):
    text = "The dog sleeps."
    reply = client.completions.create(
        model="en-de", prompt=text, max_tokens=30, extra_body={"beam": 4}
    )
    (expected,) = loaded["en-de"].generate([text], beam=4, max_length=30)
    assert reply.choices[0].text == expected.text == "Der Hund schläft."


def test_embeddings(client, loaded):
    texts = ["A cat.", "The dogs sleep.", ""]
    expected = loaded["bert"].embed(texts)
    reply = client.embeddings.create(model="bert", input=texts)  # base64 by default
    for form in (
        reply,
        client.embeddings.create(model="bert", input=texts, encoding_format="float"),
    ):
        for each, vector in zip(form.data, expected, strict=True):
            assert each.embedding == pytest.approx(vector.tolist(), abs=1e-5)
    assert reply.usage.prompt_tokens == sum(len(loaded["bert"].ids(text)) for text in texts)


def test_models(client, loaded):
    assert [model.id for model in client.models.list()] == list(loaded)
    assert client.models.retrieve("bert").verbs == ["similarity", "embed", "fill", "trace"]
    with pytest.raises(openai.NotFoundError, match="there is no model 'no'"):
        client.models.retrieve("no")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_tokens": 0}, "max_tokens: Input should be greater than or equal to 1"),
        ({"max_tokens": 1 << 31}, "max_length=2147483648 is above 512"),
        ({"temperature": -1.0}, "temperature: Input should be greater than or equal to 0"),
        ({"n": 17}, "n_best=17 is above 16"),
        ({"stop": ["a"] * 17}, "stop has 17 strings"),
        ({"top_p": 1.5}, "top_p=1.5 is a probability"),
        ({"prompt": "a " * 200}, "this model reads 64"),
        ({"stream": True, "n": 2}, "a stream has one prompt"),
        ({"logit_bias": {"3": 1}}, "'logit_bias' is not a field"),
        ({"model": "bert"}, "this model has no language-model head"),
    ],
)
def test_what_cannot_be_done_is_refused(client, settings, message):
    with pytest.raises(openai.BadRequestError, match=message):
        client.completions.create(**{"model": "gpt2", "prompt": "a"} | settings)
