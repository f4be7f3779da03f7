"""Writers of small models with random weights, as directories."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from cli.writers import END
from pellucid import garden
from pellucid.config.any_model import AnyModelConfig
from pellucid.config.data import TokenizerConfig
from pellucid.config.decoding import DecodingConfig, Roles
from pellucid.config.head import HeadConfig
from pellucid.families.catalog import LOCAL_FAMILIES, PUBLISHED_FAMILIES
from pellucid.families.transformer_xl.family import MICRO
from pellucid.formats.bundle import Bundle
from pellucid.formats.huggingface import PublishedModel, write_published
from pellucid.formats.save_bundle import save_bundle
from pellucid.nn.base import Model
from pellucid.nn.model import materialize
from pellucid.text.published.open import open_tokenizers
from pellucid.text.special_tokens import BERT_TOKENS
from pellucid.text.train import train_tokenizers
from text.published import samples

SENTENCE = "The old dog sleeps under the table."
SMALL = {"d_model": 16, "d_ff": 32, "n_heads": 2, "dropout": 0.0, "max_length": 64}
DEVIATION = 0.3
"""Of random weights: predictions differ from token to token."""


@dataclass(frozen=True)
class Shown:
    """A model's directory, and what is asked of it."""

    directory: Path
    text: str = SENTENCE
    options: tuple[str, ...] = ()
    """Of `pellucid explore`."""


def byte_bpe(special: list[str], **config: str) -> Callable[[Path], Path]:
    return lambda path: samples.byte_bpe(path, special, **config)


def wordpiece(name: str) -> Callable[[Path], Path]:
    return lambda path: samples.wordpiece(path, tokenizer_class=name)


def words(directory: Path) -> Path:
    """A vocabulary of whole words, as Transformer-XL has."""
    known = sorted({word for pair in garden.pairs(60, "en", "de") for word in pair[0].split()})
    text = "".join(f"{word}\n" for word in ("<eos>", "<unk>", *known))
    (directory / "vocab.txt").write_text(text)
    return samples.configure(directory, tokenizer_class="TransfoXLTokenizer")


TOKENIZERS: dict[str, Callable[[Path], Path]] = {
    "bert": wordpiece("BertTokenizer"),
    "distilbert": wordpiece("DistilBertTokenizer"),
    "electra": wordpiece("ElectraTokenizer"),
    "roberta": byte_bpe(samples.FAIRSEQ, tokenizer_class="RobertaTokenizer"),
    "xlm-roberta": samples.xlm_roberta,
    "camembert": samples.camembert,
    "albert": samples.albert,
    "openai-gpt": lambda path: samples.word_bpe(path, tokenizer_class="OpenAIGPTTokenizer"),
    "gpt2": byte_bpe([END], tokenizer_class="GPT2Tokenizer", eos_token=END),
    "gpt_neo": byte_bpe([END], tokenizer_class="GPT2Tokenizer", eos_token=END),
    "ctrl": lambda path: samples.cut_bpe(path, tokenizer_class="CTRLTokenizer"),
    "transfo-xl": words,
    "bart": byte_bpe(samples.FAIRSEQ, tokenizer_class="BartTokenizer"),
    "mbart": samples.mbart,
    "m2m_100": samples.nllb,
    "marian": samples.marian,
    "pegasus": samples.pegasus,
    "t5": samples.t5,
    "mt5": samples.t5,
}


def published(
    family: str,
    architecture: str,
    text: str = SENTENCE,
    *options: str,
    shape: dict[str, Any] | None = None,
    **head: Any,
) -> Callable[[Path], Shown]:
    """A directory as its publisher would write it; head: changes of the head's settings."""

    def write(directory: Path) -> Shown:
        TOKENIZERS[family](directory)
        kind = PUBLISHED_FAMILIES[family]
        size = open_tokenizers(directory).source.vocab_size
        config = small_config(family, size, shape or {})
        heads = {each.name: replace(each.config, **head) for each in kind.heads[architecture]}
        model = vary(kind.build(config, seed=0, heads=heads))
        ids = TOKEN_IDS.get(family, {})
        write_published(directory, PublishedModel(kind, model, heads, architecture, ids))
        return Shown(directory, text, options)

    return write


TOKEN_IDS = {
    "bart": {"bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 2},
    "t5": {"pad_token_id": 0, "eos_token_id": 1, "decoder_start_token_id": 0},
    "gpt2": {"bos_token_id": 0, "eos_token_id": 0},
}


def small_config(family: str, size: int, shape: dict[str, Any]) -> AnyModelConfig:
    """The preset of a family in a few numbers."""
    preset = PUBLISHED_FAMILIES[family].preset
    if family == "transfo-xl":
        narrow = {"d_model": 16, "d_embedding": 16, "d_head": 8, "d_ff": 32, "n_heads": 2}
        return replace(
            MICRO, vocab_size=size, n_decoder_layers=2, mem_len=4, cutoffs=(), **narrow, **shape
        )
    stacks = ("n_encoder_layers", "n_decoder_layers")
    layers = {stack: 2 for stack in stacks if getattr(preset, stack)}
    return replace(preset, **{**SMALL, **layers, "vocab_size": size, **shape})


WORDPIECE = TokenizerConfig(kind="wordpiece", vocab_size=400)
TASKS = {"classifier": "classification", "tagger": "tagging"}


def own(
    family: str,
    config: AnyModelConfig,
    heads: dict[str, HeadConfig] | None = None,
    task: str = "translation",
) -> Callable[[Path], Shown]:
    """A directory in pellucid's own layout. task: of a model without `heads`."""

    def write(directory: Path) -> Shown:
        pairs = list(garden.pairs(80, "en", "de"))
        if heads is None:
            tokenizers = train_tokenizers(lambda: pairs, TokenizerConfig(vocab_size=350))
        else:
            texts = [(each,) for each, _ in pairs]
            tokenizers = train_tokenizers(lambda: texts, WORDPIECE, BERT_TOKENS)
        sized = replace(config, vocab_size=tokenizers.source.vocab_size)
        with torch.device("meta"):
            model = LOCAL_FAMILIES[family].module(sized, heads)
        bundle = Bundle(
            model=vary(materialize(model, seed=0)),
            model_config=sized,
            tokenizers=tokenizers,
            task=TASKS[next(iter(heads))] if heads else task,
            roles=Roles(),
            decoding=DecodingConfig(beam=2, max_length=10),
            languages=("en", "de"),
            longest_source=50,
            card="",
            family=family,
        )
        save_bundle(directory / "model", bundle)
        return Shown(directory / "model")

    return write


@torch.no_grad()
def vary(model: Model) -> Model:
    """Draw every matrix and bias; gains stay 1."""
    rng = torch.Generator().manual_seed(1)
    for name, weight in model.named_parameters():
        if weight.dim() > 1 or name.endswith("bias"):
            weight.normal_(0, DEVIATION, generator=rng)
    return model.eval()
