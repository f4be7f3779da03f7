"""All families by the name that a config.json gives them."""

from pellucid.families.bart import BART
from pellucid.families.bert import BERT
from pellucid.families.gpt2 import GPT2
from pellucid.families.t5 import T5

FAMILIES = {family.name: family for family in (BERT, GPT2, BART, T5)}
