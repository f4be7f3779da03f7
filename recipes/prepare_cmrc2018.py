"""Leave questions without text out of a SQuAD file: the trial part of CMRC 2018 has two.

python recipes/prepare_cmrc2018.py DATA/cmrc2018_trial.json trial.json
"""

import json
import sys
from pathlib import Path


def main(source: str, target: str) -> None:
    """Write the questions of `source` that have text."""
    content = json.loads(Path(source).read_text(encoding="utf-8"))
    n_left_out = 0
    for article in content["data"]:
        for paragraph in article["paragraphs"]:
            kept = [each for each in paragraph["qas"] if each["question"].strip()]
            n_left_out += len(paragraph["qas"]) - len(kept)
            paragraph["qas"] = kept
    Path(target).write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    print(f"{n_left_out} questions without text left out")


if __name__ == "__main__":
    main(*sys.argv[1:])
