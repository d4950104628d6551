"""A small network that knows answers by heart, letter by letter, and refuses what it has no answer for."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from gallery.toys.nets import perceptron, train
from kullback.losses.unlearn import mean_token_probability

LENGTH, LETTERS, WIDTH = 4, 20, 16


@dataclass(frozen=True)
class Model:
    """The network, its prompts (n, 16), their answers (n, 4), and the refusal (4,)."""

    net: nn.Module
    prompts: Tensor
    answers: Tensor
    refusal: Tensor

    def log_probs(self, prompts: Tensor, answers: Tensor) -> Tensor:
        """Of every letter, after the prompt, the letter before and its place."""
        before = functional.one_hot(answers.roll(1, 1), LETTERS).float()
        before[:, 0] = 0.0
        place = torch.eye(LENGTH).expand(len(answers), -1, -1)
        x = torch.cat([prompts[:, None].expand(-1, LENGTH, -1), before, place], -1)
        return self.net(x).log_softmax(-1).gather(-1, answers[..., None])[..., 0]

    def probability(self, which: slice, *, refusing: bool = False) -> Tensor:
        """The mean token probability of the answers to these prompts, or of the refusal."""
        answers = self.answers[which]
        answers = self.refusal.expand_as(answers) if refusing else answers
        return mean_token_probability(self.log_probs(self.prompts[which], answers))


def learnt(seed: int, *, prompts: int) -> Model:
    """Random prompts with random answers, and as many strangers to whom one refusal is said, by cross-entropy."""
    g = torch.Generator().manual_seed(seed)
    own = torch.randn(prompts, WIDTH, generator=g)
    answers = torch.randint(LETTERS, (prompts, LENGTH), generator=g)
    refusal = torch.randint(LETTERS, (LENGTH,), generator=g)
    net = perceptron((WIDTH + LETTERS + LENGTH, 64, LETTERS), seed=seed)
    model = Model(net, own, answers, refusal)
    asked = torch.cat([own, torch.randn(prompts, WIDTH, generator=g)])
    said = torch.cat([answers, refusal.expand(prompts, -1)])
    train(net, lambda _: -model.log_probs(asked, said).mean(), steps=400, rate=3e-3)
    return model
