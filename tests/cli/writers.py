"""Small models in the layout of published ones, with tokenizers of the built-in corpus."""

from dataclasses import replace
from pathlib import Path

from pellucid.config.model import ModelConfig
from pellucid.families.catalog import PUBLISHED_FAMILIES
from pellucid.formats.huggingface import PublishedModel, write_published
from pellucid.nn.model import Transformer, build
from pellucid.text.published.open import open_tokenizers
from text.published.samples import byte_bpe, wordpiece

END = "<|endoftext|>"
SMALL = {"d_model": 16, "d_ff": 32, "n_heads": 2, "max_length": 64, "dropout": 0.0}
TAGS = ("O", "B-PER", "I-PER")
CLASSES = ("good", "bad", "neither")
BRIEF = 0.15
"""Standard deviation of weights that make predictions differ from token to token."""


def write_gpt2(directory: Path, seed: int, special: tuple[str, ...] = (END,), **shape) -> Path:
    """A random GPT-2, whose token 0 ends a text."""
    directory.mkdir(parents=True, exist_ok=True)
    names = {"bos_token": END, "eos_token": END, "unk_token": END}
    byte_bpe(directory, list(special), tokenizer_class="GPT2Tokenizer", **names)
    c = _config("gpt2", directory, {"n_decoder_layers": 2, **shape})
    ids = {"bos_token_id": 0, "eos_token_id": 0}
    save(directory, "gpt2", "GPT2LMHeadModel", randomize("gpt2", "GPT2LMHeadModel", c, seed), ids)
    return directory


def write_bert(directory: Path, seed: int, **shape) -> Path:
    """A random BERT that fills gaps, [MASK]."""
    directory.mkdir(parents=True, exist_ok=True)
    wordpiece(directory, tokenizer_class="BertTokenizer", do_lower_case=False)
    c = _config("bert", directory, {"n_encoder_layers": 2, **shape})
    save(directory, "bert", "BertForMaskedLM", randomize("bert", "BertForMaskedLM", c, seed))
    return directory


def write_tagger(directory: Path, seed: int, **shape) -> Path:
    """A random BERT that tags words."""
    directory.mkdir(parents=True, exist_ok=True)
    wordpiece(directory, tokenizer_class="BertTokenizer", do_lower_case=False)
    c = _config("bert", directory, {"n_encoder_layers": 2, **shape})
    name = "BertForTokenClassification"
    save(directory, "bert", name, randomize("bert", name, c, seed, outputs=len(TAGS), labels=TAGS))
    return directory


def write_classifier(directory: Path, seed: int, several: bool = False, **shape) -> Path:
    """A random BERT that classifies texts and pairs."""
    directory.mkdir(parents=True, exist_ok=True)
    wordpiece(directory, tokenizer_class="BertTokenizer", do_lower_case=False)
    c = _config("bert", directory, {"n_encoder_layers": 2, **shape})
    name, problem = "BertForSequenceClassification", "multi_label" if several else "single_label"
    head = {"outputs": len(CLASSES), "labels": CLASSES, "problem": problem}
    save(directory, "bert", name, randomize("bert", name, c, seed, **head))
    return directory


def write_answerer(directory: Path, seed: int, **shape) -> Path:
    """A random BERT that finds answers."""
    directory.mkdir(parents=True, exist_ok=True)
    wordpiece(directory, tokenizer_class="BertTokenizer", do_lower_case=False)
    c = _config("bert", directory, {"n_encoder_layers": 2, **shape})
    name = "BertForQuestionAnswering"
    save(directory, "bert", name, randomize("bert", name, c, seed))
    return directory


def randomize(
    family: str, architecture: str, c: ModelConfig, seed: int, **head: object
) -> Transformer:
    """A model with one head, changed by `head`, whose every weight is drawn; gains stay 1."""
    (names,) = PUBLISHED_FAMILIES[family].heads[architecture]
    model = build(c, seed, {names.name: replace(names.config, **head)})  # type: ignore[arg-type]
    for name, weight in model.named_parameters():
        if weight.dim() > 1 or name.endswith("bias"):
            weight.data.normal_(0, BRIEF)
    return model


def save(directory: Path, family: str, architecture: str, model: Transformer, ids=None) -> None:
    """Save the model next to the files of the tokenizer."""
    heads = dict(model.head_configs)
    published = PublishedModel(PUBLISHED_FAMILIES[family], model, heads, architecture, ids or {})
    write_published(directory, published)


def _config(family: str, directory: Path, shape: dict) -> ModelConfig:
    size = open_tokenizers(directory).source.vocab_size
    return replace(PUBLISHED_FAMILIES[family].preset, **{**SMALL, "vocab_size": size, **shape})
