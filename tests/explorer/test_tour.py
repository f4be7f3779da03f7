"""The tour in docs/: its stops are those of the page, and its numbers those of the model.

Authority: the page's catalogs for names and order; the trace in NumPy for numbers, to the digits
that are shown. Numbers that define something, such as 0 for no difference, are written as words.
"""

import re
from pathlib import Path

import numpy as np
import pytest

import pellucid
from pellucid.explain.ablation import Switch, list_heads, measure_effects
from pellucid.explain.attribution import Outputs, integrated_gradients
from pellucid.explain.lens import logit_lens
from pellucid.explain.order import measure_order, turn_around
from pellucid.explain.residual import logit_contributions
from pellucid.explain.rows import Writing, read_rows
from pellucid.explain.trace import TraceSpec, trace_rows
from pellucid.explorer.search import describe_search

ROOT = Path(__file__).resolve().parents[2]
TEXTS = {"en": ROOT / "docs" / "tour.md", "zh": ROOT / "docs" / "tour.zh.md"}
SENTENCE = "The animal didn't cross the street because it was too tired."
WEIL, ZU = 10, 12  # the decoder's tokens that "es" and "müde" follow
IT, TOO, TIRED, DOT, END = 9, 11, 12, 13, 14  # the encoder's tokens
QUOTED = ("The", "because", "an", "imal")
UNITS = {" million": 1e6, " 万": 1e4, "": 1.0}


def read_catalog(language):
    """The stops' names, by the stop, in the order of the page."""
    views = (ROOT / "ui" / "src" / "views" / "stops.ts").read_text(encoding="utf-8")
    catalog = (ROOT / "ui" / "src" / "text" / f"{language}.ts").read_text(encoding="utf-8")
    titles = dict(re.findall(r'^  (stop_\w+): "(.*)",$', catalog, re.MULTILINE))
    return {stop: titles[key] for stop, key in re.findall(r'\{ id: "(\w+)", title: "(\w+)"', views)}


def read_sections(language):
    """The texts of the numbered sections and of the others, by their titles."""
    _, *parts = re.split(r"^## ", TEXTS[language].read_text(encoding="utf-8"), flags=re.MULTILINE)
    sections = dict(part.split("\n", 1) for part in parts)
    numbered = [re.fullmatch(r"(\d+)\. (.+)", title) for title in sections]
    assert [int(match[1]) for match in numbered if match] == [
        *range(1, sum(map(bool, numbered)) + 1)
    ]
    stops = {match[2]: sections[match[0]] for match in numbered if match}
    return stops, {title: text for title, text in sections.items() if not title[0].isdigit()}


def read_numbers(text):
    """The numbers of a text, each with half a unit of its last digit."""
    text = re.sub(r"```.*?```|`[^`]*`|!\[.*?\]\(.*?\)", "", text, flags=re.DOTALL)
    found = re.findall(r"(−?\d[\d,]*(?:\.(\d+))?)( million| 万|)", text)
    for number, decimals, unit in found:
        value = float(number.rstrip(",").replace(",", "").replace("−", "-"))
        yield value * UNITS[unit], 0.5 * 10.0 ** -len(decimals) * UNITS[unit]


@pytest.fixture(scope="module")
def loaded():
    return pellucid.load("en-de", device="cpu")


@pytest.fixture(scope="module")
def facts(loaded):
    """Every number that a section quotes, by its stop."""
    bundle = loaded.bundle
    rows = read_rows(bundle, SENTENCE, Writing())
    trace = trace_rows(bundle, rows, TraceSpec())
    return {
        **facts_of_tokens(trace, bundle, rows),
        **facts_of_a_head(trace),
        **facts_of_layers(trace),
        **facts_of_output(trace, bundle, rows),
        **facts_of_parts(trace, bundle, rows),
        "it": facts_of_a_pronoun(trace, loaded),
    }


def probability(trace, position, text):
    """The probability of a token at a position."""
    candidates = trace.prediction.positions[position].candidates
    return next(each.probability for each in candidates if each.text.strip() == text)


def facts_of_tokens(trace, bundle, rows):
    c, tokens = bundle.model_config, trace.source.tokens
    ids = {token.display.strip(): token.id for token in tokens}
    order = measure_order(bundle, rows, turn_around(rows), has_positions=True)
    parameters = sum(p.numel() for p in bundle.model.parameters())
    n_vocabulary = bundle.tokenizers.source.vocab_size
    first = [
        trace[f"encoder.embedding.{name}"][TIRED, 0] for name in ("tokens", "position_vectors")
    ]
    return {
        "map": [
            parameters, c.n_encoder_layers, c.n_decoder_layers, c.d_model,
            probability(trace, ZU, "müde"),
        ],
        "tokens": [n_vocabulary, *(ids[each] for each in QUOTED), len(tokens)],
        "vectors": [c.d_model, TIRED + 1, *first, sum(first)],
        "order": [order.distances[-1, TOO]],
    }  # fmt: skip


def facts_of_a_head(trace):
    path = "encoder.layers.0.attention"
    q, k = trace[f"{path}.queries"][0, TIRED], trace[f"{path}.keys"][0, END]
    n, width = len(trace.source.tokens), len(q)
    score, row = float(q @ k), trace[f"{path}.weights"][0, TIRED].astype(np.float64)
    shares = [row[END], row[DOT], row[TIRED], row[TOO], row[0]]
    choices = np.exp(-(row * np.log(row)).sum())
    return {
        "projections": [len(trace["encoder.output"][0]), width, n],
        "scores": [width, q[0], k[0], q[1], k[1], score, n * n],
        "scale": [width, width**0.5, score, score / width**0.5],
        "softmax": [*shares, choices],
        "values": [*shares[:3], width],
    }


def facts_of_layers(trace):
    layer = "encoder.layers.0"
    stream = [trace[f"{layer}.attention.output"][TIRED] - trace[f"{layer}.attention.added"][TIRED]]
    stream += [trace[f"{layer}.attention.{name}"][TIRED] for name in ("added", "output")]
    hidden = trace[f"{layer}.feed_forward.hidden"][TIRED]
    weights = {path: trace[f"{path}.weights"] for path in trace.attentions}
    by_kind = [
        sum(len(each) for path, each in weights.items() if re.match(pattern, path))
        for pattern in (r"encoder", r"decoder.*attention", r"decoder.*cross")
    ]
    *_, last = heads = weights["encoder.layers.3.attention"]
    n, m = len(trace.source.tokens), len(trace.target.tokens)
    n_heads = len(heads)
    cross = weights["decoder.layers.1.cross"][:, ZU].mean(0)
    return {
        "heads": [n_heads, sum(by_kind), *by_kind, np.diagonal(last, -1).mean()],
        "sublayer": [n_heads, len(stream[0]), *(np.sqrt((x**2).mean()) for x in stream)],
        "feed_forward": [len(stream[0]), len(hidden), (hidden > 0).sum(), n],
        "masks": [n * n, m * m, m * (m + 1) // 2],
        "alignment": [cross[TIRED], cross[TOO], n_heads],
    }


def facts_of_output(trace, bundle, rows):
    logits = trace["heads.lm.logits"][ZU].astype(np.float64)
    probabilities = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
    choices = np.exp(-(probabilities * np.log(probabilities)).sum())
    search = describe_search(bundle, rows, Writing())
    log_prob = sum(np.log(each.chosen.probability) for each in trace.prediction.positions)
    n = len(trace.prediction.positions)
    lens = [layer.positions[ZU].candidates[0] for layer in logit_lens(bundle, trace, None, 3)]
    assert [each.text.strip() for each in lens] == ["zu", "zu", "müde"]
    müde, ersch = (probability(trace, ZU, text) for text in ("müde", "ersch"))
    über, ging = (probability(trace, 3, text) for text in ("über", "ging"))
    return {
        "next": [len(logits), logits.max(), müde, ersch, choices],
        "words": [ZU + 1, len(trace.source.tokens)],
        "search": [über, ging, search["beam"], len(search["nodes"]), n, log_prob, log_prob / n],
        "lens": [each.probability for each in lens],
    }


def facts_of_parts(trace, bundle, rows):
    chosen = trace.prediction.positions[ZU].chosen
    contributions = logit_contributions(trace, bundle.model, ZU, chosen.id)
    cross = [each.logit for each in contributions if "layers.1.cross.head" in each.name]
    (shares,) = integrated_gradients(Outputs(bundle, rows, "lm", (ZU,)), 32)
    heads = {(each.path, each.head): each for each in list_heads(bundle.model)}
    parts = [
        Switch(path="decoder.layers.1.cross"),
        heads["decoder.layers.0.attention", 2],
        heads["decoder.layers.1.cross", 0],
    ]
    effects = measure_effects(bundle, rows, [[part] for part in parts])
    after = [chosen.probability * np.exp(effect.log_probs[ZU]) for effect in effects]
    return {
        "stream": [sum(each.logit for each in contributions), sum(cross), cross[0]],
        "attribution": [shares.total, shares.source[TIRED], shares.target[ZU]],
        "off": [chosen.probability, *after],
    }


def facts_of_a_pronoun(trace, loaded):
    wide = loaded.trace(SENTENCE.replace("tired", "wide"))
    assert wide.target.texts[0].endswith("weil es zu breit war.")
    es, sie = (probability(trace, WEIL, text) for text in ("es", "sie"))
    looks = trace["decoder.layers.1.cross.weights"][:, WEIL].mean(0)[IT]
    return [es, sie, looks, probability(wide, WEIL, "es")]


@pytest.mark.parametrize("language", TEXTS)
def test_the_stops_are_those_of_the_page(language):
    titles, (stops, more) = read_catalog(language), read_sections(language)
    _, others = more.values()
    assert [title for title in titles.values() if title in stops] == [*stops]
    quotes = re.findall('["“](.+?)["”]', others)
    assert {*quotes} == {title for title in titles.values() if title not in stops}
    for stop, title in titles.items():
        if title in stops:
            (image,) = re.findall(r"!\[[^]]+\]\((.+)\)", stops[title])
            assert image == f"images/tour/{language}/{stop}.webp"
            assert (ROOT / "docs" / image).is_file()


@pytest.mark.parametrize("language", TEXTS)
def test_the_numbers_are_those_of_the_model(language, facts):
    titles, (stops, others) = read_catalog(language), read_sections(language)
    texts = {stop: stops[title] for stop, title in titles.items() if title in stops}
    texts["it"] = next(iter(others.values()))
    assert texts.keys() == facts.keys()
    for stop, text in texts.items():
        numbers, values = [*read_numbers(text)], [*map(float, facts[stop])]
        for number, half in numbers:
            near = [v for v in values if abs(v - number) <= half * 1.001 + 1e-9]
            assert near, f"{stop}: {number} is none of {values}"
        for value in values:
            assert any(abs(value - n) <= half * 1.001 for n, half in numbers), (stop, value)


def test_the_model_writes_what_the_tour_says(loaded):
    (translation,) = loaded.translate([SENTENCE])
    for path in TEXTS.values():
        assert translation.text in path.read_text(encoding="utf-8")
