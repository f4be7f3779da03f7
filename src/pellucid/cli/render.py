"""Format translations as lines: plain, with alignments, n-best in Moses format, or JSON."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pellucid.api import Loaded
    from pellucid.inference.translate import Translation

SEPARATOR = " ||| "


@dataclass(frozen=True)
class Format:
    """The format of output lines."""

    n_best: bool = False
    """`number ||| text ||| features ||| score`, a line for each hypothesis."""
    alignment: bool = False
    """` ||| source-target` pairs of token numbers after each text."""
    jsonl: bool = False
    """One JSON object per source line, with tokens and scores."""


def render(model: "Loaded", first: int, ranked: Sequence[list["Translation"]], f: Format) -> str:
    """Return the lines for sources from number `first` on; ranked: hypotheses, best first."""
    lines = []
    for number, hypotheses in enumerate(ranked, first):
        if f.jsonl:
            each = [_record(model, hypothesis) for hypothesis in hypotheses]
            record = {"hypotheses": each} if f.n_best else each[0]
            lines.append(json.dumps(record, ensure_ascii=False))
        elif f.n_best:
            lines += [_moses(number, hypothesis, f) for hypothesis in hypotheses]
        else:
            lines.append(_plain(hypotheses[0], f))
    return "".join(line + "\n" for line in lines)


def one_line(text: str) -> str:
    """Return the text with spaces for line breaks, which byte pieces can spell."""
    return text.replace("\n", " ").replace("\r", " ") if "\n" in text or "\r" in text else text


def one_word(text: str) -> str:
    """Return the text with underscores for spaces and line breaks."""
    return "_".join(text.split()) or "_"


def as_field(text: str) -> str:
    """Return the text on one line, with `|||` escaped as in Moses, so that fields can be split."""
    return one_line(text).replace("|||", "&#124;&#124;&#124;")


def describe_cut(n: int) -> str:
    """Return the note about lines that are longer than the model's maximum."""
    lines = "1 line was" if n == 1 else f"{n:,} lines were"
    return f"{lines} longer than this model reads; cut at the end"


def _plain(t: "Translation", f: Format) -> str:
    return f"{as_field(t.text)}{SEPARATOR}{_pharaoh(t)}" if f.alignment else one_line(t.text)


def _moses(number: int, t: "Translation", f: Format) -> str:
    features = f"log_prob= {sum(t.token_log_probs):.4f} length= {len(t.tokens)}"
    if t.utility is not None:
        features += f" utility= {t.utility:.4f}"
    fields = [str(number), as_field(t.text), features, f"{t.score:.4f}"]
    return SEPARATOR.join([*fields, _pharaoh(t)] if f.alignment else fields)


def _pharaoh(t: "Translation") -> str:
    return " ".join(f"{source}-{target}" for source, target in sorted(t.alignment))


def _record(model: "Loaded", t: "Translation") -> dict[str, Any]:
    record = {
        "text": t.text,
        "score": round(t.score, 6),
        "tokens": list(t.tokens),
        "token_log_probs": [round(p, 6) for p in t.token_log_probs],
        "source_tokens": model.tokenizer.source.pieces(t.source_ids),
        "finished": t.finished,
        "parts": t.parts,
    }
    if t.utility is not None:
        record["utility"] = round(t.utility, 4)
    return record | ({"alignment": [list(pair) for pair in t.alignment]} if t.alignment else {})
