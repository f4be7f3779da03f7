"""`pellucid answer`: the answer to a question in a context, for each line."""

import json
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING

from pellucid.cli.line_verb import LineOptions, process_lines
from pellucid.cli.models import load_model
from pellucid.cli.parse import positional
from pellucid.cli.process_input import ChunkOutput
from pellucid.cli.render import one_line
from pellucid.cli.stream import Chunk
from pellucid.config.tasks.question_answering import ANSWER_TOKENS
from pellucid.errors import UsageError

if TYPE_CHECKING:
    from pellucid.api import Loaded
    from pellucid.inference.answer import Answer

CHUNK_LINES = 256


@dataclass(frozen=True)
class Options(LineOptions):
    """Answer each line of standard input: a question, a tab, and a context that has the answer.

    printf 'Who lived in London?\\tAda Lovelace lived in London.\\n' | pellucid answer MODEL
    """

    model: str = positional()
    """A directory of a model that finds answers, ours or a downloaded one."""
    top: int = 1
    """Print this many answers with their probabilities, most probable first."""
    answer_tokens: int = ANSWER_TOKENS
    """Maximum tokens of an answer."""
    null_threshold: float = inf
    """Print an empty answer where the score of "no answer" is higher than that of the best answer
    by more than this, such as 0; for models that learned unanswerable questions."""
    jsonl: bool = False
    """One JSON object per line, with the start and end of each answer in the context."""


def run(options: Options) -> int:
    """Answer until standard input ends."""
    model = load_model(options.model, options.device, options.dtype, decodes=False)
    _ask(model, [], options)  # wrong options and models are refused before any text is read
    return process_lines(lambda chunk: _answer(model, chunk, options), CHUNK_LINES, options)


def _answer(model: "Loaded", chunk: Chunk, options: Options) -> ChunkOutput:
    """Return the answers of a chunk's lines, as lines of output. Blank lines have none."""
    pairs = [_split(line) for line in chunk.lines if line.strip()]
    answers = iter(_ask(model, pairs, options))
    lines = []
    for line in chunk.lines:
        ranked = next(answers) if line.strip() else []
        lines.append(_record(line, ranked) if options.jsonl else "\t".join(map(_pair, ranked)))
    return ChunkOutput("".join(line + "\n" for line in lines))


def _ask(model: "Loaded", pairs: list[tuple[str, str]], options: Options) -> list[list["Answer"]]:
    return model.answer(
        pairs,
        top=options.top,
        answer_tokens=options.answer_tokens,
        null_threshold=options.null_threshold,
    )


def _split(line: str) -> tuple[str, str]:
    """Return the question and the context of a line, whose spaces count in the offsets.

    Raises: UsageError without exactly one tab.
    """
    question, *contexts = line.split("\t")
    if len(contexts) != 1:
        raise UsageError(
            f"{len(contexts)} tabs: a line is a question, one tab, and a context. Replace other"
            " tabs by spaces."
        )
    return question, contexts[0]


def _pair(answer: "Answer") -> str:
    return f"{one_line(answer.text)}\t{answer.probability:.4f}"


def _record(line: str, answers: list["Answer"]) -> str:
    record = {
        "question": line.partition("\t")[0],
        "answers": [
            {
                "answer": each.text,
                "probability": round(each.probability, 6),
                "start": each.start,
                "end": each.end,
            }
            for each in answers
        ],
    }
    return json.dumps(record, ensure_ascii=False)
