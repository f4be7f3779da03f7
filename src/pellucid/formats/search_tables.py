"""The settings of generation_config.json by how they are handled."""

from typing import Any


def split_names(text: str) -> tuple[str, ...]:
    """Return the words of a line."""
    return tuple(text.split(" "))


STOPS = {"true": "first_k", "false": "current", "none": "current", "never": "exact"}
"""early_stopping, in lower case -> `stop`."""
SAMPLING = {"temperature": 1.0, "top_k": 50, "top_p": 1.0, "min_p": 0.0, "typical_p": 1.0}
"""Sampling settings of both configs -> default in transformers."""
PENALTIES = {"repetition_penalty": "repetition_penalty", "no_repeat_ngram_size": "no_repeat_ngram"}
SUPPORTED = split_names(
    "num_beams do_sample early_stopping length_penalty max_length max_new_tokens min_length"
    " min_new_tokens bad_words_ids suppress_tokens forced_bos_token_id forced_eos_token_id"
)
UNSUPPORTED: dict[str, Any] = {
    "num_beam_groups": 1,
    "diversity_penalty": 0,
    "penalty_alpha": 0,
    "encoder_no_repeat_ngram_size": 0,
    "encoder_repetition_penalty": 1,
    "guidance_scale": 1,
    "num_return_sequences": 1,
    **dict.fromkeys(
        split_names(
            "begin_suppress_tokens sequence_bias exponential_decay_length_penalty"
            " renormalize_logits forced_decoder_ids constraints force_words_ids stop_strings"
            " max_time watermarking_config token_healing dola_layers"
        )
    ),
}
"""Unsupported settings that change the generated texts -> neutral value."""
SAMPLING_CUTS = ("epsilon_cutoff", "eta_cutoff", "top_h")
"""Unsupported settings that change samples. Their neutral value is 0."""
IRRELEVANT = split_names(
    "use_cache cache_implementation cache_config max_cache_len return_dict_in_generate"
    " output_attentions output_hidden_states output_scores output_logits transformers_version"
    " _from_model_config _commit_hash _original_object_hash compile_config disable_compile"
    " low_memory prefill_chunk_size remove_invalid_values num_assistant_tokens"
    " num_assistant_tokens_schedule assistant_confidence_threshold assistant_early_exit"
    " assistant_lookbehind target_lookbehind prompt_lookup_num_tokens max_matching_ngram_size"
    " is_assistant pad_token_id bos_token_id eos_token_id decoder_start_token_id"
)
"""Settings that do not change the generated texts."""
