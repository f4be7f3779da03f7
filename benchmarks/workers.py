"""`pellucid translate --workers 2` against one worker: single-threaded workers, shared weights.

python -m benchmarks.workers RUN

Start-up, which is the time for one sentence, is taken off both; the output must be the same. Both
run with OMP_NUM_THREADS=1: a lone worker with two threads would make two look better than they are.
"""

import argparse

from benchmarks.commands import TRANSLATE, Ran, median, run
from benchmarks.report import multi30k, save_results

AIM = 1.7


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", help="a run or model directory")
    parser.add_argument("--repeat", type=int, default=4, help="test2016 so many times over")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    text = (multi30k() / "test_2016_flickr.lc.norm.tok.en").read_text("utf-8") * arguments.repeat
    first = text[: text.index("\n") + 1]
    whole: dict[int, list[Ran]] = {1: [], 2: []}
    short: dict[int, list[Ran]] = {1: [], 2: []}
    for _ in range(arguments.rounds):
        for n in whole:
            command = (*TRANSLATE, arguments.model, "--workers", str(n))
            whole[n].append(run(command, text, threads=1))
            short[n].append(run(command, first, threads=1))
    sentences = text.count("\n")
    speed = {n: sentences / (median(whole[n]) - median(short[n])) for n in whole}
    same = len({one.output for runs in whole.values() for one in runs}) == 1
    ratio = speed[2] / speed[1]
    print(f"{sentences} sentences: 1 worker {speed[1]:.1f}/s, 2 workers {speed[2]:.1f}/s")
    print(
        f"  2 workers/1 worker {ratio:.2f}x  aim {AIM}x  {'reached' if ratio >= AIM else 'MISSED'}"
    )
    print(f"  same output: {same}; peak of the largest process {whole[2][-1].peak_mib:.0f} MiB")
    save_results(
        "workers", {"sentences_a_second": speed, "ratio": ratio, "aim": AIM, "same_output": same}
    )


if __name__ == "__main__":
    main()
