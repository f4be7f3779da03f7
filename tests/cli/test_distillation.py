"""Distillation by commands: a masked language model, and a translator by its translations."""

from pellucid import garden
from pellucid.training.run_directory import RunDirectory

TINY = [
    *("--model.d-model", "32", "--model.d-ff", "64", "--model.n-heads", "2"),
    *("--model.n-encoder-layers", "1", "--training.max-updates", "3"),
    *("--training.max-tokens", "300"),
]


def test_a_translator_learns_from_translations(pellucid, tmp_path):
    """Sequence-level distillation (Kim and Rush 2016).  Authority: the lines of both commands."""
    source, target = tmp_path / "train.en", tmp_path / "distilled.de"
    source.write_text("".join(f"{english}\n" for english, _ in garden.pairs(30, "en", "de")))
    done = pellucid("translate", "en-de", "--beam", "5", stdin=source.read_bytes())
    assert done.code == 0, done.err
    target.write_text(done.out)
    assert len(done.out.split("\n")) == 31
    run = tmp_path / "student"
    args = ["--size", "tiny", *TINY, "--model.n-decoder-layers", "1", "--run-dir", run]
    trained = pellucid("train", "--data.train", source, target, *args)
    assert trained.code == 0, trained.err
    assert set(RunDirectory(run).config().data.train) == {str(source), str(target)}
    assert len(pellucid("translate", run, stdin=b"The dog sleeps.\n").out.split("\n")) == 2


def test_a_student_gets_the_teachers_tokenizer(pellucid, tmp_path):  # authority: the files
    text = tmp_path / "my.txt"
    text.write_text("".join(f"{english}\n" for english, _ in garden.pairs(60, "en", "de")))
    teacher, student = tmp_path / "teacher", tmp_path / "student"
    data = ["--data.train", text]
    args = ["--task", "masked_lm", *data, *TINY, "--tokenizer.vocab-size", "300"]
    done = pellucid("train", *args, "--run-dir", teacher)
    assert done.code == 0, done.err
    args = ["--task", "distillation", *data, "--training.max-updates", "3"]
    done = pellucid("train", *args, "--objective.teacher", teacher, "--run-dir", student)
    assert done.code == 0, done.err
    assert "student: family bert, 1 of the teacher's 1 layers" in done.err
    tokenizers = [(run / "final" / "tokenizer.json").read_bytes() for run in (teacher, student)]
    assert tokenizers[0] == tokenizers[1]
    scores = pellucid("evaluate", student, "--data", text)
    assert "perplexity" in scores.out

    refused = pellucid("train", *args, "--run-dir", tmp_path / "no")
    assert refused.code == 2
    assert "Set objective.teacher" in refused.err
    own = ["--objective.teacher", teacher, "--tokenizer.vocab-size", "500"]
    refused = pellucid("train", *args, *own, "--run-dir", tmp_path / "own")
    assert refused.code == 4
    assert "tokenizer.vocab_size=500" in refused.err
    other = tmp_path / "other"
    done = pellucid(
        *("train", "--task", "masked_lm", "--data.train", text, *TINY),
        *("--tokenizer.vocab-size", "250", "--run-dir", other),
    )
    assert done.code == 0, done.err
    both = ["--objective.teacher", teacher, "--start-from", other]
    refused = pellucid("train", *args, *both, "--run-dir", tmp_path / "both")
    assert refused.code == 4
    assert "another tokenizer than the student: its token" in refused.err
