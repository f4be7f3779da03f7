"""Small models with random weights, of our own shapes and of published classes, for exports."""

from typing import Any

from parity.peer import vary_weights
from pellucid.config.data import TokenizerConfig
from pellucid.config.decoding import DecodingConfig, Roles
from pellucid.config.head import HeadConfig
from pellucid.config.model import ModelConfig
from pellucid.formats.bundle import Bundle
from pellucid.nn.model import build
from pellucid.text.pair import Tokenizers
from pellucid.text.train import train_tokenizer

LETTERS = train_tokenizer(
    ["the quick brown fox jumps over a lazy dog", "0123456789"],
    TokenizerConfig(kind="char", vocab_size=60, min_frequency=1),
)
TOKENIZERS = Tokenizers(LETTERS, LETTERS)
SIZE = LETTERS.vocab_size
SHAPE: dict[str, Any] = {
    "vocab_size": SIZE,
    "d_model": 16,
    "n_encoder_layers": 2,
    "n_decoder_layers": 3,
    "n_heads": 2,
    "d_ff": 24,
    "max_length": 40,
    "tie_embeddings": "none",
}


def directory_of(roles: Roles | None = None, **changes: Any) -> Bundle:
    """A finished run's model that writes texts which differ."""
    c = ModelConfig(**{**SHAPE, **changes})
    return Bundle(
        model=vary_weights(build(c, seed=1, heads={"lm": HeadConfig(kind="lm")}), seed=2),
        model_config=c,
        tokenizers=TOKENIZERS,
        task="translation",
        roles=roles or Roles(banned=()),
        decoding=DecodingConfig(),
        languages=("en", "de"),
        longest_source=30,
        card="",
    )


BOTH_STACKS: dict[str, Any] = {
    "d_model": 16,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 24,
    "decoder_ffn_dim": 24,
    "max_position_embeddings": 40,
}
SMALL: dict[str, Any] = {
    **BOTH_STACKS,
    "vocab_size": SIZE,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "decoder_start_token_id": 1,
}
T5: dict[str, Any] = {"d_model": 16, "d_kv": 8, "d_ff": 24, "num_layers": 2, "num_heads": 2}
T5 |= {"vocab_size": SIZE, "pad_token_id": 0, "eos_token_id": 2, "decoder_start_token_id": 0}
BERT: dict[str, Any] = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
BERT |= {"intermediate_size": 24, "max_position_embeddings": 40, "vocab_size": SIZE}
GPT: dict[str, Any] = {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 40}
GPT |= {"vocab_size": SIZE, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
# A window as wide as all positions is none.
GPT_NEO: dict[str, Any] = {"hidden_size": 16, "num_layers": 2, "num_heads": 2, "window_size": 40}
GPT_NEO |= {"attention_types": [[["global", "local"], 1]], "max_position_embeddings": 40}
GPT_NEO |= {"vocab_size": SIZE, "bos_token_id": 1, "eos_token_id": 2}
DISTIL: dict[str, Any] = {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 24}
DISTIL |= {"vocab_size": SIZE, "max_position_embeddings": 40}
PUBLISHED_FAMILIES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "bart": ("BartForConditionalGeneration", "BartConfig", SMALL),
    "mbart": ("MBartForConditionalGeneration", "MBartConfig", {**SMALL, "scale_embedding": True}),
    "m2m_100": ("M2M100ForConditionalGeneration", "M2M100Config", SMALL),
    "marian": ("MarianMTModel", "MarianConfig", {**SMALL, "scale_embedding": True}),
    "pegasus": ("PegasusForConditionalGeneration", "PegasusConfig", SMALL),
    "t5": ("T5ForConditionalGeneration", "T5Config", T5),
    "t5 1.1": (
        "T5ForConditionalGeneration",
        "T5Config",
        {**T5, "feed_forward_proj": "gated-gelu", "tie_word_embeddings": False, "d_kv": 6},
    ),
    "mt5": ("MT5ForConditionalGeneration", "MT5Config", T5),
    "t5 encoder": ("T5EncoderModel", "T5Config", T5),
    "gpt2": ("GPT2LMHeadModel", "GPT2Config", GPT),
    "gpt": ("OpenAIGPTLMHeadModel", "OpenAIGPTConfig", GPT),
    "gpt_neo": ("GPTNeoForCausalLM", "GPTNeoConfig", GPT_NEO),
    "ctrl": ("CTRLLMHeadModel", "CTRLConfig", {**GPT, "dff": 24}),
    "bert": ("BertModel", "BertConfig", BERT),
    "bert, words": ("BertForMaskedLM", "BertConfig", BERT),
    "distilbert": ("DistilBertForMaskedLM", "DistilBertConfig", DISTIL),
    "roberta": ("RobertaForMaskedLM", "RobertaConfig", {**BERT, "pad_token_id": 0}),
    "xlm-roberta": ("XLMRobertaModel", "XLMRobertaConfig", {**BERT, "pad_token_id": 0}),
    "camembert": ("CamembertModel", "CamembertConfig", {**BERT, "pad_token_id": 0}),
    "electra": ("ElectraModel", "ElectraConfig", {**BERT, "embedding_size": 16}),
}
