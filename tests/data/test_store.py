"""The store of examples: what goes in comes out, once for each content, in bounded memory.

Authority: the records themselves, encoded here by hand; the damage is done here.
"""

import multiprocessing
import pickle
import shutil

import numpy as np
import pytest

from pellucid.data import store as module
from pellucid.data.digests import digest
from pellucid.data.examples import Encoded, LeftOutRecord, split_into_chunks
from pellucid.data.records import Record
from pellucid.data.store import INDEX, ExampleStore, build_store, content_key
from pellucid.errors import DataError, VerificationError

RECORDS = [
    Record(f"file-{i // 200}", i % 200 + 1, (f"the dog number {i} sleeps", "x" * (i % 7)))
    for i in range(500)
]


def columns_of(record):
    """Characters of one text, halves of the length of the other: an integer and a float column."""
    text, other = record.values
    return np.array([ord(c) for c in text], np.int32), np.full(
        len(other), len(other) / 2, np.float32
    )


def encode(records):
    """One example a record; every seventh is left out, every fifth gives two."""
    for chunk in split_into_chunks(records):
        for record in chunk:
            number = int(record.values[0].split()[3])
            if number % 7 == 3:
                yield LeftOutRecord("unlucky")
                continue
            for _ in range(2 if number % 5 == 0 else 1):
                columns = columns_of(record)
                yield Encoded(columns, (len(columns[0]) + 1, len(columns[1]) + 2), record)


def expected():
    numbers = [i for i in range(500) if i % 7 != 3 for _ in range(2 if i % 5 == 0 else 1)]
    return [(RECORDS[i], *columns_of(RECORDS[i])) for i in numbers]


@pytest.fixture
def small_parts(monkeypatch):
    """Some 30 characters a record: 500 records in about ten parts."""
    monkeypatch.setattr(module, "PART_CHARACTERS", 1500)


def assert_holds_all(store):
    expected_values = expected()
    assert len(store) == len(expected_values)
    for i, (record, text, halves) in enumerate(expected_values):
        assert store.origin(i) == f"{record.file}:{record.line}"
        actual = store[i]
        assert [column.dtype for column in actual] == [np.int32, np.float32]
        assert actual[0].tolist() == text.tolist()
        assert actual[1].tolist() == halves.tolist()
    assert store.lengths.dtype == np.int32
    assert store.lengths.tolist() == [[len(a) + 1, len(b) + 2] for _, a, b in expected_values]
    assert store.left_out == {"unlucky": 71}


@pytest.mark.parametrize("size", [1 << 25, 1500])
def test_every_example_comes_back(tmp_path, monkeypatch, size):
    monkeypatch.setattr(module, "PART_CHARACTERS", size)
    store = build_store(RECORDS, encode, tmp_path / "key")
    assert_holds_all(store)
    parts = [path for path in (tmp_path / "key").iterdir() if path.is_dir()]
    assert (len(parts) > 5) == (size == 1500)
    for index in (len(store), -1):
        with pytest.raises(IndexError):
            store[index]


def never(records):
    raise AssertionError("a part was built again")
    yield


def test_a_sound_store_is_used_again_and_a_damaged_part_is_built_again(tmp_path, small_parts):
    first = build_store(RECORDS, encode, tmp_path / "key")
    again = build_store(RECORDS, never, tmp_path / "key")
    assert again.lengths.tolist() == first.lengths.tolist()
    path = tmp_path / "key" / "part-00002"
    for file in sorted(path.iterdir()):
        good = file.read_bytes()
        for damaged in (bytes([good[0] ^ 1]) + good[1:], good[:-1], b"", None):
            file.unlink() if damaged is None else file.write_bytes(damaged)
            with pytest.raises(AssertionError, match="built again"):
                build_store(RECORDS, never, tmp_path / "key")
            assert_holds_all(build_store(RECORDS, encode, tmp_path / "key"))
            assert file.read_bytes() == good
    (tmp_path / "key" / INDEX).unlink()
    with pytest.raises((DataError, VerificationError)):
        ExampleStore(tmp_path / "key")
    assert_holds_all(build_store(RECORDS, never, tmp_path / "key"))


def test_a_stopped_build_resumes(tmp_path, small_parts):  # authority: who encodes
    def stopping():
        yield from RECORDS[:300]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_store(stopping(), encode, tmp_path / "key")
    with pytest.raises((DataError, VerificationError)):
        ExampleStore(tmp_path / "key")
    seen = []

    def watched(records):
        yield from encode((seen.append(r), r)[1] for r in records)

    assert_holds_all(build_store(RECORDS, watched, tmp_path / "key"))
    assert 200 <= len(seen) < 260  # those after the last whole part
    whole = build_store(RECORDS, encode, tmp_path / "whole")
    files = [p.relative_to(whole.directory) for p in whole.directory.rglob("*") if p.is_file()]
    for file in files:
        if file.name != "manifest.json":
            assert (whole.directory / file).read_bytes() == (tmp_path / "key" / file).read_bytes()


def test_nothing_left_is_an_error(tmp_path):
    with pytest.raises(DataError, match=r"no example is left.*left out: 2 unlucky"):
        build_store([RECORDS[3], RECORDS[10]], encode, tmp_path / "key")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(DataError, match="left out: nothing"):
        build_store([], encode, tmp_path / "key")


def test_the_key_changes_with_what_matters(tmp_path):
    a = tmp_path / "t.en"
    a.write_text("a\n")
    keys = [content_key(*parts) for parts in ((), ("a",), ("a", {"x": 1}), ("a", {"x": 2}))]
    keys += [content_key(digest(str(a))), content_key(digest("garden"))]
    a.write_text("b\n")
    keys.append(content_key(digest(str(a))))
    assert len(set(keys)) == len(keys)
    for bad in ("-", str(tmp_path), str(tmp_path / "missing")):
        with pytest.raises(DataError):
            digest(bad)


def test_a_worker_maps_the_files_itself(tmp_path, small_parts):
    store = build_store(RECORDS, encode, tmp_path / "key")
    sent = pickle.dumps(store)
    assert len(sent) < 1000
    copy = pickle.loads(sent)
    assert isinstance(copy, ExampleStore)
    assert [copy[7][0].tolist(), copy.origin(7)] == [store[7][0].tolist(), store.origin(7)]


def _build(directory, n, sender) -> None:
    """In a process of its own: build a store of n records; send its size and the memory it took."""
    resource = pytest.importorskip("resource")
    build_store(RECORDS, encode, directory / "warm")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    records = (Record("f", i, (f"the dog number {i} sleeps", "")) for i in range(n))
    store = build_store(records, encode, directory / "full")
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    sender.send((len(store), (after - before) * 1024))


def test_memory_does_not_grow_with_the_data(tmp_path):
    n = 150_000
    receiver, sender = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=_build, args=(tmp_path, n, sender))
    process.start()
    built, grown = receiver.recv()
    process.join()
    shutil.rmtree(tmp_path)
    assert built > n
    # The ids alone take 4 bytes a character: 16 MB. 24 bytes an example stay, and some buffers.
    assert grown < 24 * built + 16_000_000


def test_cut_records_are_counted(tmp_path):  # authority: by hand
    records = [Record("f", line, (str(line),)) for line in range(1, 6)]

    def encode(records):
        for record in records:
            n = record.line % 3  # 1, 2, 0, 1, 2 examples
            for _ in range(n):
                ids = np.zeros(1, np.int32)
                yield Encoded((ids,), (1,), record, is_cut=record.line == 4)
            if not n:
                yield LeftOutRecord("none")

    store = build_store(records, encode, tmp_path / "store")
    assert (len(store), store.n_cut) == (6, 3)  # records 2, 4 and 5
