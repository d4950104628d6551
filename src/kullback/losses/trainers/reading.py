"""What a causal language model of transformers says about a batch: a head on hidden states, or logits."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from kullback.losses.heads import Head

_READ = ("input_ids", "attention_mask", "position_ids")


class Reading:
    r"""How a model's next-token distributions are read: as a `Head` where it has one, or as logits.

    $$z_i = s\,(W h_i + b)$$

    It has a head if its forward takes `logits_to_keep`, its output embedding is a plain linear map, and that map on the
    last hidden states of its body gives the logits that the model itself gives: this is tried here on three tokens,
    in the mode of evaluation. Logits are then never all made. Otherwise, or with `logits=True`, they are. `head` says
    which it is. Called with a batch, it gives the side that `kb.loss` takes. Source: [hinton2015].

    >>> from transformers import GPT2Config, GPT2LMHeadModel
    >>> model = GPT2LMHeadModel(GPT2Config(n_layer=1, n_embd=8, n_head=1, vocab_size=5, n_positions=4))
    >>> reading = Reading(model)
    >>> reading.head, reading({"input_ids": torch.tensor([[1, 2, 3]])}).shape
    (True, (1, 3, 5))
    """

    def __init__(self, model: nn.Module, *, logits: bool = False) -> None:
        given: Any = model
        self.model = given.get_base_model() if hasattr(model, "get_base_model") else given
        self.head = not logits and self._has_head()

    def __call__(self, inputs: Mapping[str, Tensor], *, through: nn.Module | None = None) -> Tensor | Head:
        """Of a batch with `input_ids`; `through` is what the model was wrapped into for several processes."""
        called = self.model if through is None else through
        given = {name: inputs[name] for name in _READ if inputs.get(name) is not None}
        if not self.head:
            return called(**given, use_cache=False).logits
        with self._listening() as heard:
            called(**given, use_cache=False, logits_to_keep=1)
        return self._headed(heard[0])

    def _has_head(self) -> bool:
        linear: Any = (
            self.model.get_output_embeddings() if hasattr(self.model, "get_output_embeddings") else None
        )
        body = getattr(self.model, "base_model", self.model)
        if type(linear) is not nn.Linear or body is self.model:
            return False
        if "logits_to_keep" not in inspect.signature(self.model.forward).parameters:
            return False
        ids = torch.arange(min(3, len(linear.weight)), device=linear.weight.device)[None]
        was, _ = self.model.training, self.model.eval()
        try:
            with torch.no_grad(), self._listening() as heard:
                logits = self.model(input_ids=ids, use_cache=False).logits
        finally:
            self.model.train(was)
        if not heard:
            return False
        made = self._headed(heard[0]).logits().float()
        room = 16 * torch.finfo(linear.weight.dtype).eps * (1 + float(logits.abs().max()))
        agree = made.shape == logits.shape and bool(((made - logits.float()).abs() <= room).all())
        return agree and bool(logits.any())  # zeros would agree with anything

    def _headed(self, hidden: Tensor) -> Head:
        linear, config = self.model.get_output_embeddings(), self.model.config
        kind = hidden.dtype  # that of autocast, where there is one
        scale = getattr(config, "logit_scale", None) or 1.0 / (getattr(config, "logits_scaling", None) or 1.0)
        bias = None if linear.bias is None else linear.bias.to(kind)
        cap = getattr(config, "final_logit_softcapping", None)
        return Head(hidden, linear.weight.to(kind), bias, scale=float(scale), softcap=cap)

    @contextmanager
    def _listening(self) -> Iterator[list[Tensor]]:
        heard: list[Tensor] = []

        def note(_: nn.Module, __: object, output: Any) -> None:
            heard.append(output[0])

        handle = self.model.base_model.register_forward_hook(note)
        try:
            yield heard
        finally:
            handle.remove()
