"""Doors to trainers: DistillTrainer, transformers, TRL and Lightning train the divergence that was asked for."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import kullback as kb
from kullback.errors import InvalidInputError, ShapeError, UnsupportedPairError
from kullback.losses.signals import SignalReader, SignalWriter
from kullback.losses.sparse import TopK
from kullback.losses.trainers import (
    DistillTrainer,
    Measures,
    Reading,
    divergence_named,
)
from losses.small_models import (
    CLASSES,
    TOKENS,
    Rows,
    arguments,
    logits_of,
    model,
    one_thread,
    same,
    trained,
    weights,
)

pytestmark = pytest.mark.usefixtures("one_thread")
__all__ = ["one_thread"]


@pytest.mark.parametrize("loss", ["kl", "kl.dual", "js", "alpha:0.5", "skew_js:0.1"])
def test_offline_training_lowers_the_divergence(loss: str, tmp_path: Path) -> None:
    student = model(1)
    before = Reading(student)
    assert before.head
    trainer = DistillTrainer(
        student,
        model(2),
        arguments(tmp_path, loss=loss, max_steps=8, per_device_train_batch_size=8),
        train_dataset=Rows(24),
        eval_dataset=Rows(6),
    )
    first = trainer.evaluate()["eval_loss"]
    trainer.train()
    assert trainer.evaluate()["eval_loss"] < 0.9 * first


def test_evaluation_is_the_definition(tmp_path: Path) -> None:
    """Means over the tokens that count of all batches, by the definition on all logits in double precision."""
    student, teacher, rows = model(1), model(2), Rows(6, ragged=True)
    trainer = DistillTrainer(
        student,
        teacher,
        arguments(tmp_path, loss="js", temperature=2.0, per_device_eval_batch_size=4),
        eval_dataset=rows,
    )
    found = trainer.evaluate()
    (q, labels), (p, _) = logits_of(student, rows), logits_of(teacher, rows)
    counted = labels[:, 1:] != -100
    p, q = p[:, :-1][counted], q[:, :-1][counted]
    assert found["eval_loss"] == pytest.approx(float(kb.js.of_logits(p / 2, q / 2).mean()), rel=1e-5)
    assert found["eval_kl_teacher_student"] == pytest.approx(float(kb.kl.of_logits(p, q).mean()), rel=1e-5)
    assert found["eval_kl_student_teacher"] == pytest.approx(float(kb.kl.of_logits(q, p).mean()), rel=1e-5)
    accepted = torch.minimum(p.softmax(-1), q.softmax(-1)).sum(-1).mean()
    assert found["eval_acceptance"] == pytest.approx(float(accepted), rel=1e-5)


@pytest.mark.parametrize("per", ["token", "sequence", "batch"])
def test_accumulation_equals_one_batch(per: str, tmp_path: Path) -> None:
    rows = Rows(8, ragged=True)
    settings = {"per": per, "max_steps": 1, "optim": "sgd", "learning_rate": 1.0}
    whole = trained(tmp_path, rows=rows, per_device_train_batch_size=8, **settings)
    parts = trained(
        tmp_path, rows=rows, per_device_train_batch_size=2, gradient_accumulation_steps=4, **settings
    )
    assert not same(weights(whole), dict(model(1).state_dict()), 1e-4)
    assert same(weights(whole), weights(parts), 2e-6)
    logged = [t.state.log_history[-1]["train_loss"] for t in (whole, parts)]
    assert logged[0] == pytest.approx(logged[1], rel=1e-5)


@pytest.mark.parametrize("per", ["token", "sequence", "batch"])
def test_one_step_is_the_gradient_of_the_loss(per: Any, tmp_path: Path) -> None:
    student, rows = model(1), Rows(4, ragged=True)
    batch = [rows[i] for i in range(4)]
    ids, labels = (torch.stack([row[name] for row in batch]) for name in ("input_ids", "labels"))
    with torch.no_grad():
        teacher = model(2)(input_ids=ids).logits
    logits = student(input_ids=ids).logits
    kb.loss(kb.js, logits[:, :-1], teacher[:, :-1], labels=labels[:, 1:], per=per).backward()
    rate = 0.02 if per == "batch" else 0.5
    expected = {name: x - rate * x.grad for name, x in student.named_parameters()}
    settings = {"loss": "js", "max_steps": 1, "optim": "sgd", "learning_rate": rate, "per": per}
    stepped = trained(
        tmp_path, rows=rows, per_device_train_batch_size=2, gradient_accumulation_steps=2, **settings
    )
    assert same(expected, weights(stepped), 1e-5)


@pytest.mark.parametrize("on_policy", [0.0, 0.5])
def test_a_checkpoint_resumes_exactly(on_policy: float, tmp_path: Path) -> None:
    settings = {"on_policy": on_policy, "prompt_tokens": 16, "save_strategy": "steps", "save_steps": 2}
    through = trained(tmp_path / "through", student=model(1, attention_dropout=0.1), **settings)
    again = DistillTrainer(
        model(3, attention_dropout=0.1),  # other weights: all of them come from the checkpoint
        model(2),
        arguments(tmp_path / "again", **settings),
        train_dataset=Rows(24),
    )
    again.train(resume_from_checkpoint=str(tmp_path / "through" / "checkpoint-2"))
    assert same(weights(through), weights(again))


def test_students_continue_their_prompts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[dict[str, Tensor]] = []
    original = DistillTrainer.compute_loss

    def noted(self: Any, model: Any, inputs: dict[str, Any], **rest: Any) -> Any:
        seen.append(inputs)
        return original(self, model, inputs, **rest)

    monkeypatch.setattr(DistillTrainer, "compute_loss", noted)
    rows = Rows(24)
    trainer = trained(tmp_path, rows=rows, on_policy=1.0, prompt_tokens=16, max_steps=2)
    texts = {tuple(x[:16].tolist()) for x in rows.ids}
    for batch in seen:
        assert batch["input_ids"].shape == (4, TOKENS)
        assert {tuple(x[:16].tolist()) for x in batch["input_ids"]} <= texts
        assert (batch["labels"][:, :16] == -100).all()
        assert (batch["labels"][:, 16:] == batch["input_ids"][:, 16:]).all()
    assert trainer.state.log_history[0]["tokens_per_second"] > 0


def test_prompts_are_what_the_labels_leave_out(tmp_path: Path) -> None:
    """Prompts of different lengths are padded on the left, and what follows the end of a sequence does not count."""
    from kullback.losses.trainers.continuing import continued

    student, ids = model(1), Rows(2).ids
    student.generation_config.eos_token_id = list(range(1, CLASSES, 2))
    labels = ids.clone()
    labels[0, :6], labels[1, :10] = -100, -100
    ended = 0
    for seed in range(4):
        torch.manual_seed(seed)
        made = continued(student, {"input_ids": ids, "labels": labels}, prompt=None, temperature=1.0, pad=0)
        assert made["input_ids"][0, :4].tolist() == [0] * 4
        assert made["input_ids"][0, 4:10].tolist() == ids[0, :6].tolist()
        assert made["input_ids"][1, :10].tolist() == ids[1, :10].tolist()
        assert made["attention_mask"][0, :10].tolist() == [0] * 4 + [1] * 6
        for tokens, answers in zip(made["input_ids"][:, 10:], made["labels"][:, 10:], strict=True):
            odd = [i for i, x in enumerate(tokens.tolist()) if x % 2]
            end = odd[0] + 1 if odd else len(tokens)
            assert answers[:end].tolist() == tokens[:end].tolist()
            assert (answers[end:] == -100).all()
            ended += end < len(tokens)
    assert ended


def test_a_prompt_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="prompt_tokens"):
        trained(tmp_path, on_policy=1.0)


def recorded(folder: Path, teacher: Any, rows: Rows, k: int, **changes: Any) -> SignalReader:
    with SignalWriter(folder, vocabulary=CLASSES, k=k, storage="float32", **changes) as writer:
        for i in range(len(rows)):
            with torch.no_grad():
                logits = teacher(input_ids=rows.ids[i : i + 1]).logits[0]
            writer.append(TopK.of_logits(logits, k), tokens=rows.ids[i])
    return SignalReader(folder)


def test_signals_stand_for_the_teacher(tmp_path: Path) -> None:
    """All classes recorded: the same weights as with the model; some of them: known mass, and less divergence."""
    rows = Rows(24, ragged=True, signal=True)
    live = trained(tmp_path / "a", rows=rows)
    full = trained(tmp_path / "b", teacher=recorded(tmp_path / "all", model(2), rows, CLASSES), rows=rows)
    assert same(weights(live), weights(full), 1e-4)
    few = DistillTrainer(
        model(1), recorded(tmp_path / "few", model(2), rows, 4), arguments(tmp_path), eval_dataset=rows
    )
    found, every = few.evaluate(), DistillTrainer(model(1), model(2), arguments(tmp_path), eval_dataset=rows)
    teacher = logits_of(model(2), rows)[0].softmax(-1).topk(4).values.sum(-1)
    counted = logits_of(model(2), rows)[1][:, 1:] != -100
    assert found["eval_captured"] == pytest.approx(float(teacher[:, :-1][counted].mean()), rel=1e-5)
    whole = every.evaluate()
    assert "eval_captured" not in whole
    for name in ("eval_loss", "eval_kl_student_teacher"):
        assert 0 < found[name] < whole[name]
    assert found["eval_acceptance"] > whole["eval_acceptance"]


def test_signals_of_other_sequences_are_refused(tmp_path: Path) -> None:
    reader = recorded(tmp_path / "signals", model(2), Rows(24), 4)

    def evaluated(rows: Any) -> None:
        DistillTrainer(model(1), reader, arguments(tmp_path), eval_dataset=rows).evaluate()

    with pytest.raises(InvalidInputError, match="every example also has `signal`"):
        evaluated(Rows(24))
    shifted = Rows(24, signal=True)
    shifted.ids = shifted.ids.roll(1, 0)
    with pytest.raises(InvalidInputError, match="recorded on other tokens"):
        evaluated(shifted)
    shorter = Rows(24, signal=True)
    shorter.ids = shorter.ids[:, :-1]
    with pytest.raises(InvalidInputError, match="the sequences of the batch 23"):
        evaluated(shorter)
    with pytest.raises(InvalidInputError, match="on disk, where nothing is said"):
        DistillTrainer(model(1), reader, arguments(tmp_path, on_policy=0.5))


def test_bfloat16(tmp_path: Path) -> None:
    """Autocast of the model, the loss in float32: the logged loss is that of float32 to the digits of bfloat16."""
    full = trained(tmp_path, max_steps=6)
    half = trained(tmp_path, max_steps=6, bf16=True)
    losses = [[x["loss"] for x in t.state.log_history if "loss" in x] for t in (full, half)]
    assert losses[1] == pytest.approx(losses[0], rel=0.05)
    assert weights(half)["lm_head.weight"].dtype == torch.float32
    whole = trained(tmp_path, student=model(1).bfloat16(), max_steps=6)
    found = [x["loss"] for x in whole.state.log_history if "loss" in x]
    assert found[-1] < found[0]


@pytest.mark.parametrize("head", [True, False])
def test_heads_and_logits_are_the_same(head: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = trained(tmp_path)
    assert plain.head
    monkeypatch.setattr(Reading, "_has_head", lambda _: False)
    logits = trained(tmp_path)
    assert not logits.head
    assert same(weights(plain), weights(logits), 2e-5)


def test_padded_vocabularies(tmp_path: Path) -> None:
    """A student with classes that the teacher lacks: refused, or held against a teacher without mass there."""
    student, rows = model(1, vocab_size=CLASSES + 8), Rows(4)
    settings = {"padded_vocabulary": True}
    found = DistillTrainer(student, model(2), arguments(tmp_path, **settings), eval_dataset=rows).evaluate()
    (q, _), (p, _) = logits_of(student, rows), logits_of(model(2), rows)
    p = torch.nn.functional.pad(p, (0, 8), value=-math.inf)
    by_hand = kb.kl.of_logits(p[:, :-1], q[:, :-1]).mean()
    assert found["eval_loss"] == pytest.approx(float(by_hand), rel=1e-5)
    with pytest.raises(ShapeError, match="aligned"):
        DistillTrainer(student, model(2), arguments(tmp_path), eval_dataset=rows).evaluate()


def other_models() -> dict[str, Any]:
    from transformers import (
        CohereConfig,
        CohereForCausalLM,
        Gemma2Config,
        Gemma2ForCausalLM,
        GPT2Config,
        GPT2LMHeadModel,
        GPTJConfig,
        GPTJForCausalLM,
        GraniteConfig,
        GraniteForCausalLM,
    )

    sizes = {"vocab_size": CLASSES, "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 1, "pad_token_id": 0}
    gpt = {"vocab_size": CLASSES, "n_embd": 16, "n_layer": 1, "n_head": 2, "n_positions": 64}
    return {
        "scaled": CohereForCausalLM(CohereConfig(**sizes, **heads)),
        "capped": Gemma2ForCausalLM(
            Gemma2Config(**sizes, **heads, head_dim=8, final_logit_softcapping=0.1, initializer_range=1.0)
        ),
        "divided": GraniteForCausalLM(GraniteConfig(**sizes, **heads, logits_scaling=3.0)),
        "tied": GPT2LMHeadModel(GPT2Config(**gpt)),
        "biased": GPTJForCausalLM(GPTJConfig(**gpt, rotary_dim=4)),
    }


@pytest.mark.parametrize("kind", ["scaled", "capped", "divided", "tied", "biased"])
def test_heads_of_other_models_give_their_logits(kind: str) -> None:
    torch.manual_seed(0)
    m = other_models()[kind].eval()
    ids = Rows(2).ids
    reading = Reading(m)
    assert reading.head
    torch.testing.assert_close(reading({"input_ids": ids}).logits(), m(input_ids=ids).logits)


def test_a_head_that_is_not_the_models_is_not_used() -> None:
    m = model(1)
    original = m.forward

    def doubled(input_ids: Tensor, logits_to_keep: int = 0, **rest: Any) -> Any:
        found = original(input_ids=input_ids, logits_to_keep=logits_to_keep, **rest)
        found.logits = 2 * found.logits
        return found

    m.forward = doubled  # type: ignore[method-assign]
    reading = Reading(m)
    assert not reading.head
    ids = Rows(2).ids
    torch.testing.assert_close(reading({"input_ids": ids}), doubled(ids).logits)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"loss": "klx"}, "no divergence is called 'klx'"),
        ({"per": "word"}, "`per` is 'word'"),
        ({"on_policy": 1.5}, "`on_policy` is 1.5"),
        ({"temperature": 0.0}, "`temperature` is 0.0"),
        ({"sampling_temperature": math.inf}, "`sampling_temperature` is inf"),
    ],
)
def test_arguments_are_checked_before_anything_starts(changes: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=message):
        arguments(tmp_path, **changes)


def test_names_of_divergences() -> None:
    assert divergence_named("kl.dual") is kb.reverse_kl
    assert divergence_named(" skew_js:0.1.dual").name == kb.skew_js(0.1).dual.name
    assert divergence_named("renyi:0.5").name == "renyi(0.5)"
    with pytest.raises(UnsupportedPairError, match="compares places"):
        divergence_named("wasserstein:1")
    with pytest.raises(UnsupportedPairError, match="has no dual"):
        divergence_named("renyi:0.5.dual")


def test_measures_of_equal_sides() -> None:
    measures, z = Measures(), torch.randn(2, 5, 7, generator=torch.Generator().manual_seed(0))
    measures.add(z, z, torch.zeros(2, 5, dtype=torch.long))
    assert measures.results() == {"kl_teacher_student": 0.0, "kl_student_teacher": 0.0, "acceptance": 1.0}
    assert measures.results() == {}
