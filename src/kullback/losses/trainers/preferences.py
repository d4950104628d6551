"""TRL's trainer for preferences, with any divergence in place of its four."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn
from trl.trainer.dpo_config import DPOConfig
from trl.trainer.dpo_trainer import DPOTrainer

from kullback.divergences import FDivergence, kl
from kullback.errors import InvalidInputError
from kullback.losses.preference import f_dpo, reward
from kullback.losses.preference.link import check_unbounded

if TYPE_CHECKING:
    from torch.utils.data import Dataset
    from transformers import PreTrainedModel, PreTrainedTokenizerBase, TrainerCallback

_PLAIN: dict[str, Any] = {
    "loss_type": ["sigmoid"],
    "f_divergence_type": "reverse_kl",
    "use_weighting": False,
    "ld_alpha": None,
}


class PreferenceTrainer(DPOTrainer):
    r"""TRL's `DPOTrainer` whose loss is `kullback.losses.preference.f_dpo` under `divergence`.

    $$-\log \sigma\big(\beta\,[f'(\pi / \pi_{\mathrm{ref}})(y_c) - f'(\pi / \pi_{\mathrm{ref}})(y_r)]\big)$$

    β and label smoothing are those of `args`, a `trl.DPOConfig`; data, reference, adapters and logs are TRL's, with the
    rewards of the divergence in the logs. `kb.kl` trains what TRL's own default does. The other arguments are TRL's.

    Raises `InvalidInputError` for settings of `args` that name another loss, and for a divergence whose slope has a
    limit at t = 0. Source: [wang2024].

    >>> PreferenceTrainer.__mro__[1].__name__
    'DPOTrainer'
    """

    def __init__(
        self,
        model: PreTrainedModel | str,
        *,
        divergence: FDivergence = kl,
        ref_model: PreTrainedModel | None = None,
        args: DPOConfig | None = None,
        data_collator: Callable[..., Any] | None = None,
        train_dataset: Dataset[Any] | None = None,
        eval_dataset: Dataset[Any] | dict[str, Dataset[Any]] | None = None,
        processing_class: PreTrainedTokenizerBase | None = None,
        callbacks: list[TrainerCallback] | None = None,
        optimizers: tuple[Any, Any] = (None, None),
        peft_config: Any = None,
    ) -> None:
        check_unbounded(divergence)
        for name, plain in _PLAIN.items():
            if args is not None and getattr(args, name) != plain:
                raise InvalidInputError(
                    f"`args.{name}` is {getattr(args, name)!r}; `divergence` says what the loss is: "
                    f"leave it at {plain!r}"
                )
        self.divergence = divergence
        super().__init__(
            model,
            ref_model=ref_model,
            args=args,
            data_collator=data_collator,  # pyright: ignore[reportArgumentType]
            train_dataset=train_dataset,  # pyright: ignore[reportArgumentType]
            eval_dataset=eval_dataset,  # pyright: ignore[reportArgumentType]
            processing_class=processing_class,
            callbacks=callbacks,
            optimizers=optimizers,
            peft_config=peft_config,
        )

    def _compute_loss(self, model: nn.Module, inputs: dict[str, Any], return_outputs: bool) -> Any:
        """TRL's own loss and logs, of log-probabilities that are listened to, and the loss of these in its place."""
        heard: list[Any] = []

        def listening(*args: Any, **kwargs: Any) -> Any:
            heard.append(model(*args, **kwargs))
            return heard[-1]

        precomputed = self.precompute_ref_logps
        if not precomputed:  # once, for both losses
            reference = self.compute_ref_log_probs(self.ref_model or self.model, inputs)
            inputs = inputs | dict(zip(("ref_chosen_logps", "ref_rejected_logps"), reference, strict=True))
        self.precompute_ref_logps = True
        try:
            made = super()._compute_loss(listening, inputs, return_outputs)
        finally:
            self.precompute_ref_logps = precomputed
        loss = self._of(heard[0], inputs)
        return (loss, made[1]) if return_outputs else loss

    def _of(self, outputs: Any, inputs: dict[str, Any]) -> Tensor:
        tokens = inputs["completion_mask"].shape[1] - 1  # adapters may put virtual ones before them
        chosen, rejected = outputs.log_probs[:, -tokens:].sum(1).chunk(2)
        chosen, rejected = chosen - inputs["ref_chosen_logps"], rejected - inputs["ref_rejected_logps"]
        self._note(chosen.detach(), rejected.detach())
        loss = f_dpo(
            self.divergence,
            chosen=chosen,
            rejected=rejected,
            beta=self.beta,
            label_smoothing=self.label_smoothing,
        )
        return loss + self.router_aux_loss_coef * outputs.aux_loss if self.aux_loss_enabled else loss

    @torch.no_grad()
    def _note(self, chosen: Tensor, rejected: Tensor) -> None:
        """The implicit rewards of this divergence in place of those of KL."""
        gathered = [cast("Tensor", self.accelerator.gather(r)) for r in (chosen, rejected)]
        both = [reward(self.divergence, r, beta=self.beta).mean().item() for r in gathered]
        logs = self._metrics["train" if cast("nn.Module", self.model).training else "eval"]
        values = {
            "rewards/chosen": both[0],
            "rewards/rejected": both[1],
            "rewards/margins": both[0] - both[1],
        }
        for name, value in values.items():
            logs[name][-1] = value
