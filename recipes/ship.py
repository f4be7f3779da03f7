"""Write a finished run's model small, as it comes with the package: int8, with a card of our own.

usage: python recipes/ship.py RUN CARD OUT
"""

import argparse
from dataclasses import replace
from pathlib import Path

from pellucid.formats.locate import locate
from pellucid.formats.own_layout import load_model
from pellucid.formats.save_bundle import save_bundle

MOST_BYTES = 6_000_000


def main() -> None:
    """Load, store, and say how large it is."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("run")
    parser.add_argument("card", type=Path)
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    parts = load_model(locate(args.run))
    card = args.card.read_text(encoding="utf-8")
    save_bundle(args.out, replace(parts, card=card), dtype="int8")
    size = sum(file.stat().st_size for file in args.out.iterdir())
    print(f"{args.out}: {size:,} bytes")
    if size > MOST_BYTES:
        raise SystemExit(f"that is more than the {MOST_BYTES:,} a shipped model may have.")


if __name__ == "__main__":
    main()
