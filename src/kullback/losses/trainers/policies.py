"""TRL's trainer for group-relative policies, with any divergence in place of its one penalty."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn
from trl.trainer.grpo_config import GRPOConfig
from trl.trainer.grpo_trainer import GRPOTrainer

from kullback.divergences import FDivergence, kl
from kullback.errors import InvalidInputError
from kullback.losses.policy import sampled_divergence
from kullback.losses.policy.sides import check_generator

if TYPE_CHECKING:
    from torch.utils.data import Dataset
    from transformers import PreTrainedModel, PreTrainedTokenizerBase, TrainerCallback

_BY_TOKENS = ("cispo", "dapo", "vespo")


class PolicyTrainer(GRPOTrainer):
    r"""TRL's `GRPOTrainer` whose penalty is β D_f(policy‖reference) under `divergence`, token by token.

    $$\mathcal L_{\mathrm{GRPO}} + \beta\, E\left[\frac{q}{\mu} f\!\Big(\frac{\pi}{q}\Big)\right],$$

    π the policy, q the reference, μ the policy that drew the answers; the gradient is that of D_f, as in
    `kullback.losses.policy.sampled_divergence`. β > 0, the loss and everything else are those of `args`, a
    `trl.GRPOConfig`, and the penalty is averaged as its `loss_type` averages; the logs have `divergence` in place of
    `kl`. `kb.kl` trains what TRL's own default does; `kb.reverse_kl` what it does without `use_bias_correction_kl`.
    The other arguments are TRL's.

    Raises `InvalidInputError` for β = 0, where there is no penalty. Source: [shao2024], [li2026].

    >>> PolicyTrainer.__mro__[1].__name__
    'GRPOTrainer'
    """

    def __init__(
        self,
        model: PreTrainedModel | str,
        *,
        reward_funcs: Callable[..., Any] | list[Callable[..., Any]],
        args: GRPOConfig,
        divergence: FDivergence = kl,
        train_dataset: Dataset[Any] | None = None,
        eval_dataset: Dataset[Any] | dict[str, Dataset[Any]] | None = None,
        processing_class: PreTrainedTokenizerBase | None = None,
        callbacks: list[TrainerCallback] | None = None,
        optimizers: tuple[Any, Any] = (None, None),
        peft_config: Any = None,
    ) -> None:
        check_generator(divergence)
        if not args.beta > 0:
            raise InvalidInputError(
                f"`args.beta` is {args.beta}; expected a number above 0, which is the weight of {divergence.name}"
            )
        self.divergence = divergence
        self._heard: list[Tensor] | None = None
        super().__init__(
            model,
            reward_funcs=reward_funcs,  # pyright: ignore[reportArgumentType]
            args=args,
            train_dataset=train_dataset,  # pyright: ignore[reportArgumentType]
            eval_dataset=eval_dataset,  # pyright: ignore[reportArgumentType]
            processing_class=processing_class,
            callbacks=callbacks,
            optimizers=optimizers,
            peft_config=peft_config,
        )

    def _get_per_token_logps_and_entropies(self, *args: Any, **kwargs: Any) -> Any:
        made = super()._get_per_token_logps_and_entropies(*args, **kwargs)
        if self._heard is not None:
            self._heard.append(made[0])
        return made

    def _compute_loss(self, model: nn.Module, inputs: dict[str, Any]) -> Tensor:
        """TRL's loss without a penalty, of log-probabilities that are listened to, and the penalty of these."""
        beta, self.beta, self._heard = self.beta, 0.0, []
        try:
            loss = super()._compute_loss(model, inputs)
            (log_probs,) = self._heard
        finally:
            self.beta, self._heard = beta, None
        mask = inputs["completion_mask"] * inputs.get("tool_mask", 1)
        counted = mask.bool()
        reference = inputs["ref_per_token_logps"]
        older = inputs.get("old_per_token_logps")
        # padding is left out before the arithmetic
        ratio = torch.where(counted, log_probs - reference, 0.0)
        weights = None if older is None else torch.where(counted, log_probs - older, 0.0)
        terms = sampled_divergence(self.divergence, ratio, log_weights=weights)
        self._note(terms.detach(), mask)
        return loss + beta * self._averaged(terms, mask, inputs)

    def _averaged(self, terms: Tensor, mask: Tensor, inputs: dict[str, Any]) -> Tensor:
        """Over tokens and answers as the loss is."""
        training = cast("nn.Module", self.model).training
        steps = self.current_gradient_accumulation_steps or 1
        per_answer = (terms * mask).sum(-1)
        if self.loss_type in _BY_TOKENS:
            tokens = inputs["num_items_in_batch"].clamp(min=1.0) / self.accelerator.num_processes
            # the count is of all answers that were generated, and in training this is a part of them
            parts = cast("GRPOConfig", self.args).steps_per_generation or 1
            return per_answer.sum() / (tokens * steps / parts if training else tokens)
        if self.loss_type == "bnpo":
            mean = per_answer.sum() / mask.sum().clamp(min=1.0)
        elif self.loss_type == "dr_grpo":
            mean = per_answer.mean() / cast("int", self.max_completion_length)
        elif self.loss_type == "luspo":
            mean = per_answer.mean()
        else:
            mean = (per_answer / mask.sum(-1).clamp(min=1.0)).mean()
        return mean / steps if training else mean

    @torch.no_grad()
    def _note(self, terms: Tensor, mask: Tensor) -> None:
        """The mean over the tokens of all processes."""
        sums = torch.stack([(terms * mask).sum(), mask.sum().to(terms)])
        total, count = cast("Tensor", self.accelerator.reduce(sums, reduction="sum")).tolist()
        mode = "train" if cast("nn.Module", self.model).training else "eval"
        self._metrics[mode]["divergence"].append(total / max(count, 1.0))
