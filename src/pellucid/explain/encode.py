"""A trace as JSON, for the explorer's page and for other programs."""

import base64
import zlib
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from pellucid.errors import DataError
from pellucid.explain.prediction import Candidate, PositionPrediction, Prediction
from pellucid.explain.rows import TracedText
from pellucid.explain.tokens import Token
from pellucid.explain.trace import SCHEMA, Trace


def encode(trace: Trace, *, exact: bool = False) -> dict[str, Any]:
    """Return a trace as JSON values.

    An array is `dtype`, `shape`, `data` (its numbers in little-endian order, deflated, in base64)
    and `error`, the largest difference that float16 made. exact: keep float32. Numbers beyond the
    range of float16 are kept in float32 too.
    """
    return {
        "schema": trace.schema,
        "model": trace.model,
        "source": None if trace.source is None else asdict(trace.source),
        "target": None if trace.target is None else asdict(trace.target),
        "prediction": None if trace.prediction is None else asdict(trace.prediction),
        "arrays": {name: encode_array(array, exact) for name, array in trace.arrays.items()},
        "scales": dict(trace.scales),
    }


def decode(record: Mapping[str, Any]) -> Trace:
    """Return the trace of JSON values. Raises: DataError at another schema, or none."""
    schema = record.get("schema")
    if schema != SCHEMA:
        raise DataError(f"a trace of schema {schema!r}, but this version reads {SCHEMA}.")
    return Trace(
        model=record["model"],
        source=_decode_text(record["source"]),
        target=_decode_text(record["target"]),
        prediction=_decode_prediction(record["prediction"]),
        arrays={name: decode_array(array) for name, array in record["arrays"].items()},
        scales=record["scales"],
    )


def encode_array(array: np.ndarray, exact: bool = False) -> dict[str, Any]:
    """Return an array as JSON values; see `encode`."""
    half, error = (None, 0.0) if exact else to_half(array)
    stored = array.astype("<f4") if half is None else half
    return {
        "dtype": stored.dtype.name,
        "shape": list(array.shape),
        "data": deflate(stored),
        "error": error,
    }


def to_half(array: np.ndarray) -> tuple[np.ndarray | None, float]:
    """Return an array in float16 and the largest error; None if a number is beyond its range."""
    finite = np.where(np.isfinite(array), array, 0).astype(np.float32)
    with np.errstate(over="ignore"):
        narrow = finite.astype(np.float16)
    if not np.isfinite(narrow).all():
        return None, 0.0
    error = float(np.abs(narrow.astype(np.float32) - finite).max(initial=0.0))
    return array.astype("<f2"), error


def deflate(
    array: np.ndarray,
    level: int = zlib.Z_DEFAULT_COMPRESSION,
    strategy: int = zlib.Z_DEFAULT_STRATEGY,
) -> str:
    """Return the bytes of an array, deflated, in base64."""
    deflater = zlib.compressobj(level, strategy=strategy)
    data = deflater.compress(np.ascontiguousarray(array).tobytes()) + deflater.flush()
    return base64.b64encode(data).decode()


def decode_array(record: Mapping[str, Any]) -> np.ndarray:
    """Return the array of JSON values, in float32."""
    dtype = np.dtype(record["dtype"]).newbyteorder("<")
    values = np.frombuffer(zlib.decompress(base64.b64decode(record["data"])), dtype)
    return values.reshape(record["shape"]).astype(np.float32)


def _decode_text(record: Mapping[str, Any] | None) -> TracedText | None:
    if record is None:
        return None
    tokens = tuple(Token(**token) for token in record["tokens"])
    return TracedText(tuple(record["texts"]), tuple(record["normalized"]), tokens)


def _decode_prediction(record: Mapping[str, Any] | None) -> Prediction | None:
    if record is None:
        return None
    positions = [
        PositionPrediction(
            candidates=tuple(Candidate(**candidate) for candidate in each["candidates"]),
            rest=each["rest"],
            entropy=each["entropy"],
            chosen=None if each["chosen"] is None else Candidate(**each["chosen"]),
            rank=each["rank"],
        )
        for each in record["positions"]
    ]
    return Prediction(
        record["head"],
        record["kind"],
        record["reading"],
        tuple(positions),
        tuple(record["words"]),
    )
