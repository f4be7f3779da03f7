"""Small models of every family: the directory of each, and what is asked of it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from cli.writers import CLASSES, TAGS
from explain.zoo_writers import SENTENCE, SMALL, Shown, own, published
from pellucid.config.any_model import AnyModelConfig
from pellucid.config.baselines import BagOfWordsConfig, BiLSTMConfig, HMMConfig, TextCNNConfig
from pellucid.config.head import HeadConfig
from pellucid.config.model import ModelConfig
from pellucid.config.rnn import RNNConfig
from pellucid.families.catalog import LOCAL_FAMILIES

Writer = Callable[[Path], Shown]

MASKED = "The old dog [MASK] under the table."
PAIR = "Where does the old dog sleep?\tThe old dog sleeps under the table."


def baseline(family: str, config: AnyModelConfig, head: str, **settings: Any) -> Writer:
    """A directory of a simple model with labels."""
    named = CLASSES_OF if head == "classifier" else TAGS_OF
    heads = {head: replace(LOCAL_FAMILIES[family].heads[head], **named, **settings)}
    return own(family, config, heads)


CLASSES_OF = {"outputs": len(CLASSES), "labels": CLASSES}
TAGS_OF = {"outputs": len(TAGS), "labels": TAGS}
CRF = HeadConfig(kind="token", crf=True, **TAGS_OF)
ENCODER = ModelConfig(**SMALL, n_encoder_layers=2, n_decoder_layers=0)
TRANSLATOR = ModelConfig(**SMALL, n_encoder_layers=2, n_decoder_layers=3)
T5 = {"shape": {"max_length": 1024, "d_head": 4}}
T5_ENCODER = {"shape": {"max_length": 1024, "n_decoder_layers": 0, "d_head": 4}}
GPT = {"shape": {"d_ff": 64}}  # it is always four times the width

MODELS: dict[str, Writer] = {
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
    "xlm-roberta": published("xlm-roberta", "XLMRobertaForMaskedLM", "The old<mask> sleeps."),
    "camembert": published("camembert", "CamembertForMaskedLM", "Le vieux<mask> dort."),
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
    "m2m-100": published(
        "m2m_100",
        "M2M100ForConditionalGeneration",
        SENTENCE,
        "--source-language",
        "en",
        "--to",
        "de",
    ),
    "marian": published("marian", "MarianMTModel"),
    "pegasus": published("pegasus", "PegasusForConditionalGeneration"),
    "mt5": published("mt5", "MT5ForConditionalGeneration", **T5),
    "t5": published("t5", "T5ForConditionalGeneration", **T5),
    "t5, tags": published("t5", "T5ForTokenClassification", **T5_ENCODER, **TAGS_OF),
    "t5, no head": published("t5", "T5EncoderModel", **T5_ENCODER),
    "transformer": own("transformer", TRANSLATOR),
    "transformer, crf": own("transformer", ENCODER, {"tagger": CRF}),
    "rnn": own("rnn", RNNConfig(d_model=16)),
    "rnn, input feeding": own(
        "rnn", RNNConfig(d_model=16, input_feeding=True, attention="additive")
    ),
    "rnn, no attention": own("rnn", RNNConfig(d_model=16, attention="none")),
    "rnn, summaries": own("rnn", RNNConfig(d_model=16), task="summarization"),
    "bag of words": baseline("bag_of_words", BagOfWordsConfig(d_model=16), "classifier"),
    "text cnn": baseline("text_cnn", TextCNNConfig(d_embedding=16, n_filters=4), "classifier"),
    "bilstm": baseline("bilstm", BiLSTMConfig(d_model=16), "classifier"),
    "bilstm, tags": baseline("bilstm", BiLSTMConfig(d_model=16), "tagger"),
    "bilstm, crf": baseline("bilstm", BiLSTMConfig(d_model=16), "tagger", crf=True),
}
HMM = baseline("hmm", HMMConfig(), "tagger")
"""It has no layers that a trace or a page could show."""
