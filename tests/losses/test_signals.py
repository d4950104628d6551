"""A teacher's signals on disk: what is read is what was written, whatever happened in between."""

from __future__ import annotations

import copy
import io
import json
import math
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader

import kullback as kb
from kullback.errors import InvalidInputError, ShapeError, UntrustedFileError
from kullback.losses import Rest, TopK
from kullback.losses.signals import SignalReader, SignalWriter, fingerprint, padded

KINDS = ["safetensors", "parquet"]
STORED = {"float16": 2**-11, "bfloat16": 2**-8, "float32": 2**-24}
TOKENS = {"a": 0, "b": 1, "c": 2}


def drawn(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 3


def teachers(number: int, k: int = 4) -> list[TopK]:
    return [TopK.of_logits(drawn(i, 1 + i % 5, 20), k) for i in range(number)]


def write(folder: Path, number: int = 9, **settings: Any) -> list[TopK]:
    made = teachers(number)
    with SignalWriter(folder, **{"vocabulary": 20, "k": 4, "shard_bytes": 300, **settings}) as writer:
        for i in range(writer.saved, number):
            writer.append(made[i], name=f"text {i}")
    return made


def flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("container", KINDS)
@pytest.mark.parametrize("storage", STORED)
def test_what_is_read_is_what_was_written(tmp_path: Path, container: str, storage: str) -> None:
    made = write(tmp_path, container=container, storage=storage)
    reader = SignalReader(tmp_path)
    assert (len(reader), reader.k, reader.vocabulary) == (9, 4, 20)
    assert reader.tokens == sum(len(x.ids) for x in made)
    assert len(list(tmp_path.glob("shard-*"))) > 1
    for i in (3, 0, 8, -1, 4):
        signal, teacher = reader[i], made[i]
        assert signal.name == f"text {i % 9}"
        assert torch.equal(signal.teacher.ids.long(), teacher.ids)
        error = (signal.teacher.log_probs.double() - teacher.log_probs).abs() / teacher.log_probs.abs()
        assert error.max() <= STORED[storage]
        assert (signal.teacher.tail() - teacher.tail()).abs().max() < 1e-6
        student = drawn(100 + i % 9, len(teacher.ids), 20)
        values = [kb.loss(kb.kl, student, x).item() for x in (signal.teacher, teacher)]
        assert values[0] == pytest.approx(values[1], rel=10 * STORED[storage], abs=1e-6)
    for beyond in (9, -10):
        with pytest.raises(IndexError, match="among 9"):
            reader[beyond]


@pytest.mark.parametrize("container", KINDS)
@pytest.mark.parametrize("storage", ["float32", "bfloat16"])
def test_what_goes_with_it(tmp_path: Path, container: Any, storage: Any) -> None:
    few = TopK(torch.tensor([[3], [-1]]), torch.tensor([[-0.5], [0.0]]), 20)
    tokens, hidden, logits = torch.tensor([7, 8]), drawn(1, 2, 3), drawn(2, 2, 20)
    empty = TopK(torch.zeros(0, 2, dtype=torch.long), torch.zeros(0, 2), 20)
    with SignalWriter(tmp_path, vocabulary=20, k=2, container=container, storage=storage) as writer:
        writer.append(few, tokens=tokens, hidden=hidden, logits=logits)
        writer.append(empty, tokens=tokens[:0], hidden=hidden[:0], logits=logits[:0])
        with pytest.raises(InvalidInputError, match="all must have the same"):
            writer.append(few)
    signal, nothing = SignalReader(tmp_path, rest=Rest.UNIFORM)
    kind = getattr(torch, storage)
    assert signal.teacher.ids.tolist() == [[3, -1], [-1, -1]]
    assert signal.teacher.log_probs.tolist() == [[-0.5, -math.inf], [-math.inf, -math.inf]]
    assert signal.teacher.rest is Rest.UNIFORM
    assert torch.equal(signal.tokens, tokens)  # type: ignore[arg-type]
    assert torch.equal(signal.hidden, hidden.to(kind))  # type: ignore[arg-type]
    assert torch.equal(signal.logits, logits.to(kind))  # type: ignore[arg-type]
    assert len(nothing) == 0
    assert nothing.logits is not None
    assert nothing.logits.shape == (0, 20)


def test_batches_in_and_out(tmp_path: Path) -> None:
    z, mask = drawn(3, 3, 6, 20), torch.tensor([[1] * 6, [1, 1, 0, 0, 0, 0], [0, 1, 1, 1, 0, 0]]).bool()
    with SignalWriter(tmp_path, vocabulary=20, k=4, storage="float32") as writer:
        writer.append_batch(
            TopK.of_logits(z, 4), mask, tokens=torch.arange(18).reshape(3, 6), names=["a", "b", "c"]
        )
    reader = SignalReader(tmp_path)
    assert [len(x) for x in reader] == [6, 2, 3]
    for workers in (0, 1):
        # spawned, because a fork of a process with threads of its own, such as JAX's, may hang
        context = "spawn" if workers else None
        (batch,) = DataLoader(
            reader, batch_size=3, collate_fn=padded, num_workers=workers, multiprocessing_context=context
        )
        assert batch.names == ("a", "b", "c")
        assert batch.mask.sum(1).tolist() == [6, 2, 3]
        assert batch.tokens[2].tolist() == [13, 14, 15, 0, 0, 0]
        student = drawn(4, 3, 6, 20)
        wanted = [kb.loss(kb.js, student[i, : len(s)], s.teacher) for i, s in enumerate(reader)]
        found = kb.loss(kb.js, student, batch.teacher, mask=batch.mask, per="sequence")
        torch.testing.assert_close(found, torch.stack(wanted).mean())
    assert torch.equal(copy.deepcopy(reader)[1].teacher.ids, reader[1].teacher.ids)
    with pytest.raises(InvalidInputError, match="no signal"):
        padded([])


@pytest.mark.parametrize("container", KINDS)
def test_a_flipped_byte_is_found_and_named(tmp_path: Path, container: str) -> None:
    write(tmp_path, container=container)
    shards = sorted(tmp_path.glob("shard-*"))
    for at in range(0, shards[1].stat().st_size, 97):
        flip(shards[1], at)
        reader = SignalReader(tmp_path)
        assert reader[0].name == "text 0"  # the others can be read
        with pytest.raises(InvalidInputError, match=rf"{shards[1].name} is damaged"):
            reader.check()
        flip(shards[1], at)
    SignalReader(tmp_path).check()
    shards[1].write_bytes(shards[1].read_bytes()[:-1])
    with pytest.raises(InvalidInputError, match="is damaged"):
        SignalReader(tmp_path).check()
    shards[1].unlink()
    with pytest.raises(InvalidInputError, match="is missing"):
        SignalReader(tmp_path).check()


def test_every_byte_of_the_manifest_counts(tmp_path: Path) -> None:
    write(tmp_path, number=2)
    manifest = tmp_path / "manifest.json"
    intact = manifest.read_bytes()
    for at in range(len(intact)):
        flip(manifest, at)
        try:
            found = SignalReader(tmp_path)._manifest
        except (InvalidInputError, UntrustedFileError):
            pass
        else:  # what is left are flips in white space
            assert json.loads(manifest.read_bytes()) == json.loads(intact), (at, found)
        manifest.write_bytes(intact)


def test_only_files_of_signals_are_opened(tmp_path: Path) -> None:
    folder = tmp_path / "signals"
    write(folder, number=2)
    manifest = folder / "manifest.json"
    reader = SignalReader(folder)
    (tmp_path / "signals.pt").write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(UntrustedFileError, match="can run code"):
        SignalReader(tmp_path / "signals.pt")
    shard = folder / reader._manifest.shards[0].file
    shard.write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(UntrustedFileError, match="no safetensors file inside"):
        SignalReader(folder, verify=False)[0]
    shard.write_bytes(b"\x10" + b"\0" * 7 + b"{" + b" " * 30)
    with pytest.raises(UntrustedFileError, match="no safetensors file of signals"):
        SignalReader(folder, verify=False)[0]
    for name in ("../shard-000000.safetensors", "shard-000000.pt", "/etc/passwd"):
        content = reader._manifest.with_shard(type(reader._manifest.shards[0])(name, "", 0, 1, 1))
        content.save(folder)
        with pytest.raises(UntrustedFileError, match="no other kind"):
            SignalReader(folder)
    manifest.write_text("{}")
    with pytest.raises(InvalidInputError, match="damaged"):
        SignalReader(folder)
    manifest.write_text(json.dumps({"format": "another"}))
    with pytest.raises(InvalidInputError, match="another format"):
        SignalReader(folder)
    manifest.unlink()
    with pytest.raises(InvalidInputError, match=r"no manifest\.json"):
        SignalReader(folder)


def test_a_parquet_shard_that_is_none(tmp_path: Path) -> None:
    write(tmp_path, number=1, container="parquet")
    (shard,) = tmp_path.glob("shard-*")
    for content, text in [(b"PK\x03\x04", "inside"), (b"PAR1" + b"x" * 40, "no Parquet file of signals")]:
        shard.write_bytes(content)
        with pytest.raises(UntrustedFileError, match=text):
            SignalReader(tmp_path, verify=False)[0]


def test_the_teachers_tokenizer_is_the_students(tmp_path: Path) -> None:
    class Tokenizer:
        def get_vocab(self) -> dict[str, int]:
            return dict(reversed(TOKENS.items()))

    write(tmp_path, number=1, tokenizer=TOKENS)
    assert len(SignalReader(tmp_path, tokenizer=Tokenizer())) == 1
    assert fingerprint(Tokenizer()) == fingerprint(TOKENS)
    with pytest.raises(InvalidInputError, match="means another token"):
        SignalReader(tmp_path, tokenizer={**TOKENS, "a": 1, "b": 0})
    write(tmp_path / "unmarked", number=1)
    with pytest.raises(InvalidInputError, match="written without"):
        SignalReader(tmp_path / "unmarked", tokenizer=TOKENS)
    with pytest.raises(InvalidInputError, match="get_vocab"):
        fingerprint(["a"])  # type: ignore[arg-type]


PROGRAM = """
import os, random, signal, sys, time
import torch
from kullback.errors import InvalidInputError
from kullback.losses import TopK
from kullback.losses.signals import SignalReader, SignalWriter
from kullback.losses.signals.containers import container as kind

folder, container, number = sys.argv[1], sys.argv[2], int(sys.argv[3])

def write(deadly):
    calls = 0

    def audit(event, arguments):  # opening, renaming or syncing a file may be the last thing it does
        nonlocal calls
        if event in ("open", "os.rename") and folder in str(arguments[0]):
            calls += 1
            if calls == deadly:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(audit)
    with SignalWriter(folder, vocabulary=20, k=4, shard_bytes=300, container=container) as writer:
        for i in range(writer.saved, number):
            z = torch.randn(1 + i % 5, 20, generator=torch.Generator().manual_seed(i), dtype=torch.float64) * 3
            writer.append(TopK.of_logits(z, 4), name=f"text {i}")

kind(container)  # its imports, once for all children
kills, wait = 0, random.Random(0)
while True:
    child = os.fork()
    if not child:
        write(1 + kills % 17 if kills < 8 or kills % 2 else -1)
        os._exit(0)
    if kills >= 8 and kills % 2 == 0:  # at any moment, which may be too late
        time.sleep(wait.uniform(0.0, 0.05))
        os.kill(child, signal.SIGKILL)
    if os.waitpid(child, 0)[1] == 0:
        break
    kills += 1
    try:
        SignalReader(folder, partial=True).check()  # what is there is whole
    except InvalidInputError as error:
        assert "no manifest" in str(error) and kills < 20, error
print(kills)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes that can be killed")
@pytest.mark.parametrize("container", KINDS)
def test_a_killed_writer_is_gone_on_from(tmp_path: Path, container: str) -> None:
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM, str(tmp_path / "killed"), container, "20"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 5
    write(tmp_path / "whole", number=20, container=container)
    pairs = list(zip(SignalReader(tmp_path / "killed"), SignalReader(tmp_path / "whole"), strict=True))
    for mine, other in pairs:
        assert mine.name == other.name
        assert torch.equal(mine.teacher.log_probs, other.teacher.log_probs)


@pytest.mark.parametrize("container", KINDS)
def test_a_manifest_that_was_not_finished_does_not_exist(
    tmp_path: Path, container: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, number=4, container=container)
    whole = Path.write_text

    def half(path: Path, text: str, encoding: str | None = None) -> int:
        whole(path, text[: len(text) // 2], encoding=encoding)
        raise OSError("no space left")

    monkeypatch.setattr(Path, "write_text", half)
    with pytest.raises(OSError, match="no space"):
        write(tmp_path, number=9, container=container)
    monkeypatch.undo()
    reader = SignalReader(tmp_path)
    reader.check()
    assert len(reader) == 4


def test_groups_of_rows(tmp_path: Path) -> None:
    made = write(tmp_path, number=140, container="parquet", shard_bytes=1 << 20)
    reader = SignalReader(tmp_path)
    assert len(list(tmp_path.glob("shard-*"))) == 1
    for i in (139, 0, 63, 64, 127, 128):
        assert reader[i].name == f"text {i}"
        assert torch.equal(reader[i].teacher.ids.long(), made[i].ids)


def test_what_a_dead_writer_left_is_written_over(tmp_path: Path) -> None:
    made = write(tmp_path, number=4)
    (tmp_path / "shard-000000.safetensors.partial").write_bytes(b"half")
    (tmp_path / "manifest.json.partial").write_text("{")
    number = len(list(tmp_path.glob("shard-*.safetensors")))
    (tmp_path / f"shard-{number:06d}.safetensors").write_bytes(b"moved, but never listed")
    assert len(SignalReader(tmp_path)) == 4
    with SignalWriter(tmp_path, vocabulary=20, k=4, shard_bytes=300) as writer:
        writer.append(made[0], name="last")
    reader = SignalReader(tmp_path)
    reader.check()
    assert [x.name for x in reader] == ["text 0", "text 1", "text 2", "text 3", "last"]


def test_an_error_leaves_the_folder_open(tmp_path: Path) -> None:
    made = teachers(3)

    def stopped() -> None:
        with SignalWriter(tmp_path, vocabulary=20, k=4, shard_bytes=1) as writer:
            writer.append(made[0])
            raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        stopped()
    with pytest.raises(InvalidInputError, match="ends after 1 sequences"):
        SignalReader(tmp_path)
    assert len(SignalReader(tmp_path, partial=True)) == 1
    with pytest.raises(InvalidInputError, match="k 4 and not 3"):
        SignalWriter(tmp_path, vocabulary=20, k=3)
    with SignalWriter(tmp_path, vocabulary=20, k=4) as writer:
        assert (writer.saved, writer.sequences) == (1, 1)
        writer.append(made[1])
        assert (writer.saved, writer.sequences) == (1, 2)
    assert len(SignalReader(tmp_path)) == 2


def test_progress(tmp_path: Path) -> None:
    lines = io.StringIO()
    write(tmp_path, progress=lines, total=9)
    printed = lines.getvalue().splitlines()
    assert len(printed) == len(list(tmp_path.glob("shard-*")))
    assert printed[-1].startswith("9 of 9 sequences, ")
    assert printed[-1].endswith(" tokens/s, 0 s left")


def test_refusals(tmp_path: Path) -> None:
    for settings, text in [
        ({"k": 21}, "`k` is 21"),
        ({"storage": "int8"}, "`storage`"),
        ({"container": "pt"}, "container"),
    ]:
        with pytest.raises(InvalidInputError, match=text):
            SignalWriter(tmp_path / "none", **{"vocabulary": 20, "k": 4, **settings})
    good = teachers(1)[0]
    with SignalWriter(tmp_path, vocabulary=20, k=3) as writer:
        with pytest.raises(ShapeError, match="at most 3"):
            writer.append(good)
        with pytest.raises(InvalidInputError, match="temperature 2"):
            writer.append(TopK.of_logits(drawn(0, 2, 20), 3, temperature=2.0))
        few = TopK.of_logits(drawn(0, 2, 20), 3)
        with pytest.raises(ShapeError, match="2 tokens first"):
            writer.append(few, tokens=torch.zeros(3))
        with pytest.raises(InvalidInputError, match="beyond float16"):
            writer.append(few, hidden=torch.full((2, 1), 1e6))
        with pytest.raises(ShapeError, match="`mask`"):
            writer.append_batch(few, torch.ones(3))
