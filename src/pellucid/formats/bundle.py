"""The parts of a finished model."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from pellucid.config.any_model import AnyModelConfig
from pellucid.config.decoding import DecodingConfig, Roles
from pellucid.config.embedding import EmbeddingConfig
from pellucid.decoding.search import SpecialIds
from pellucid.formats.special_ids import find_special_ids
from pellucid.nn.base import Model
from pellucid.nn.dense import Dense
from pellucid.text.pair import Tokenizers


@dataclass(frozen=True)
class Bundle:
    """A finished model with its tokenizers, settings and model card."""

    model: Model
    model_config: AnyModelConfig
    tokenizers: Tokenizers
    task: str
    roles: Roles
    decoding: DecodingConfig
    languages: tuple[str, str]
    longest_source: int
    """Greatest number of tokens of a source in training: of a translator, about that of its longest
    example (longer sources are split); of an encoder, what its run allowed."""
    card: str
    family: str = "transformer"
    token_ids: Mapping[str, int] = field(default_factory=dict)
    """Token ids such as pad_token_id, from the configs of a published directory."""
    embedding: EmbeddingConfig = EmbeddingConfig()  # noqa: RUF009 (frozen)
    dense: tuple[Dense, ...] = ()
    """Of a sentence-transformers directory: dense layers between pooling and normalization."""
    prompts: Mapping[str, Any] = field(default_factory=dict)
    """Of a sentence-transformers directory: its prompt settings, kept for an export."""
    banned: tuple[int, ...] = ()
    """Ids that are never generated, in addition to `roles.banned`."""
    source_prefix: str = ""
    """Text before each document to summarize, such as T5's `summarize: `."""
    notes: tuple[str, ...] = ()
    """Search and tokenizer settings of a published directory that are not supported."""

    @cached_property
    def special_ids(self) -> SpecialIds:
        """The ids that a search needs. Raises: UsageError as `find_special_ids`."""
        return find_special_ids(self)
