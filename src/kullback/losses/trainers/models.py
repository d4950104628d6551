"""Models and tokenizers of a run: loaded by the names that transformers knows, or made in a small size."""

from __future__ import annotations

import time
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM
from transformers.utils import logging

from kullback.errors import InvalidInputError
from kullback.losses.trainers.settings import New

_WINDOW = 2  # a new model reads so many times the length of the blocks it is trained on
DRAFTED = 4  # tokens that the student drafts before the teacher looks at them

_TRIES = 3  # of writing, against whatever else the machine does


def loaded(name: str, place: str) -> Any:
    """A causal language model from a folder or the hub; `place` is the setting that names it."""
    try:
        return AutoModelForCausalLM.from_pretrained(name)
    except (OSError, ValueError) as error:
        raise InvalidInputError(f"{place} is {name!r}, which could not be loaded: {_first(error)}") from error


def loaded_tokenizer(name: str, place: str) -> Any:
    """A tokenizer, likewise."""
    try:
        return AutoTokenizer.from_pretrained(name)
    except (OSError, ValueError) as error:
        raise InvalidInputError(
            f"{place} is {name!r}, whose tokenizer could not be loaded: {_first(error)}"
        ) from error


def _first(error: Exception) -> str:
    return str(error).strip().splitlines()[0] + "; expected a folder with a model, or a name on the hub"


def made(sizes: New, *, vocabulary: int, block: int, seed: int) -> Any:
    """A model of the Llama kind, with weights drawn from the seed."""
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=sizes.width,
        intermediate_size=4 * sizes.width,
        num_hidden_layers=sizes.layers,
        num_attention_heads=sizes.heads,
        max_position_embeddings=_WINDOW * block,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=None,
    )
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        return LlamaForCausalLM(config)


def writing_speed(teacher: Any, student: Any, prompt: Tensor, *, tokens: int) -> float:
    """Tokens a second that the teacher writes, alone or, with a student, from its drafts; the best of some tries."""
    drafts: dict[str, Any] = {}
    if student is not None:
        settings = student.generation_config
        settings.num_assistant_tokens, settings.num_assistant_tokens_schedule = DRAFTED, "constant"
        settings.assistant_confidence_threshold = 0.0
        drafts = {"assistant_model": student.eval()}
    shown, speeds = prompt.to(teacher.device), []
    said = logging.get_verbosity()
    logging.set_verbosity_error()  # its own drafting passes arguments that it warns of
    try:
        with torch.random.fork_rng([teacher.device] if teacher.device.type == "cuda" else []):
            for seed in range(_TRIES):
                torch.manual_seed(seed)
                began = time.perf_counter()
                written = teacher.generate(
                    shown,
                    attention_mask=torch.ones_like(shown),
                    max_new_tokens=tokens,
                    do_sample=True,
                    top_k=0,
                    top_p=1.0,
                    pad_token_id=0,
                    **drafts,
                )
                speeds.append((written.shape[1] - prompt.shape[1]) / (time.perf_counter() - began))
    finally:
        logging.set_verbosity(said)
    return max(speeds)
