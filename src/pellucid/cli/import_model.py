"""`pellucid import`: a downloaded model as a directory with a manifest."""

from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from pellucid.cli.parse import positional


@dataclass(frozen=True)
class Options:
    """Check a downloaded model and write it with a manifest, so that later damage is detected.

    A directory with safetensors opens without this too. Only hf:// names are downloaded.
    """

    directory: str = positional()
    """A directory with config.json, weights and tokenizer files; or hf://owner/name."""
    out: str = positional()
    """The directory to write."""
    from_pickle: bool = False
    """Read pytorch_model*.bin, in a restricted process. Only if you trust its origin."""


def run(options: Options) -> int:
    """Open, write, print what it is."""
    from pellucid.files import check_outside
    from pellucid.formats.hub import fetch, is_hub_name
    from pellucid.formats.import_published import import_published

    name = options.directory
    source = fetch(name) if is_hub_name(name) else Path(name)
    check_outside(Path(options.out), source)
    imported = import_published(source, Path(options.out), options.from_pickle)
    parameters = sum(p.numel() for p in imported.model.parameters())
    heads = ", ".join(imported.heads) or "none"
    print(
        f"{options.out}: {imported.family.name}, {parameters:,} parameters, heads: {heads}."
        f" Next: pellucid info {quote(options.out)}"
    )
    return 0
