"""Small models of every family with random weights, as directories."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from cli.writers import CLASSES, END, TAGS
from pellucid import garden
from pellucid.config.any_model import AnyModelConfig
from pellucid.config.data import TokenizerConfig
from pellucid.config.decoding import DecodingConfig, Roles
from pellucid.config.head import HeadConfig
from pellucid.config.model import ModelConfig
from pellucid.config.rnn import RNNConfig
from pellucid.families.catalog import PUBLISHED_FAMILIES
from pellucid.families.transformer_xl.family import MICRO
from pellucid.formats.bundle import Bundle
from pellucid.formats.huggingface import PublishedModel, write_published
from pellucid.formats.save_bundle import save_bundle
from pellucid.nn.base import Model
from pellucid.nn.model import build
from pellucid.text.published.open import open_tokenizers
from pellucid.text.special_tokens import BERT_TOKENS
from pellucid.text.train import train_tokenizers
from text.published import samples

SENTENCE = "The old dog sleeps under the table."
MASKED = "The old dog [MASK] under the table."
PAIR = "Where does the old dog sleep?\tThe old dog sleeps under the table."
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
    "albert": samples.albert,
    "openai-gpt": lambda path: samples.word_bpe(path, tokenizer_class="OpenAIGPTTokenizer"),
    "gpt2": byte_bpe([END], tokenizer_class="GPT2Tokenizer", eos_token=END),
    "gpt_neo": byte_bpe([END], tokenizer_class="GPT2Tokenizer", eos_token=END),
    "ctrl": lambda path: samples.cut_bpe(path, tokenizer_class="CTRLTokenizer"),
    "transfo-xl": words,
    "bart": byte_bpe(samples.FAIRSEQ, tokenizer_class="BartTokenizer"),
    "mbart": samples.mbart,
    "marian": samples.marian,
    "t5": samples.t5,
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


def own(
    config: AnyModelConfig, heads: dict[str, HeadConfig] | None = None, text: str = SENTENCE
) -> Callable[[Path], Shown]:
    """A directory in pellucid's own layout."""

    def write(directory: Path) -> Shown:
        pairs = list(garden.pairs(80, "en", "de"))
        if heads is None:
            tokenizers = train_tokenizers(lambda: pairs, TokenizerConfig(vocab_size=350))
        else:
            texts = [(each,) for each, _ in pairs]
            tokenizers = train_tokenizers(lambda: texts, WORDPIECE, BERT_TOKENS)
        sized = replace(config, vocab_size=tokenizers.source.vocab_size)
        bundle = Bundle(
            model=vary(build(sized, 0, heads)),
            model_config=sized,
            tokenizers=tokenizers,
            task="translation" if heads is None else "tagging",
            roles=Roles(),
            decoding=DecodingConfig(beam=2, max_length=10),
            languages=("en", "de"),
            longest_source=50,
            card="",
            family="rnn" if isinstance(config, RNNConfig) else "transformer",
        )
        save_bundle(directory / "model", bundle)
        return Shown(directory / "model", text)

    return write


@torch.no_grad()
def vary(model: Model) -> Model:
    """Draw every matrix and bias; gains stay 1."""
    rng = torch.Generator().manual_seed(1)
    for name, weight in model.named_parameters():
        if weight.dim() > 1 or name.endswith("bias"):
            weight.normal_(0, DEVIATION, generator=rng)
    return model.eval()


CLASSES_OF = {"outputs": len(CLASSES), "labels": CLASSES}
TAGS_OF = {"outputs": len(TAGS), "labels": TAGS}
CRF = HeadConfig(kind="token", outputs=len(TAGS), labels=TAGS, crf=True)
ENCODER = ModelConfig(**SMALL, n_encoder_layers=2, n_decoder_layers=0)
TRANSLATOR = ModelConfig(**SMALL, n_encoder_layers=2, n_decoder_layers=3)
T5 = {"shape": {"max_length": 1024, "d_head": 4}}
T5_ENCODER = {"shape": {"max_length": 1024, "n_decoder_layers": 0, "d_head": 4}}
GPT = {"shape": {"d_ff": 64}}  # it is always four times the width

MODELS: dict[str, Callable[[Path], Shown]] = {
    "bert, masked words": published("bert", "BertForMaskedLM", MASKED),
    "bert, two heads": published("bert", "BertForPreTraining", PAIR, "--head", "nsp"),
    "bert, no head": published("bert", "BertModel"),
    "bert, classes": published("bert", "BertForSequenceClassification", **CLASSES_OF),
    "bert, pair": published("bert", "BertForSequenceClassification", PAIR, **CLASSES_OF),
    "bert, several labels": published(
        "bert", "BertForSequenceClassification", problem="multi_label", **CLASSES_OF
    ),
    "bert, a number": published("bert", "BertForSequenceClassification", PAIR, outputs=1),
    "bert, tags": published("bert", "BertForTokenClassification", **TAGS_OF),
    "bert, answers": published("bert", "BertForQuestionAnswering", PAIR),
    "roberta": published("roberta", "RobertaForMaskedLM", "The old<mask> sleeps."),
    "albert": published("albert", "AlbertForMaskedLM", MASKED, shape={"d_embedding": 8}),
    "distilbert": published("distilbert", "DistilBertForMaskedLM", MASKED),
    "electra": published("electra", "ElectraForPreTraining", shape={"d_embedding": 8}),
    "gpt": published("openai-gpt", "OpenAIGPTLMHeadModel", "The old dog", **GPT),
    "gpt-2": published("gpt2", "GPT2LMHeadModel", "The old dog"),
    "gpt-2, tags": published("gpt2", "GPT2ForTokenClassification", **TAGS_OF),
    "gpt-3": published("gpt_neo", "GPTNeoForCausalLM", shape={"windows": (0, 3)}),
    "ctrl": published("ctrl", "CTRLLMHeadModel", "Wikipedia The old dog"),
    "transformer-xl": published("transfo-xl", "TransfoXLLMHeadModel", "The old dog"),
    "bart": published("bart", "BartForConditionalGeneration"),
    "bart, classes": published("bart", "BartForSequenceClassification", **CLASSES_OF),
    "mbart": published("mbart", "MBartForConditionalGeneration"),
    "marian": published("marian", "MarianMTModel"),
    "t5": published("t5", "T5ForConditionalGeneration", **T5),
    "t5, tags": published("t5", "T5ForTokenClassification", **T5_ENCODER, **TAGS_OF),
    "t5, no head": published("t5", "T5EncoderModel", **T5_ENCODER),
    "transformer": own(TRANSLATOR),
    "transformer, crf": own(ENCODER, {"tagger": CRF}),
    "rnn": own(RNNConfig(d_model=16)),
    "rnn, input feeding": own(RNNConfig(d_model=16, input_feeding=True, attention="additive")),
    "rnn, no attention": own(RNNConfig(d_model=16, attention="none")),
}
