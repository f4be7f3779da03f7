"""Scores against the sacreBLEU command line, the papers' own examples, and brute force."""

import json
import math
import random
import subprocess
import sys
from collections import Counter

import pytest
from sacrebleu.metrics import BLEU, CHRF, TER
from sacrebleu.significance import PairedTest

from pellucid.errors import DataError, ResourceError
from pellucid.metrics import translation
from pellucid.metrics.translation import (
    bleu,
    chrf,
    language_note,
    paired_bootstrap,
    ter,
    tokenised_bleu,
)

HYPOTHESES = [
    "The dog sleeps under the table.",
    "She didn't cross the street, because it was too wide.",
    "Two men are playing chess in a park.",
    "It's a red house.",
]
REFERENCES = [
    "The dog is sleeping under the table.",
    "She did not cross the street because it was too wide.",
    "Two men play chess in the park.",
    "It is a red house!",
]
CHINESE = (["我爱你。", "狗在桌子下面睡觉。"], ["我爱你。", "那只狗正在桌子底下睡觉。"])


def by_command_line(tmp_path, hypotheses, references, *options):
    for name, lines in (("hyp", hypotheses), ("ref", references)):
        text = "".join(line + "\n" for line in lines)
        (tmp_path / name).write_text(text, encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "sacrebleu",
        str(tmp_path / "ref"),
        "-i",
        str(tmp_path / "hyp"),
    ]
    message = subprocess.run([*command, "-w", "8", *options], capture_output=True, check=True)
    return json.loads(message.stdout)


@pytest.mark.parametrize(
    ("actual", "options"),
    [
        (lambda: bleu(HYPOTHESES, REFERENCES, "en"), ["-m", "bleu"]),
        (lambda: chrf(HYPOTHESES, REFERENCES), ["-m", "chrf"]),
        (lambda: ter(HYPOTHESES, REFERENCES), ["-m", "ter"]),
    ],
)
def test_equals_the_command_line(tmp_path, actual, options):  # authority: sacreBLEU's own program
    hf_model = by_command_line(tmp_path, HYPOTHESES, REFERENCES, *options)
    assert actual().value == pytest.approx(hf_model["score"], abs=1e-6)
    assert actual().signature == hf_model["signature"]


@pytest.mark.parametrize(
    "language", ["zh", "zh-TW", "ZH_cn", "zho", "chi", "cmn", "zh-Hans", "zho_Hant", "yue"]
)
def test_chinese_is_cut_into_characters(tmp_path, language):  # authority: sacreBLEU's own program
    hf_model = by_command_line(tmp_path, *CHINESE, "-m", "bleu", "--tokenize", "zh")
    assert bleu(*CHINESE, language).value == pytest.approx(hf_model["score"], abs=1e-6)
    assert bleu(*CHINESE, language).signature == hf_model["signature"]
    edits = by_command_line(
        tmp_path, *CHINESE, "-m", "ter", "--ter-asian-support", "--ter-normalized"
    )
    assert ter(*CHINESE, language).value == pytest.approx(edits["score"], abs=1e-6)


def test_japanese_names_the_extra_it_needs(monkeypatch):  # authority: the documented extra
    def lacking(trg_lang):
        raise RuntimeError("Japanese tokenization requires extra dependencies")

    monkeypatch.setattr(translation, "BLEU", lacking)
    with pytest.raises(ResourceError, match=r"sacrebleu\[ja\]"):
        bleu(["猫"], ["猫"], "ja")


@pytest.mark.parametrize("language", ["ko", "kor", "ko-KR"])
def test_korean_is_cut_by_its_own_tokenizer(monkeypatch, language):  # authority: as sacreBLEU's
    asked = []
    monkeypatch.setattr(translation, "BLEU", lambda trg_lang: asked.append(trg_lang) or BLEU())
    bleu(["고양이"], ["고양이"], language)
    assert BLEU._TOKENIZER_MAP[asked[0]] == "ko-mecab"


def test_an_unknown_language_is_named():
    assert language_note("zh-Hans") == language_note("jpn") == language_note("") == ""
    assert "'jp' is not a language code known here" in language_note("jp")


@pytest.mark.parametrize("language", ["ja", "jpn", "ja_XX", "ja-JP"])
def test_japanese_is_cut_by_mecab(language):  # authority: the dictionary's division of a sentence
    pytest.importorskip("MeCab", reason="needs the extra `ja`")
    score = bleu(["私は猫が好きです。"], ["私は猫が好きです。"], language)
    assert "ja-mecab" in score.signature
    assert score.value == pytest.approx(100)
    # 私 は 犬 が 好き です 。 with one of seven words wrong: 6/7, 4/6, 2/5, 1/4 by hand.
    by_hand = 100 * (6 / 7 * 4 / 6 * 2 / 5 * 1 / 4) ** 0.25
    assert bleu(["私は犬が好きです。"], ["私は猫が好きです。"], "ja").value == pytest.approx(
        by_hand
    )


def brute_force_bleu(hypotheses, references):
    """Papineni et al. 2002, sections 2.1 to 2.3, read literally: words are what spaces separate."""
    logs = 0.0
    for n in range(1, 5):
        right = total = 0
        for hypothesis, reference in zip(hypotheses, references, strict=True):
            h, r = hypothesis.split(" "), reference.split(" ")
            have = Counter(tuple(h[i : i + n]) for i in range(len(h) - n + 1))
            want = Counter(tuple(r[i : i + n]) for i in range(len(r) - n + 1))
            right += sum(min(count, want[gram]) for gram, count in have.items())
            total += sum(have.values())
        if not right:
            return 0.0
        logs += math.log(right / total) / 4
    c = sum(len(line.split(" ")) for line in hypotheses)
    r = sum(len(line.split(" ")) for line in references)
    return 100 * min(1.0, math.exp(1 - r / c)) * math.exp(logs)


def random_systems(n, seed, noise=0.25):
    draw = random.Random(seed)
    words = [f"w{i}" for i in range(30)]
    references = [" ".join(draw.choices(words, k=draw.randint(4, 15))) for _ in range(n)]

    def spoil(line):
        kept = [w if draw.random() > noise else draw.choice(words) for w in line.split()]
        return " ".join(kept[: draw.choice([None, -1, None])])

    return [spoil(line) for line in references], references


@pytest.mark.parametrize("seed", range(5))
def test_tokenised_bleu_is_the_papers_formula(seed):  # authority: brute force on the definition
    hypotheses, references = random_systems(40, seed)
    score = tokenised_bleu(hypotheses, references)
    assert score.value == pytest.approx(brute_force_bleu(hypotheses, references), abs=1e-9)
    assert score.name == "tokenised BLEU"
    assert "tok:none" in score.signature
    assert "smooth:none" in score.signature


def test_tokenised_bleu_does_not_smooth():  # authority: the definition: a zero precision gives zero
    assert tokenised_bleu(["a b c d e"], ["e d c b a"]).value == 0
    assert bleu(["a b c d e"], ["e d c b a"]).value > 0


def test_tokenised_bleu_keeps_the_words_it_is_given():  # authority: the protocol: no tokenizer
    assert tokenised_bleu(
        ["it &apos;s a-b c , d"], ["it &apos;s a-b c , d"]
    ).value == pytest.approx(100)
    assert tokenised_bleu(["a b c d e."], ["a b c d e ."]).value < 100


@pytest.mark.parametrize("score", [bleu, chrf, ter, tokenised_bleu])
def test_counts_must_agree(score):
    with pytest.raises(DataError, match="2 translations but 1 reference"):
        score(["a", "b"], ["a"])
    with pytest.raises(DataError, match="empty"):
        score([], [])


def test_empty_lines_are_scored():  # authority: an empty line matches nothing
    assert bleu(["", "a b c d e"], ["x", "a b c d e"]).value < 100
    assert bleu([""], [""]).value == 0


@pytest.mark.parametrize("seed", [1, 12345])
def test_paired_bootstrap_equals_sacrebleu(monkeypatch, seed):  # authority: sacreBLEU's PairedTest
    system_a, references = random_systems(60, 3, noise=0.30)
    system_b, again = random_systems(60, 3, noise=0.24)
    assert references == again
    monkeypatch.setenv("SACREBLEU_SEED", str(seed))
    systems = [("a", system_a), ("b", system_b)]
    test = PairedTest(systems, {"BLEU": BLEU(references=[references])}, None, "bs", n_samples=1000)
    hf_model = test()[1]["BLEU"][1]
    actual = paired_bootstrap(system_a, system_b, references, seed=seed)
    assert actual.p_value == pytest.approx(hf_model.p_value, abs=1e-9)
    assert actual.b == pytest.approx(hf_model.score, abs=1e-9)
    low, high = actual.interval_b
    assert (high - low) / 2 == pytest.approx(hf_model.ci, abs=0.15)  # two ways to cut a quantile


def test_paired_bootstrap_sees_a_real_difference_and_no_false_one():  # authority: algebra
    good, references = random_systems(80, 7, noise=0.05)
    bad, _ = random_systems(80, 7, noise=0.5)
    result = paired_bootstrap(bad, good, references)
    assert result.delta == pytest.approx(result.b - result.a)
    assert result.delta > 0
    assert result.p_value < 0.01
    assert result.interval_delta[0] > 0
    turned = paired_bootstrap(good, bad, references)
    assert turned.delta == pytest.approx(-result.delta)
    assert turned.p_value == result.p_value
    same = paired_bootstrap(good, good, references)
    assert same.delta == 0
    assert same.p_value == 1  # chance alone gives a difference of nothing, always


def test_paired_bootstrap_is_reproducible():  # authority: a pure function of its arguments
    a, references = random_systems(30, 1)
    b, _ = random_systems(30, 2)
    assert paired_bootstrap(a, b, references) == paired_bootstrap(a, b, references)
    with pytest.raises(DataError, match="29 translations but 30 references"):
        paired_bootstrap(a, b[:-1], references)


@pytest.mark.parametrize("score", [bleu, chrf, ter, tokenised_bleu])
def test_intervals(score):  # authority: sacreBLEU's own bootstrap, with other resamples
    rng = random.Random(3)
    references = [rng.choice(HYPOTHESES) for _ in range(80)]
    outputs = [" ".join(w for w in text.split() if rng.random() < 0.8) for text in references]
    actual = score(outputs, references, resamples=1000)
    assert actual._replace(interval=None) == score(outputs, references)
    metric = {
        bleu: BLEU(),
        chrf: CHRF(),
        ter: TER(),
        tokenised_bleu: BLEU(tokenize="none", smooth_method="none", force=True),
    }[score]
    expected = metric.corpus_score(outputs, [references], n_bootstrap=1000)
    low, high = actual.interval
    half = float(expected._ci)
    assert (high - low) / 2 == pytest.approx(half, rel=0.1)
    assert (high + low) / 2 == pytest.approx(float(expected._mean), abs=half / 5)
