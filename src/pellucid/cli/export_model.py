"""`pellucid export`: a model in the layout of other tools."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro


@dataclass(frozen=True)
class Options:
    """Write a model so that other tools open it.

    pellucid export runs/en-de my-marian
    """

    model: tyro.conf.Positional[str]
    """A model's directory, a finished run, or a shipped name."""
    out: tyro.conf.Positional[str]
    """The directory to write."""
    format: Literal["huggingface", "ctranslate2"] = "huggingface"
    """huggingface opens in `transformers`; ctranslate2 needs pip install pellucid[export]."""


def run(options: Options) -> int:
    """Open, write, and open again what was written."""
    from pellucid.api import find
    from pellucid.families.door import open_model
    from pellucid.families.published import save_published, to_ctranslate2

    parts = open_model(find(options.model))
    if options.format == "huggingface":
        save_published(Path(options.out), parts)
    else:
        to_ctranslate2(Path(options.out), parts)
    print(f"{options.model} is in {options.out}, as {options.format} has it.")
    return 0
