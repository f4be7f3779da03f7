"""`pellucid export`: a model in the layout of other tools."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pellucid.cli.parse import positional
from pellucid.errors import UsageError


@dataclass(frozen=True)
class Options:
    """Write a model for other tools.

    pellucid export runs/en-de my-marian
    """

    model: str = positional()
    """A model's directory, a finished run, or a shipped name."""
    out: str = positional()
    """The directory to write."""
    to: Literal["huggingface", "ctranslate2", "onnx"] = "huggingface"
    """huggingface: for `transformers`; translators trained here become a Marian or a PEGASUS.
    ctranslate2 and onnx: need pip install pellucid[export]."""
    dtype: Literal["fp32", "int8"] = "fp32"
    """The weights that --to onnx writes."""


def run(options: Options) -> int:
    """Open the model and write it. Raises: UsageError if a dtype is given to another format."""
    if options.dtype != "fp32" and options.to != "onnx":
        raise UsageError(f"--dtype {options.dtype} is for --to onnx only. Leave it out.")
    from pellucid.files import check_outside
    from pellucid.formats.locate import locate
    from pellucid.formats.open_model import open_model

    source, out = locate(options.model), Path(options.out)
    check_outside(out, source)
    parts = open_model(source)
    if options.to == "huggingface":
        from pellucid.formats.save_bundle import export_published

        notes = [f"not exported: {note}" for note in export_published(out, parts)]
    elif options.to == "onnx":
        from pellucid.formats.onnx_export import to_onnx

        notes = to_onnx(out, parts, options.dtype)
    else:
        from pellucid.formats.ctranslate import to_ctranslate2

        start = 0 if parts.model.decoder is None else parts.special_ids.start
        notes = [f"to search as here: {note}" for note in to_ctranslate2(out, parts, start)]
    print(f"Wrote {options.model} to {out}, {_describe(options, out)}.")
    for note in notes:
        print(note, file=sys.stderr)
    return 0


def _describe(options: Options, out: Path) -> str:
    """Return what the directory holds."""
    if options.to == "huggingface":
        return "a model directory for transformers"
    if options.to == "ctranslate2":
        return "a model directory for CTranslate2"
    files = ", ".join(sorted(path.name for path in out.glob("*.onnx")))
    return f"for ONNX Runtime in {options.dtype}: {files}"
