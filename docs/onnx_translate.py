"""Translate with an exported model, without pellucid: pip install onnxruntime tokenizers numpy.

pellucid export en-de exported --to onnx
echo "The old cat sleeps." | python docs/onnx_translate.py exported
"""

import json
import sys
from pathlib import Path

import numpy as np
from onnxruntime import InferenceSession
from tokenizers import Tokenizer

folder = Path(sys.argv[1])
settings = json.loads((folder / "generation_config.json").read_text(encoding="utf-8"))
files = sorted(map(str, folder.glob("*tokenizer.json")))  # one of both sides, or two
source, target = Tokenizer.from_file(files[0]), Tokenizer.from_file(files[-1])
source.enable_padding(pad_id=settings["pad_token_id"])
encoder, decoder = (InferenceSession(folder / f"{x}_model.onnx") for x in ("encoder", "decoder"))

texts = sys.stdin.read().split("\n")[:-1]
rows = source.encode_batch(texts)
ids = np.array([row.ids for row in rows])  # (B, S)
mask = np.array([row.attention_mask for row in rows])  # (B, S), 1 = real token
states = encoder.run(None, {"input_ids": ids, "attention_mask": mask})
names = [x.name.replace("present", "past_key_values") for x in encoder.get_outputs()]
feeds = {"encoder_attention_mask": mask} | dict(zip(names, states, strict=True))
past = [x for x in decoder.get_inputs() if ".decoder." in x.name]  # (B, heads, past, width)
feeds |= {x.name: np.zeros((len(ids), x.shape[1], 0, x.shape[3]), np.float32) for x in past}
tokens = np.full((len(ids), 1), settings["decoder_start_token_id"])
chosen, is_open = [[] for _ in texts], np.ones(len(texts), bool)
while is_open.any():  # greedy: the most probable token, again and again
    logits, *present = decoder.run(None, feeds | {"input_ids": tokens})
    feeds |= {x.name: state for x, state in zip(past, present, strict=True)}
    logits[:, -1, settings.get("suppress_tokens", [])] = -np.inf
    tokens = logits[:, -1:].argmax(-1)  # (B, 1)
    if "forced_bos_token_id" in settings and not any(chosen):
        tokens[:] = settings["forced_bos_token_id"]
    is_open &= tokens[:, 0] != settings["eos_token_id"]
    for i in np.flatnonzero(is_open):
        chosen[i].append(int(tokens[i, 0]))
        is_open[i] = len(chosen[i]) < 2 * mask[i].sum() + 20
print("\n".join(target.decode_batch(chosen)))
