"""All families by the name that a config.json gives them."""

from pellucid.families.albert import ALBERT
from pellucid.families.bart import BART
from pellucid.families.bert import BERT
from pellucid.families.ctrl import CTRL
from pellucid.families.distilbert import DISTILBERT
from pellucid.families.electra import ELECTRA
from pellucid.families.gpt import GPT
from pellucid.families.gpt2 import GPT2
from pellucid.families.gpt_neo import GPT_NEO
from pellucid.families.marian import MARIAN
from pellucid.families.mbart import MBART
from pellucid.families.roberta import ROBERTA
from pellucid.families.t5 import T5
from pellucid.families.transfo_xl import TRANSFO_XL

FAMILIES = {
    family.name: family
    for family in (
        BERT,
        ROBERTA,
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
        MARIAN,
        T5,
    )
}
