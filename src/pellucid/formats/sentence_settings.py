"""Read the settings files of a sentence-transformers directory, one function for each.

A setting that changes vectors is returned. Settings that do not are listed in the `HARMLESS`
tables, with the values that do not. Any other setting or value is an error.
Source: sentence-transformers 6, `base/modules/` and `sentence_transformer/modules/pooling.py`.
"""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from torch import nn

from pellucid.config.embedding import Pooling
from pellucid.errors import ConfigError
from pellucid.json_files import read_json
from pellucid.nn.dense import Dense
from pellucid.nn.weights import load_weights, read_weights

CONFIG, WEIGHTS = "config.json", "model.safetensors"
PROMPTS, TOKENIZER = "config_sentence_transformers.json", "tokenizer_config.json"
LIMITS = tuple(  # the first one in a directory counts
    f"sentence_{name}_config.json"
    for name in ("bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet")
)
POOLING: dict[str, Pooling] = {"mean": "mean", "cls": "first", "max": "max"}
"""Supported pooling modes -> our names."""
POOLING_FLAGS = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
"""Flag of versions before 5.4 -> `pooling_mode`."""
ACTIVATIONS: dict[str, type[nn.Module]] = {
    f"{kind.__module__}.{kind.__name__}": kind
    for kind in (nn.Tanh, nn.Identity, nn.ReLU, nn.GELU, nn.SiLU, nn.Sigmoid)
}
ANY: Collection[Any] = ("*",)  # in a table of harmless values: all values are harmless
Harmless = Mapping[str, Collection[Any]]
"""Settings that do not change vectors -> the values for which that holds."""
VECTOR: Harmless = {
    "module_input_name": ("sentence_embedding",),
    "module_output_name": ("sentence_embedding",),
}
ARGUMENTS = (
    *("model_args", "tokenizer_args", "config_args"),
    *("model_kwargs", "processor_kwargs", "config_kwargs", "processing_kwargs"),
)
TEXT = {"text": {"method": "forward", "method_output_name": "last_hidden_state"}}
HARMLESS_LIMITS: Harmless = {
    "transformer_task": ("feature-extraction",),
    "modality_config": (TEXT,),
    "module_output_name": ("token_embeddings",),
    "unpad_inputs": ANY,
    # These apply to calls that name a task; `encode` names none.
    "query_length": ANY,
    "document_length": ANY,
    "query_expansion": ANY,
    **dict.fromkeys(ARGUMENTS, ({},)),
}
HARMLESS_PROMPTS: Harmless = {
    "__version__": ANY,
    "requirements": ANY,
    "similarity_fn_name": ANY,
    "model_type": ("SentenceTransformer",),
}
NO_LIMIT = 1 << 30  # tokenizers without a limit have 1e30


def read_pooling(path: Path) -> tuple[Pooling, bool]:
    """Return the pooling mode, and whether the states of the prompt are included."""
    flags = dict.fromkeys(POOLING_FLAGS, False)
    widths: Harmless = {"word_embedding_dimension": ANY, "embedding_dimension": ANY}
    values = _read_settings(path, {"pooling_mode": None, "include_prompt": True, **flags}, widths)
    modes = values["pooling_mode"] or [mode for flag, mode in POOLING_FLAGS.items() if values[flag]]
    modes = [modes] if isinstance(modes, str) else modes or ["mean"]
    if not isinstance(modes, list) or len(modes) != 1 or modes[0] not in POOLING:
        raise ConfigError(
            f"{path}: pooling_mode={str(modes)[:80]} is not supported. Supported, one at a time:"
            f" {', '.join(POOLING)}."
        )
    return POOLING[modes[0]], values["include_prompt"]


def read_limits(directory: Path) -> tuple[int, bool]:
    """Return the maximum number of tokens of a text (0: no limit), and whether to lower-case.

    Without `max_seq_length`, the limit is the tokenizer's `model_max_length`.
    """
    longest, lowercase = None, False
    path = next((directory / name for name in LIMITS if (directory / name).is_file()), None)
    if path is not None:
        settings = {"max_seq_length": None, "do_lower_case": False}
        values = _read_settings(path, settings, HARMLESS_LIMITS)
        longest, lowercase = values["max_seq_length"], values["do_lower_case"]
    if longest is None and (directory / TOKENIZER).is_file():
        path = directory / TOKENIZER
        tokenizer = read_json(path)
        longest = tokenizer.get("model_max_length") if isinstance(tokenizer, dict) else None
    longest = 0 if longest is None else longest
    if isinstance(longest, bool) or not isinstance(longest, (int, float)) or longest < 0:
        raise ConfigError(
            f"{path}: a text's limit is {str(longest)[:80]!r}, not a number of tokens."
        )
    return (int(longest) if longest < NO_LIMIT else 0), lowercase


def read_prompts(path: Path) -> tuple[str, dict[str, Any]]:
    """Return the default prompt, and the settings of the file except version numbers."""
    if not path.is_file():
        return "", {}
    settings = {"prompts": None, "default_prompt_name": None, "truncate_dim": None}
    values = _read_settings(path, settings, HARMLESS_PROMPTS)
    prompts, name = values["prompts"] or {}, values["default_prompt_name"]
    if values["truncate_dim"] is not None:
        _raise_unsupported(path, "truncate_dim", values["truncate_dim"])
    if not isinstance(prompts, dict) or not all(
        isinstance(p, str | None) for p in prompts.values()
    ):
        raise ConfigError(
            f"{path}: prompts must be a table of texts. Download the directory again."
        )
    if name is not None and name not in prompts:
        raise ConfigError(
            f"{path}: default_prompt_name={str(name)[:80]!r} is not one of its prompts:"
            f" {', '.join(prompts)[:200] or 'none'}."
        )
    kept = {k: v for k, v in read_json(path).items() if k not in ("__version__", "requirements")}
    return (prompts.get(name) or "") if name else "", kept


def read_dense(folder: Path, d_in: int) -> Dense:
    """Open a dense layer with input width `d_in`."""
    path = folder / CONFIG
    defaults = {
        "in_features": 0,
        "out_features": 0,
        "bias": True,
        "activation_function": "torch.nn.modules.activation.Tanh",
        "use_residual": False,
    }
    values = _read_settings(path, defaults, VECTOR)
    if values["activation_function"] not in ACTIVATIONS:
        _raise_unsupported(path, "activation_function", values["activation_function"])
    if values["in_features"] != d_in:
        raise ConfigError(
            f"{path}: in_features={values['in_features']}, but the vectors before it have {d_in}"
            " numbers. Download the directory again."
        )
    activation = ACTIVATIONS[values["activation_function"]]()
    d_out, residual = values["out_features"], values["use_residual"]
    dense = Dense(d_in, d_out, values["bias"], activation, residual)
    load_weights(dense, read_weights(folder / WEIGHTS))
    return dense.eval()


def check_normalize(folder: Path) -> None:
    """Raises: ConfigError if a Normalize step applies to something other than the vector."""
    if (folder / CONFIG).is_file():
        _read_settings(folder / CONFIG, {}, VECTOR)


def _read_settings(path: Path, defaults: Mapping[str, Any], harmless: Harmless) -> dict[str, Any]:
    """Read the settings named in `defaults`; null and absent ones get the default.

    Raises: ConfigError naming a setting of another type, or one that is not in `harmless`.
    """
    values = read_json(path)
    if not isinstance(values, dict):
        raise ConfigError(f"{path} is not a JSON object. Download the directory again.")
    for name, value in values.items():
        if value is None:
            continue
        default, allowed = defaults.get(name), harmless.get(name)
        is_setting = name in defaults and (default is None or type(value) is type(default))
        if not (is_setting or allowed is ANY or (allowed is not None and value in allowed)):
            _raise_unsupported(path, name, value)
    present = {name: value for name, value in values.items() if value is not None}
    return {name: present.get(name, default) for name, default in defaults.items()}


def _raise_unsupported(path: Path, name: str, value: object) -> None:
    raise ConfigError(
        f"{path}: {name[:60]}={str(value)[:80]!r} is not supported, so vectors would differ from"
        " those of sentence-transformers. This directory cannot be opened."
    )
