"""Objectives take their exponentials and logarithms from the divergence: every other one is listed, with its reason."""

from __future__ import annotations

from pathlib import Path

import pytest

import source_rules as rules

LOSSES = Path(__file__).parents[2] / "src" / "kullback" / "losses"

# What an objective is made of besides its divergence, by file or by folder (ending in /). A formula of a ratio of two
# laws does not belong here: it is a member of the noun.
ALLOWED: dict[str, dict[str, str]] = {
    "preference/": {
        "pairs.py:logistic": "the likelihood of an order under Bradley and Terry",
        "unpaired.py:unpaired.<locals>.terms": "the value function of gains and losses",
    },
    "policy.py": {
        "sampled_kl": "the weight of a draw under another policy, differentiated",
        "kl_in_loss": "the weight of a draw under another policy, held constant",
        "_without_control": "the control variate t - 1 and where it leaves the precision",
        "_fitted": "the control variate t - 1",
        "_normalised": "self-normalised importance weights",
    },
}


@pytest.mark.parametrize("family", ALLOWED)
def test_exponentials_have_a_reason(family: str) -> None:
    assert (LOSSES / family).exists()
    found = rules.transcendental_functions(LOSSES, family)
    prefix = f"{family}:" if family.endswith(".py") else family
    assert found == {prefix + name for name in ALLOWED[family]}


def test_the_rule_sees_what_it_should(tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text(
        "def a(r):\n    def b(s):\n        return s.exp()\n    return b(r)\n\n\ndef c(r):\n    return torch.log1p(r)\n"
    )
    assert rules.transcendental_functions(tmp_path, "x.py") == {"x.py:a.<locals>.b", "x.py:c"}
