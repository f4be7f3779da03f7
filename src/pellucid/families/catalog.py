"""Families by name. The name of a published family is its model_type in config.json."""

from pellucid.families.albert import ALBERT
from pellucid.families.bag_of_words import BAG_OF_WORDS
from pellucid.families.bart import BART
from pellucid.families.bert import BERT
from pellucid.families.bilstm import BILSTM
from pellucid.families.camembert import CAMEMBERT
from pellucid.families.ctrl import CTRL
from pellucid.families.distilbert import DISTILBERT
from pellucid.families.electra import ELECTRA
from pellucid.families.family import Family, UnpublishedFamily
from pellucid.families.gpt import GPT
from pellucid.families.gpt2 import GPT2
from pellucid.families.gpt3 import GPT3
from pellucid.families.gpt_neo import GPT_NEO
from pellucid.families.hmm import HMM
from pellucid.families.m2m_100 import M2M_100
from pellucid.families.marian import MARIAN
from pellucid.families.mbart import MBART
from pellucid.families.mt5 import MT5
from pellucid.families.pegasus import PEGASUS
from pellucid.families.rnn import RNN
from pellucid.families.roberta import ROBERTA
from pellucid.families.skip_gram import SKIP_GRAM
from pellucid.families.t5 import T5
from pellucid.families.text_cnn import TEXT_CNN
from pellucid.families.transformer import TRANSFORMER
from pellucid.families.transformer_xl.family import TRANSFO_XL
from pellucid.families.xlm_roberta import XLM_ROBERTA

PUBLISHED_FAMILIES = {
    family.name: family
    for family in (
        BERT,
        ROBERTA,
        XLM_ROBERTA,
        CAMEMBERT,
        DISTILBERT,
        ELECTRA,
        ALBERT,
        GPT,
        GPT2,
        GPT_NEO,
        CTRL,
        TRANSFO_XL,
        BART,
        MBART,
        M2M_100,
        MARIAN,
        PEGASUS,
        T5,
        MT5,
    )
}
"""Families that `transformers` can read and write."""
LOCAL_FAMILIES = {
    family.name: family
    for family in (TRANSFORMER, RNN, BAG_OF_WORDS, TEXT_CNN, BILSTM, HMM, SKIP_GRAM)
}
"""Families that exist only in pellucid's own layout."""
UNPUBLISHED_FAMILIES = {GPT3.name: GPT3, **LOCAL_FAMILIES}
"""Families without published weights."""
ALL_FAMILIES: dict[str, Family | UnpublishedFamily] = {**LOCAL_FAMILIES, **PUBLISHED_FAMILIES}
