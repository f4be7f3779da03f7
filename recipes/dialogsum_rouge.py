"""ROUGE on DialogSum's test set: of the first three utterances, or of a file of summaries.

    python recipes/dialogsum_rouge.py TEST.jsonl
    python recipes/dialogsum_rouge.py TEST.jsonl --lines | pellucid summarize RUN > out.txt
    python recipes/dialogsum_rouge.py TEST.jsonl out.txt

The test set has three summaries of each dialogue. A score is the mean of those with each of them.
"""

import argparse
import json
from pathlib import Path

from pellucid.metrics.summarization import rouge

N_UTTERANCES = 3
REFERENCES = ("summary1", "summary2", "summary3")


def read_rows(path: Path) -> list[dict[str, str]]:
    """Return the objects of a JSONL file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def lead(dialogue: str) -> str:
    """Return the first utterances of a dialogue, with their speakers."""
    return "\n".join(dialogue.split("\n")[:N_UTTERANCES])


def main() -> None:
    """Print the scores, or the dialogues as lines."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("test", type=Path, help="dialogsum.test.jsonl")
    parser.add_argument(
        "summaries", type=Path, nargs="?", help="a summary on each line; default: lead-3"
    )
    parser.add_argument("--lines", action="store_true", help="print one dialogue a line and end")
    options = parser.parse_args()
    rows = read_rows(options.test)
    if options.lines:
        for row in rows:
            print(row["dialogue"].replace("\n", " "))
        return
    summaries = [lead(row["dialogue"]) for row in rows]
    if options.summaries:
        summaries = options.summaries.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    by_reference = [rouge(summaries, [row[name] for row in rows], "en") for name in REFERENCES]
    for scores in zip(*by_reference, strict=True):
        mean = sum(score.value for score in scores) / len(scores)
        print(
            f"{scores[0].name} {mean:.2f}  mean of {len(scores)} references|{scores[0].signature}"
        )


if __name__ == "__main__":
    main()
