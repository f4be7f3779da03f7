"""The store of ids: what goes in comes out, once for each content, in bounded memory.

Authority: the tokenizer itself, asked about each pair anew; the damage is done here.
"""

import multiprocessing
import pickle
import resource
from pathlib import Path

import numpy as np
import pytest

from pellucid.config.data import DataConfig, TokenizerConfig
from pellucid.data.read import BLANK, read_pairs
from pellucid.data.store import PairStore, build_store, content_key, digest
from pellucid.errors import DataError
from pellucid.text.pair import Tokenizers
from pellucid.text.train import train_tokenizers

PAIRS = [
    (f"the dog number {i} sleeps", f"der Hund {i} schläft tief " * (i % 7)) for i in range(500)
]


@pytest.fixture(scope="module")
def tokenizers() -> Tokenizers:
    return train_tokenizers(lambda: PAIRS, TokenizerConfig(vocab_size=400, joint=False))


def test_every_pair_comes_back(tokenizers, tmp_path):
    pairs = [BLANK if i % 50 == 9 else pair for i, pair in enumerate(PAIRS)]
    store = build_store(pairs, tokenizers, tmp_path, "key", max_length=40)
    expected = []
    for line, pair in enumerate(pairs, start=1):
        if pair != BLANK:
            ids = tokenizers.source.encode(pair[0]).ids, tokenizers.target.encode(pair[1]).ids
            if ids[1] and max(map(len, ids)) <= 40:
                expected.append((line, *ids))
    found = [(store.line(i), *(side.tolist() for side in store[i])) for i in range(len(store))]
    assert found == expected
    assert store.lengths.dtype == np.int32
    # One more than the pieces on either side: the end or start token.
    assert store.lengths.tolist() == [[len(a) + 1, len(b) + 1] for _, a, b in expected]
    assert store.dropped["blank or held out"] == sum(not target.strip() for _, target in pairs)
    assert store.dropped["too long"]
    assert sum(store.dropped.values()) == len(PAIRS) - len(store)
    with pytest.raises(IndexError):
        store[len(store)]


def test_a_sound_store_is_used_again_and_a_damaged_one_made_anew(tokenizers, tmp_path):
    def never():
        raise AssertionError("the store was built again")
        yield

    first = build_store(PAIRS, tokenizers, tmp_path, "key", 40)
    again = build_store(never(), tokenizers, tmp_path, "key", 40)
    assert again.lengths.tolist() == first.lengths.tolist()
    files = sorted(path for path in (tmp_path / "key").iterdir())
    assert len(files) == 5
    for path in files:
        good = path.read_bytes()
        flipped = bytearray(good)
        flipped[len(good) // 2] ^= 1
        for damaged in (bytes(flipped), good[:-1], b""):
            path.write_bytes(damaged)
            with pytest.raises(AssertionError, match="built again"):
                build_store(never(), tokenizers, tmp_path, "key", 40)
            build_store(PAIRS, tokenizers, tmp_path, "key", 40)
            assert path.read_bytes() == good
        path.unlink()
        build_store(PAIRS, tokenizers, tmp_path, "key", 40)
        assert path.read_bytes() == good


def test_an_interrupted_build_leaves_nothing(tokenizers, tmp_path):
    def broken():
        yield PAIRS[1]
        raise DataError("line 2 is broken")

    with pytest.raises(DataError, match="line 2"):
        build_store(broken(), tokenizers, tmp_path, "key", 40)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(DataError, match="no pair is left"):
        build_store([BLANK, PAIRS[6]], tokenizers, tmp_path, "key", 3)
    assert list(tmp_path.iterdir()) == []


def key_of(files, *rest):
    return content_key([digest(file) for file in files], *rest)


def test_the_key_changes_with_what_matters(tokenizers, tmp_path):
    a, b = tmp_path / "t.en", tmp_path / "t.de"
    a.write_text("a\n")
    b.write_text("b\n")
    files = (str(a), str(b))
    joint = Tokenizers(tokenizers.source, tokenizers.source)
    keys = [
        key_of(files, tokenizers, DataConfig()),
        key_of(files[::-1], tokenizers, DataConfig()),
        key_of(files, joint, DataConfig()),
        key_of(files, tokenizers, DataConfig(max_length=9)),
        key_of(files, tokenizers, DataConfig(), "500 held out"),
        key_of(("garden",), tokenizers, DataConfig()),
        key_of(("garden",), tokenizers, DataConfig(target_language="zh")),
    ]
    b.write_text("c\n")
    keys.append(key_of(files, tokenizers, DataConfig()))
    assert len(set(keys)) == len(keys)
    b.write_text("b\n")
    assert key_of(files, tokenizers, DataConfig()) == keys[0]
    for bad in ("-", str(tmp_path), str(tmp_path / "missing")):
        with pytest.raises(DataError):
            key_of((bad,), tokenizers, DataConfig())


def test_a_worker_maps_the_files_itself(tokenizers, tmp_path):
    store = build_store(PAIRS, tokenizers, tmp_path, "key", 40)
    sent = pickle.dumps(store)
    assert len(sent) < 1000
    copy = pickle.loads(sent)
    assert isinstance(copy, PairStore)
    assert [copy[7][1].tolist(), copy.line(7)] == [store[7][1].tolist(), store.line(7)]


def _build(source: Path, n: int, sender) -> None:
    """In a process of its own: build a store of n pairs; send its size and the memory it took."""
    pairs = [(f"dog {i}", f"Hund {i}") for i in range(200)]
    config = TokenizerConfig(kind="word", vocab_size=300)
    tokenizers = train_tokenizers(lambda: pairs, config)
    directory = source.parent / "store"
    build_store(pairs, tokenizers, directory, "warm", 9)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    files, config = (str(source), str(source.with_suffix(".de"))), DataConfig()
    store = build_store(read_pairs(files, config), tokenizers, directory, "full", 9)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    sender.send((len(store), (after - before) * 1024))


def test_memory_does_not_grow_with_the_data(tmp_path):
    n = 300_000
    for ending in ("en", "de"):
        text = "".join(f"dog {i % 200} dog dog\n" for i in range(n))
        (tmp_path / f"t.{ending}").write_text(text)
    receiver, sender = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=_build, args=(tmp_path / "t.en", n, sender))
    process.start()
    built, grown = receiver.recv()
    process.join()
    assert built == n
    # The texts alone, held as pairs of Python strings, take 48 MB.
    assert grown < 24 * n + 16_000_000
