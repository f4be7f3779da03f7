"""A translator for several directions on the command line.  Authority: the Python verb."""

import pytest

import pellucid as package
from pellucid import garden

SMALL = [
    *("--model.d-model", "32", "--model.d-ff", "64", "--model.n-heads", "2"),
    *("--model.n-encoder-layers", "1", "--model.n-decoder-layers", "1"),
    *("--training.max-updates", "4", "--training.max-tokens", "400"),
    *("--training.validate-every", "4", "--tokenizer.vocab-size", "400"),
    *("--decoding.beam", "1", "--decoding.max-length", "8", "--training.best-by", "bleu"),
]


@pytest.mark.timeout(200)
def test_from_files_to_translations(pellucid, tmp_path):
    files = []
    for pair in ("en-de", "en-zh"):
        rows = garden.pairs(60, *pair.split("-"))
        files.append(tmp_path / f"x.{pair}.tsv")
        files[-1].write_text("".join(f"{a}\t{b}\n" for a, b in rows), encoding="utf-8")
    run = tmp_path / "run"
    directions = ("--data.directions", "en-de", "de-en", "zh-en")
    done = pellucid(
        "train",
        "--data.train",
        *files,
        "--data.valid",
        *files,
        *directions,
        "--run-dir",
        run,
        *SMALL,
    )
    assert done.code == 0, done.err
    for direction in ("en-de", "de-en", "zh-en"):
        assert f"valid loss {direction}" in done.err
        assert f"valid bleu {direction}" in done.err
    model = package.load(run)
    wanted = {to: model.translate(["A dog."], to=to)[0].text for to in ("de", "en")}
    for to, text in wanted.items():
        assert pellucid("translate", run, "--to", to, stdin=b"A dog.\n").out == f"{text}\n"
    refused = pellucid("translate", run, stdin=b"A dog.\n")
    assert refused.code == 2
    assert "translates into de, en, and none is chosen. Choose one: --to de" in refused.err
    assert pellucid("evaluate", run, "--data", files[0]).code == 0  # to de, by the file's name
    assert "not into 'zh'" in pellucid("evaluate", run, "--data", files[1]).err
    assert pellucid("score", run, "--data", files[0], "--to", "de").out.count("\n") == 60
