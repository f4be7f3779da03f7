"""Decoding compared with transformers and CTranslate2: same weights, one thread, equal text.

python -m benchmarks.decode RUN         tiny: the trained model of a run, end tokens decide
python -m benchmarks.decode base        base: random weights, 14 tokens a sentence
"""

import argparse
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.contest import Contestant, Measured, Run, contest
from benchmarks.report import multi30k, ratios, save_results, show

FIXED = 14  # tokens, near the mean of test2016
LONGEST = 60
AIMS = {
    ("tiny", 32): {
        "pellucid-fp32/transformers": 2.5,
        "pellucid-fp32/ct2-fp32": 0.55,
        "pellucid-compiled-fp32/ct2-fp32": 0.85,
        "pellucid-int8/ct2-int8": 0.75,
    },
    ("tiny", 1): {
        "pellucid-fp32/transformers": 1.8,
        "pellucid-fp32/ct2-fp32": 0.3,
        "pellucid-compiled-fp32/ct2-fp32": 0.55,
        "pellucid-compiled-fp32/ct2-int8": 0.4,
    },
    ("base", 32): {"pellucid-fp32/ct2-fp32": 0.85},
    ("base", 1): {
        "pellucid-fp32/ct2-fp32": 1.15,
        "pellucid-compiled-fp32/ct2-fp32": 1.15,
        "pellucid-int8/ct2-int8": 1.2,
    },
}
ALL = (
    *("pellucid-fp32", "pellucid-compiled-fp32", "pellucid-int8"),
    *("transformers", "ct2-fp32", "ct2-int8"),
)


@dataclass(frozen=True)
class Job:
    """The work of every contestant."""

    model: str
    """A model directory, or `base`."""
    peers: str
    """The folder of CTranslate2's copy."""
    sources: Sequence[Sequence[int]]
    """Ids with their end token, longest first."""
    batch: int
    beam: int = 5

    @property
    def fixed(self) -> bool:
        return self.model == "base"

    @property
    def lengths(self) -> tuple[int, int]:
        """Fewest tokens before the end token, and most of all."""
        return (FIXED - 1, FIXED) if self.fixed else (0, LONGEST)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", help="a run or model directory, or `base`")
    parser.add_argument("--batch", type=int, nargs="+", default=[32, 1])
    parser.add_argument("--sentences", type=int, default=0, help="0: 1000 tiny, 96 base; /8 singly")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", default=list(ALL), choices=ALL)
    arguments = parser.parse_args()
    size = "base" if arguments.model == "base" else "tiny"
    texts = (multi30k() / "test_2016_flickr.lc.norm.tok.en").read_text("utf-8").split("\n")[:-1]
    facts = {}
    with tempfile.TemporaryDirectory() as folder:
        model, peers = prepare_model(arguments.model, Path(folder), arguments.only)
        for batch in arguments.batch:
            n = arguments.sentences or (96 if size == "base" else 1000)
            n = max(1, n if batch > 1 else n // 8)
            chosen = texts[:: max(1, len(texts) // n)][:n]
            job = Job(model, folder, encoded(model, chosen), batch)
            contestants = {name: Contestant(MAKERS[name], (job, name)) for name in peers}
            measured = contest(contestants, arguments.rounds, threads=1)
            aims = AIMS.get((size, batch), {})
            show(f"{size}, beam 5, batch {batch}, {n} sentences", "sentences/s", measured, aims)
            same = agreement(measured)
            print("  same text:", ", ".join(f"{k} {v:.1%}" for k, v in same.items()))
            facts[f"batch {batch}"] = {
                "sentences": n,
                "contestants": {name: m.row() for name, m in measured.items()},
                "ratios": ratios(measured, aims),
                "aims": aims,
                "same_text": same,
            }
    save_results(f"decode-{size}", facts)


def prepare_model(name: str, folder: Path, names: Sequence[str]) -> tuple[str, list[str]]:
    """Write CTranslate2's copy of the model.

    Returns the model's directory, or `base`; and of the contestants' names those that can run it.
    """
    from benchmarks.peers import to_ctranslate2, to_marian
    from pellucid.errors import ConfigError
    from pellucid.formats.locate import locate

    path = name if name == "base" else str(locate(name))
    model = our_model(path)
    to_ctranslate2(model, folder / "ct2")
    try:
        to_marian(model)
    except ConfigError as error:  # pre-norm, for one: Marian has no such form
        print(f"left out: transformers. {error}")
        names = [name for name in names if name != "transformers"]
    return path, list(names)


def our_model(name: str) -> Any:
    """The model of a directory, or base with random weights, always the same."""
    from pellucid.families.transformer import PRESETS
    from pellucid.formats.own_layout import load_model
    from pellucid.nn.model import build

    if name != "base":
        return load_model(Path(name)).model
    return build(replace(PRESETS["base"], vocab_size=10_000), seed=1).eval()


def encoded(model: str, texts: Sequence[str]) -> list[list[int]]:
    """Ids, longest first; for base, random ids of the texts' numbers of words."""
    import torch

    from benchmarks.peers import EOS
    from pellucid.text.pair import Tokenizers

    if model == "base":
        rng = torch.Generator().manual_seed(2)
        sizes = [len(text.split()) for text in texts]
        rows = [torch.randint(4, 10_000, (size,), generator=rng).tolist() for size in sizes]
    else:
        rows = Tokenizers.load(Path(model)).source.encode_batch(texts)
    return sorted(([*row, EOS] for row in rows), key=len, reverse=True)


def run_pellucid(job: Job, name: str) -> tuple[Run, Any]:
    """Our `generate` on a prepared copy."""
    from benchmarks.peers import BOS, EOS, PAD, UNK
    from pellucid.allocator import prepare_for_steps
    from pellucid.config.decoding import DecodingConfig
    from pellucid.decoding.generate import Request, generate
    from pellucid.decoding.search import SpecialIds
    from pellucid.nn.pack_model import pack_model
    from pellucid.nn.step_programs import add_compiled_step

    prepare_for_steps()  # as our command line does
    plain = our_model(job.model)
    model: Any = pack_model(plain, "int8" if name.endswith("int8") else "fp32")
    if "compiled" in name:
        add_compiled_step(plain, model)
    special_ids = SpecialIds(start=BOS, end=EOS, banned=(PAD, BOS, UNK))
    least, most = job.lengths
    config = DecodingConfig(beam=job.beam, batch_size=job.batch, min_length=least, max_length=most)
    request = Request(job.sources, pad=PAD)

    def translate() -> list[list[int]]:
        return [list(best.ids) for best, *_ in generate(model, request, special_ids, config)]

    return _run(translate, len(job.sources))


def transformers(job: Job, _: str) -> tuple[Run, Any]:
    """transformers' `generate`, batch after batch."""
    import torch

    from benchmarks.peers import BOS, EOS, PAD, UNK, to_marian

    model = to_marian(our_model(job.model))
    least, most = job.lengths
    settings = {
        "num_beams": job.beam,
        "do_sample": False,
        "early_stopping": True,
        "length_penalty": 1.0,
        "max_new_tokens": most,
        "min_new_tokens": least or None,
        "suppress_tokens": [PAD, BOS, UNK],
    }

    @torch.inference_mode()
    def translate() -> list[list[int]]:
        outputs = []
        for at in range(0, len(job.sources), job.batch):
            rows = job.sources[at : at + job.batch]
            longest = max(map(len, rows))
            ids = torch.tensor([[*row, *[PAD] * (longest - len(row))] for row in rows])
            texts = model.generate(input_ids=ids, attention_mask=(ids != PAD).long(), **settings)
            outputs += [[i for i in text if i not in (PAD, BOS, EOS)] for text in texts.tolist()]
        return outputs

    return _run(translate, len(job.sources))


def ctranslate2(job: Job, name: str) -> tuple[Run, Any]:
    """CTranslate2's `translate_batch`; singly, a call for each sentence."""
    from ctranslate2 import Translator

    from benchmarks.peers import BOS, PAD

    kind = "int8_float32" if name.endswith("int8") else "float32"
    path = str(Path(job.peers) / "ct2")
    model = Translator(path, compute_type=kind, inter_threads=1, intra_threads=1)
    tokens = [[str(i) for i in row] for row in job.sources]
    least, most = job.lengths
    settings: dict[str, Any] = {
        "beam_size": job.beam,
        "max_decoding_length": most,
        "min_decoding_length": least or 1,
        "suppress_sequences": [[str(PAD)], [str(BOS)]],
        "disable_unk": True,
    }

    def translate() -> list[list[int]]:
        if job.batch > 1:
            results = model.translate_batch(tokens, max_batch_size=job.batch, **settings)
        else:
            results = [model.translate_batch([row], **settings)[0] for row in tokens]
        return [[int(token) for token in one.hypotheses[0]] for one in results]

    return _run(translate, len(job.sources))


MAKERS = {
    "pellucid-fp32": run_pellucid,
    "pellucid-compiled-fp32": run_pellucid,
    "pellucid-int8": run_pellucid,
    "transformers": transformers,
    "ct2-fp32": ctranslate2,
    "ct2-int8": ctranslate2,
}


def agreement(measured: dict[str, Measured]) -> dict[str, float]:
    """Share of sentences whose text is that of the first contestant."""
    texts = {name: m.extra["texts"] for name, m in measured.items()}
    first = next(iter(texts.values()))
    return {
        name: sum(a == b for a, b in zip(first, output, strict=True)) / len(first)
        for name, output in texts.items()
    }


def _run(translate: Callable[[], list[list[int]]], n: int) -> tuple[Run, dict]:
    kept: dict[str, Any] = {}

    def run() -> float:
        kept["texts"] = translate()
        return n

    return run, kept


if __name__ == "__main__":
    main()
