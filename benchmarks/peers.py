"""A pellucid translator as a transformers and as a CTranslate2 model: the same function."""

from pathlib import Path
from typing import Any

import torch

from pellucid.config.decoding import Roles
from pellucid.config.model import ModelConfig
from pellucid.families.conversion import export_tensors
from pellucid.formats.ctranslate import build_spec
from pellucid.formats.transformer_export import convert_transformer
from pellucid.nn.model import Transformer
from pellucid.nn.weights import weights

PAD, BOS, EOS, UNK = range(4)
"""Ids of our tokenizers' special tokens."""


def marian(c: ModelConfig, dropout: float = 0.1) -> Any:
    """Return transformers' model of this shape, with random weights."""
    from transformers import MarianConfig, MarianMTModel

    config = MarianConfig(
        vocab_size=c.vocab_size,
        d_model=c.d_model,
        encoder_layers=c.n_encoder_layers,
        decoder_layers=c.n_decoder_layers,
        encoder_attention_heads=c.n_heads,
        decoder_attention_heads=c.n_heads,
        encoder_ffn_dim=c.d_ff,
        decoder_ffn_dim=c.d_ff,
        activation_function=c.activation,
        scale_embedding=c.scale_embeddings,
        max_position_embeddings=256,
        dropout=dropout,
        attention_dropout=0.0,
        activation_dropout=0.0,
        pad_token_id=PAD,
        bos_token_id=BOS,
        eos_token_id=EOS,
        decoder_start_token_id=BOS,
        forced_eos_token_id=None,
        share_encoder_decoder_embeddings=True,
        tie_word_embeddings=True,
    )
    return MarianMTModel(config)


def to_marian(model: Transformer) -> Any:
    """Convert to a MarianMTModel. Raises: ConfigError if Marian has no form of it."""
    ids = {"pad": PAD, "bos": BOS, "eos": EOS, "unk": UNK}
    published = convert_transformer(model, Roles(), ids.__getitem__)
    converted = marian(model.config)
    table = published.family.all_renames(
        published.model.config, published.family.heads["MarianMTModel"]
    )
    tensors = export_tensors(weights(published.model), table)
    # Aliases and sinusoids are missing from the tensors; `_check` finds anything else.
    unknown = converted.load_state_dict(tensors, strict=False).unexpected_keys
    assert not unknown, unknown
    converted.eval()
    _check(model, converted)
    return converted


def to_ctranslate2(model: Transformer, directory: Path) -> None:
    """Write a translator as a CTranslate2 model whose tokens are the ids' digits."""
    import ctranslate2

    spec = build_spec(model, ctranslate2.specs)
    tokens = [str(i) for i in range(model.config.vocab_size)]
    spec.register_source_vocabulary(tokens)
    spec.register_target_vocabulary(tokens)
    spec.config.decoder_start_token = tokens[BOS]
    spec.config.bos_token, spec.config.eos_token = tokens[BOS], tokens[EOS]
    spec.config.unk_token = tokens[UNK]
    spec.config.layer_norm_epsilon = model.config.norm_eps
    spec.validate()
    spec.optimize()
    directory.mkdir(parents=True, exist_ok=True)
    spec.save(str(directory))


@torch.inference_mode()
def _check(model: Transformer, converted: Any) -> None:
    """Raises: ValueError unless logits on random padded ids are equal up to rounding."""
    rng = torch.Generator().manual_seed(0)
    source = torch.randint(4, model.config.vocab_size, (3, 9), generator=rng)
    target = torch.randint(4, model.config.vocab_size, (3, 7), generator=rng)
    keep = torch.arange(9) < torch.tensor([9, 5, 1])[:, None]
    expected = model.eval().heads["lm"](model(source, keep, target))
    inputs = {"input_ids": source, "attention_mask": keep.long(), "decoder_input_ids": target}
    difference = float((expected - converted(**inputs).logits).abs().max())
    if difference > 1e-5 * max(1.0, float(expected.abs().max())):
        raise ValueError(f"the converted model's logits differ by {difference:.2g}")
