"""GPT-2 small compared with transformers and CTranslate2: random weights, greedy, one thread.

python -m benchmarks.generate
"""

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.contest import Contestant, Measured, Run, contest
from benchmarks.report import ratios, save_results, show

PROMPT, NEW = 32, 128
VOCAB_SIZE = 50_257
AIMS = {
    "pellucid-fp32/ct2-fp32": 1.1,
    "pellucid-compiled-fp32/ct2-fp32": 1.1,
    "pellucid-int8/ct2-int8": 1.4,
}
ALL = (
    *("pellucid-fp32", "pellucid-compiled-fp32", "pellucid-bf16", "pellucid-compiled-bf16"),
    "pellucid-int8",
    *("transformers", "ct2-fp32", "ct2-int8"),
)
BYTES = {"fp32": 4, "bf16": 2, "int8": 1}
END = VOCAB_SIZE - 1


class Job(NamedTuple):
    """The work of every contestant."""

    folder: str
    """The folder of the model in GPT-2's layout and in CTranslate2's."""
    batch: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--batch", type=int, nargs="+", default=[1])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", nargs="+", default=list(ALL), choices=ALL)
    parser.add_argument("--layers", type=int, default=12)
    arguments = parser.parse_args()
    facts: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        read = write_models(Path(folder), arguments.layers)
        for batch in arguments.batch:
            job = Job(folder, batch)
            contestants = {name: Contestant(MAKERS[name], (job, name)) for name in arguments.only}
            measured = contest(contestants, arguments.rounds, arguments.threads)
            title = f"GPT-2 small, {PROMPT} + {NEW} tokens, batch {batch}"
            show(title, "tokens/s", measured, AIMS)
            same = agreement(measured)
            print("  same tokens:", ", ".join(f"{k} {v:.1%}" for k, v in same.items()))
            floors = of_floor(measured, read, batch, arguments.threads)
            print("  of the floor by bytes:", ", ".join(f"{k} {v:.0%}" for k, v in floors.items()))
            facts[f"batch {batch}"] = {
                "threads": arguments.threads,
                "contestants": {name: m.row() for name, m in measured.items()},
                "ratios": ratios(measured, AIMS),
                "aims": AIMS,
                "same_tokens": same,
                "of_floor_by_bytes": floors,
            }
    save_results("generate", facts)


def write_models(folder: Path, layers: int) -> int:
    """Write a random GPT-2 for transformers and for CTranslate2; return the weights read per step.

    A step reads all weights except the tables, of which it reads one row each.
    """
    import torch
    from ctranslate2.converters.transformers import GPT2Loader
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    model: Any = GPT2LMHeadModel(GPT2Config(n_layer=layers)).eval()
    model.save_pretrained(folder / "gpt2")
    spec: Any = GPT2Loader().get_model_spec(model)
    tokens = [str(i) for i in range(VOCAB_SIZE)]
    spec.register_vocabulary(tokens)
    spec.config.bos_token = spec.config.eos_token = spec.config.unk_token = tokens[END]
    spec.validate()
    spec.optimize()
    (folder / "ct2").mkdir()
    spec.save(str(folder / "ct2"))
    return sum(p.numel() for name, p in model.named_parameters() if ".wpe." not in name)


def prompts(batch: int) -> Any:
    """Random ids (batch, PROMPT), the same for all."""
    import torch

    rng = torch.Generator().manual_seed(batch)
    return torch.randint(0, END, (batch, PROMPT), generator=rng)


def run_pellucid(job: Job, name: str) -> tuple[Run, Any]:
    """Our `generate` on a packed copy of what `pellucid.load` opens."""
    import pellucid
    from pellucid.allocator import prepare_for_steps
    from pellucid.config.decoding import DecodingConfig
    from pellucid.decoding.generate import Request, generate
    from pellucid.decoding.search import SpecialIds
    from pellucid.nn.pack_model import pack_model
    from pellucid.nn.step_programs import add_compiled_step

    prepare_for_steps()  # as our command line does
    dtype: Any = name.split("-")[-1]
    plain = pellucid.load(Path(job.folder) / "gpt2").model
    model: Any = pack_model(plain, dtype)
    if "compiled" in name:
        add_compiled_step(plain, model)
    special_ids = SpecialIds(start=END, end=END)
    config = DecodingConfig(beam=1, batch_size=job.batch, min_length=NEW - 1, max_length=NEW)
    request = Request(prompts(job.batch).tolist(), continues_source=True)

    def write() -> list[list[int]]:
        return [list(best.ids) for best, *_ in generate(model, request, special_ids, config)]

    return _run(job, write)


def transformers(job: Job, _: str) -> tuple[Run, Any]:
    """transformers' `generate`."""
    import torch
    from transformers import GPT2LMHeadModel

    model: Any = GPT2LMHeadModel.from_pretrained(Path(job.folder) / "gpt2").eval()
    ids = prompts(job.batch)
    settings = {"max_new_tokens": NEW, "min_new_tokens": NEW, "do_sample": False, "pad_token_id": 0}

    @torch.inference_mode()
    def write() -> list[list[int]]:
        output = model.generate(ids, attention_mask=torch.ones_like(ids), **settings)
        return output[:, PROMPT:].tolist()

    return _run(job, write)


def ctranslate2(job: Job, name: str) -> tuple[Run, Any]:
    """CTranslate2's `generate_batch`."""
    import torch
    from ctranslate2 import Generator

    model = Generator(
        str(Path(job.folder) / "ct2"),
        compute_type="int8_float32" if name.endswith("int8") else "float32",
        inter_threads=1,
        intra_threads=torch.get_num_threads(),
    )
    tokens = [[str(i) for i in row] for row in prompts(job.batch).tolist()]
    settings: dict[str, Any] = {"max_length": NEW, "min_length": NEW, "sampling_topk": 1}

    def write() -> list[list[int]]:
        results = model.generate_batch(tokens, include_prompt_in_result=False, **settings)
        return [one.sequences_ids[0] for one in results]

    return _run(job, write)


MAKERS = {
    "pellucid-fp32": run_pellucid,
    "pellucid-compiled-fp32": run_pellucid,
    "pellucid-bf16": run_pellucid,
    "pellucid-compiled-bf16": run_pellucid,
    "pellucid-int8": run_pellucid,
    "transformers": transformers,
    "ct2-fp32": ctranslate2,
    "ct2-int8": ctranslate2,
}


def agreement(measured: dict[str, Measured]) -> dict[str, float]:
    """Share of tokens that are the first contestant's."""
    texts = {n: [i for text in m.extra["texts"] for i in text] for n, m in measured.items()}
    first = next(iter(texts.values()))
    return {
        name: sum(a == b for a, b in zip(first, output, strict=True)) / len(first)
        for name, output in texts.items()
    }


def of_floor(
    measured: dict[str, Measured], read: int, batch: int, threads: int
) -> dict[str, float]:
    """Return each speed as a share of the bound that reading the weights once per step sets."""
    import torch

    from benchmarks.profile import bandwidth

    torch.set_num_threads(threads)
    bytes_a_second = bandwidth() * 1e9
    return {
        name: m.median * read * BYTES.get(name.split("-")[-1], 4) / (bytes_a_second * batch)
        for name, m in measured.items()
    }


def _run(job: Job, write: Callable[[], list[list[int]]]) -> tuple[Run, dict]:
    kept: dict[str, Any] = {}

    def run() -> float:
        kept["texts"] = write()
        assert all(len(text) == NEW for text in kept["texts"])
        return job.batch * NEW

    return run, kept


if __name__ == "__main__":
    main()
