"""Classes of transformers: our names of their heads, and where their outputs hold the logits."""

from typing import Any

import torch
from torch import Tensor

POOLED = {"pooled": "pooler_output"}
LM = {"lm": "logits"}
CLASSES = {
    "BertForPreTraining": {"mlm": "prediction_logits", "nsp": "seq_relationship_logits"},
    "AlbertForPreTraining": {"mlm": "prediction_logits", "sop": "sop_logits"},
    "ElectraForPreTraining": {"replaced": "logits"},
    "BertModel": POOLED,
    "AlbertModel": POOLED,
    "RobertaModel": POOLED,
    "XLMRobertaModel": POOLED,
    "CamembertModel": POOLED,
}
"""Class -> head -> field of its output."""
ENDINGS = {
    "ForMaskedLM": {"mlm": "logits"},
    "ForNextSentencePrediction": {"nsp": "logits"},
    "ForSequenceClassification": {"classifier": "logits"},
    "ForTokenClassification": {"tagger": "logits"},
    "ForQuestionAnswering": {"span": "start_logits"},  # and end_logits
    "ForConditionalGeneration": LM,
    "ForCausalLM": LM,
    "LMHeadModel": LM,
    "MTModel": LM,
    "Model": {},
}
"""The same for classes that end in this, if they are not named above; the first counts."""
ONE_PER_TEXT = ("classifier", "nsp", "sop", "pooled")


def fields_of(kind: str) -> dict[str, str]:
    """Head -> field of the class's output; a class without head has none."""
    if kind in CLASSES:
        return CLASSES[kind]
    return next(fields for ending, fields in ENDINGS.items() if kind.endswith(ending))


def logits_of(model: Any, output: Any, keep: Tensor) -> dict[str, Tensor]:
    """Logits by head, at the real positions (keep) if a head has one for each source token."""
    actual = {}
    for head, field in fields_of(type(model).__name__).items():
        logits = getattr(output, field)
        if head == "span":
            logits = torch.stack([logits, output.end_logits], -1)
        writes = head == "lm" and model.config.is_encoder_decoder
        actual[head] = logits if writes or head in ONE_PER_TEXT else logits[keep]
    return actual
