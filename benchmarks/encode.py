"""BERT-base compared with transformers and ONNX Runtime: random weights, 128 tokens, two threads.

python -m benchmarks.encode
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.contest import Contestant, Measured, Run, contest
from benchmarks.report import ratios, save_results, show

LENGTH = 128
VOCAB_SIZE = 30_522
AIMS = {
    "pellucid-fp32/onnx-fp32": 0.9,
    "pellucid-fp32/transformers": 1.5,
    "pellucid-best/onnx-int8": 0.85,
}
ALL = ("pellucid-fp32", "pellucid-bf16", "pellucid-int8", "transformers", "onnx-fp32", "onnx-int8")


class Job(NamedTuple):
    """The work of every contestant."""

    folder: str
    """The folder of the model in BERT's layout and of ONNX Runtime's two copies."""
    batch: int

    @property
    def calls(self) -> int:
        """Calls in a round: enough to be timed."""
        return max(1, 24 // self.batch)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 32])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="+", default=list(ALL), choices=ALL)
    parser.add_argument("--layers", type=int, default=12)
    arguments = parser.parse_args()
    facts = {}
    with tempfile.TemporaryDirectory() as folder:
        write_models(Path(folder), arguments.layers)
        for batch in arguments.batch:
            job = Job(folder, batch)
            contestants = {name: Contestant(MAKERS[name], (job, name)) for name in arguments.only}
            measured = contest(contestants, arguments.rounds, threads=2)
            aims = with_best(measured)
            show(f"BERT-base, {LENGTH} tokens, batch {batch}", "texts/s", measured, aims)
            apart = differences(measured)
            print("  largest difference:", ", ".join(f"{k} {v:.1e}" for k, v in apart.items()))
            facts[f"batch {batch}"] = {
                "contestants": {name: m.row() for name, m in measured.items()},
                "ratios": ratios(measured, aims),
                "aims": aims,
                "largest_difference": apart,
            }
    save_results("encode", facts)


def write_models(folder: Path, layers: int) -> None:
    """A random BERT as a published directory, and as ONNX in fp32 and int8."""
    import logging

    import torch
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from transformers import BertConfig, BertModel

    class States(torch.nn.Module):
        """The function to export: tensors in, one tensor out."""

        def forward(self, ids: torch.Tensor, keep: torch.Tensor) -> torch.Tensor:
            return model(ids, keep).last_hidden_state

    logging.disable(logging.WARNING)  # the converter reports its progress as warnings
    torch.manual_seed(0)
    model = BertModel(BertConfig(num_hidden_layers=layers), add_pooling_layer=False).eval()
    model.save_pretrained(folder / "bert")
    ids = texts(2)
    axes = {0: torch.export.Dim("batch")}
    torch.onnx.export(
        States().eval(),
        (ids, torch.ones_like(ids)),
        str(folder / "bert.onnx"),
        input_names=["ids", "keep"],
        output_names=["states"],
        dynamic_shapes={"ids": axes, "keep": axes},
        dynamo=True,
        verbose=False,
    )
    quantize_dynamic(folder / "bert.onnx", folder / "bert-int8.onnx", weight_type=QuantType.QInt8)


def texts(batch: int) -> Any:
    """Random ids (batch, LENGTH), the same for all."""
    import torch

    rng = torch.Generator().manual_seed(batch)
    return torch.randint(1000, VOCAB_SIZE, (batch, LENGTH), generator=rng)


def run_pellucid(job: Job, name: str) -> tuple[Run, Any]:
    """A packed copy of what `pellucid.load` opens."""
    import torch

    import pellucid
    from pellucid.allocator import prepare_for_steps
    from pellucid.nn.pack_model import pack_model

    prepare_for_steps()  # as our command line does
    dtype: Any = name.split("-")[1]
    model = pack_model(pellucid.load(Path(job.folder) / "bert").model, dtype)
    ids = texts(job.batch)
    keep = torch.ones_like(ids, dtype=torch.bool)
    return _run(job, torch.inference_mode()(lambda: model(ids, keep)))


def transformers(job: Job, _: str) -> tuple[Run, Any]:
    """transformers' BertModel with torch's fused attention."""
    import torch
    from transformers import BertModel

    path = Path(job.folder) / "bert"
    model = BertModel.from_pretrained(path, attn_implementation="sdpa", add_pooling_layer=False)
    model.eval()
    ids = texts(job.batch)
    keep = torch.ones_like(ids)
    return _run(job, torch.inference_mode()(lambda: model(ids, keep).last_hidden_state))


def onnx(job: Job, name: str) -> tuple[Run, Any]:
    """ONNX Runtime, dynamically quantised in int8."""
    import onnxruntime
    import torch

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    file = "bert-int8.onnx" if name.endswith("int8") else "bert.onnx"
    path = str(Path(job.folder) / file)
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    ids = texts(job.batch)
    inputs = {"ids": ids.numpy(), "keep": torch.ones_like(ids).numpy()}
    return _run(job, lambda: session.run(None, inputs)[0])


MAKERS = {
    "pellucid-fp32": run_pellucid,
    "pellucid-bf16": run_pellucid,
    "pellucid-int8": run_pellucid,
    "transformers": transformers,
    "onnx-fp32": onnx,
    "onnx-int8": onnx,
}


def with_best(measured: dict[str, Measured]) -> dict[str, float]:
    """Return the aims, with the faster of bf16 and int8 in place of `best`."""
    short = [name for name in ("pellucid-bf16", "pellucid-int8") if name in measured]
    if not short:
        return {pair: aim for pair, aim in AIMS.items() if "best" not in pair}
    best = max(short, key=lambda name: measured[name].median)
    return {pair.replace("pellucid-best", best): aim for pair, aim in AIMS.items()}


def differences(measured: dict[str, Measured]) -> dict[str, float]:
    """Return the largest difference of the last states from the first contestant's."""
    states = {name: m.extra["states"] for name, m in measured.items()}
    first = next(iter(states.values()))
    return {name: float(abs(output - first).max()) for name, output in states.items()}


def _run(job: Job, encode: Any) -> tuple[Run, dict]:
    import torch

    kept: dict[str, Any] = {"states": torch.as_tensor(encode()).float().numpy()[:4].copy()}

    def run() -> float:
        for _ in range(job.calls):
            encode()
        return job.calls * job.batch

    return run, kept


if __name__ == "__main__":
    main()
