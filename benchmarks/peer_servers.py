"""Plain FastAPI servers of peers, as their users write them: POST /translate {"text": ...}.

python -m benchmarks.peer_servers transformers DIR PORT [--threads N]
python -m benchmarks.peer_servers ctranslate2 DIR PORT [--threads N]

DIR holds the model in the peer's layout, with tokenizer.json. Requests are computed one at a time
(transformers), or as CTranslate2 batches what waits in its queue.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

BEAM = 5


class Body(BaseModel):
    """A text to translate."""

    text: str


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("peer", choices=list(MAKERS))
    parser.add_argument("directory", type=Path)
    parser.add_argument("port", type=int)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    translate = MAKERS[arguments.peer](arguments.directory, arguments.threads)
    app = FastAPI()

    @app.post("/translate")
    def answer(body: Body) -> dict[str, str]:  # FastAPI runs it in a thread
        return {"translation": translate(body.text)}

    uvicorn.run(app, port=arguments.port, log_level="warning")


def make_transformers(directory: Path, threads: int) -> Callable[[str], str]:
    """Return a function that translates with transformers, one text at a time."""
    from threading import Lock

    import torch
    from transformers import AutoTokenizer, PegasusForConditionalGeneration, logging

    logging.set_verbosity_error()
    torch.set_num_threads(threads)
    model = PegasusForConditionalGeneration.from_pretrained(directory).eval()
    tokenizer = AutoTokenizer.from_pretrained(directory)
    lock = Lock()

    def translate(text: str) -> str:
        inputs = tokenizer(text, return_tensors="pt")
        length = 2 * inputs["input_ids"].shape[1] + 20
        with lock, torch.inference_mode():
            ids = model.generate(
                input_ids=inputs["input_ids"],
                attention_mask=inputs["attention_mask"],
                num_beams=BEAM,
                max_new_tokens=length,
            )
        return tokenizer.decode(ids[0], skip_special_tokens=True)

    return translate


def make_ctranslate2(directory: Path, threads: int) -> Callable[[str], str]:
    """Return a function that translates with CTranslate2, which has a queue of its own."""
    import ctranslate2
    from tokenizers import Tokenizer

    translator = ctranslate2.Translator(
        str(directory), compute_type="float32", inter_threads=threads, intra_threads=1
    )
    tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))

    def translate(text: str) -> str:
        pieces = tokenizer.encode(text).tokens
        (result,) = translator.translate_batch(
            [pieces], beam_size=BEAM, max_decoding_length=2 * len(pieces) + 20
        )
        ids = [tokenizer.token_to_id(piece) for piece in result.hypotheses[0]]
        return tokenizer.decode(ids)

    return translate


MAKERS = {"transformers": make_transformers, "ctranslate2": make_ctranslate2}


if __name__ == "__main__":
    main()
