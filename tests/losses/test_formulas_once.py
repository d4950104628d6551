"""Objectives take their exponentials and logarithms from the divergence: every other one is listed, with its reason."""

from __future__ import annotations

from pathlib import Path

import pytest

import source_rules as rules

LOSSES = Path(__file__).parents[2] / "src" / "kullback" / "losses"

# What an objective is made of besides its divergence, by file or by folder (ending in /). A formula of a ratio of two
# laws does not belong here: it is a member of the noun.
ALLOWED: dict[str, dict[str, str]] = {
    "bottleneck/": {
        "categorical.py:categorical_bottleneck.<locals>.terms": "a code's probabilities from its logits",
        "categorical.py:categorical_information": "a code's probabilities from its logits",
        "categorical.py:code_entropy": "a code's probabilities from its logits",
        "gaussian.py:gaussian_bottleneck": "the closed form of the curve",
        "kernels.py:_log_mean": "means of kernels from their logarithms",
        "kernels.py:cauchy_schwarz_information": "sums of kernels from their logarithms",
        "kernels.py:conditional_cauchy_schwarz": "sums of kernels from their logarithms",
        "kernels.py:conditional_cauchy_schwarz.<locals>.overlap": "sums of kernels from their logarithms",
        "pairs.py:_mixture": "means of exponentials of minus divergences of pairs",
        "plane.py:_Law.lagrangian": "entropies in the inner loop",
        "plane.py:_Law.stepped": "the self-consistent equation of the encoder",
        "rate.py:rate_distortion": "the iteration of Blahut and Arimoto",
    },
    "contrast/": {
        "information.py:DonskerVaradhan._normaliser": "the logarithm of the mean that the bound is named for",
        "mim.py:contrastive_mim.<locals>.terms": "the mean over other examples, in logarithms",
        "negatives.py:debiased_info_nce.<locals>.terms": "the corrected mean over negatives",
        "negatives.py:log_sum": "the partition function of a softmax over partners",
        "negatives.py:surprise": "the log-likelihood of a softmax over partners",
        "salient.py:negative_joint_entropy": "the logarithm of a kernel estimate of a density",
        "salient.py:uniformity": "the logarithm of a mean of kernels",
        "submodular.py:_best": "a maximum that is smooth",
        "submodular.py:log_determinant_information": "the logarithm of a determinant, by canonical correlations",
    },
    "matching/": {
        "diffusions.py:VariancePreserving.deviation": "the noise that a linear rate has added",
        "diffusions.py:VariancePreserving.signal": "the signal that a linear rate has left",
        "moments.py:moment_kl.<locals>.terms": "the log-ratio of two variances, of which the noun makes a divergence",
        "ratios.py:TimeBins._move": "a moving mean of ratios, kept as its logarithm",
        "ratios.py:_log_mean": "the mean of ratios, which is 1 for two laws",
        "ratios.py:discriminator_ratio": "the prior odds of a classifier's log-odds",
    },
    "preference/": {
        "pairs.py:logistic": "the likelihood of an order under Bradley and Terry",
        "unpaired.py:unpaired.<locals>.terms": "the value function of gains and losses",
    },
    "policy/": {
        "baselines.py:leave_one_out": "importance weights, self-normalised over the other samples",
        "gradients.py:Partition.update": "the sum of importance weights, from their logarithms",
        "gradients.py:Partition.value": "the logarithm of a mean from those of sum and count",
        "numbers.py:_edge": "the rate at which the derivative of a slope grows beyond the precision",
        "numbers.py:_exp": "a mass from its logarithm, continued beyond the precision",
        "numbers.py:scaled_slope": "a slope's power law, integrated beyond the precision",
        "rewarded.py:clipped.<locals>.terms": "the weight of a draw under another policy, differentiated",
        "sampled.py:sampled_kl": "the weight of a draw under another policy, differentiated",
        "sampled.py:kl_in_loss": "the weight of a draw under another policy, held constant",
        "sampled.py:_without_control": "the control variate t - 1 and where it leaves the precision",
        "sampled.py:_fitted": "the control variate t - 1",
        "sampled.py:_normalised": "self-normalised importance weights",
    },
    "priors.py": {
        "expected_normal_divergence": "what not knowing a covariance costs, beside digammas",
    },
    "robust/": {
        "adversarial.py:Barrier.__call__": "the logarithmic barrier at the edge of a ball",
        "comp_sum.py:_comp_sums": "the label's own log-odds, and a power of them as an expm1 that is continuous in tau",
        "comp_sum.py:_near_one": "the consistency bound near cross-entropy",
        "comp_sum.py:consistency_bound": "the consistency bound away from cross-entropy",
        "labels.py:_unit_price": "the logarithm of the mean that closes the dual of KL",
        "labels.py:_worst_labels": "the law that attains the dual of KL",
        "worst_case.py:DualVariables.__init__": "a positive multiplier has a free logarithm",
        "worst_case.py:DualVariables._place": "a threshold inside the domain of f* has a free logarithm",
        "worst_case.py:DualVariables.multiplier": "the multiplier from its logarithm",
        "worst_case.py:DualVariables.threshold": "the threshold from its logarithm",
        "z_loss.py:_of_score": "the softplus of a standard score",
        "z_loss.py:_squared_log_partition": "the partition function of the logits",
    },
    "supervision/": {
        "aggregates.py:bag_matching.<locals>.terms": "a mean prediction is made of logarithms of probabilities",
        "aggregates.py:within_bag": "a mean prediction is made of logarithms of probabilities",
        "calibration.py:_correctness": "the logit of all classes but one, taken together",
        "calibration.py:bernoulli_matching": "logarithms of given probabilities",
        "calibration.py:kernel_targets": "a Gaussian kernel over its sum",
        "clustering.py:_assignments": "assignments in logarithms",
        "clustering.py:_powers": "powers of assignments over powers of the clusters' shares, normalised",
        "clustering.py:balanced_targets": "shares of clusters in logarithms",
        "clustering.py:student_t_logits": "Student's kernel",
        "groups.py:Groups.log_mean": "the logarithm of a mean of probabilities",
        "groups.py:check_laws": "logarithms of given probabilities",
        "prior_matching.py:_entropies": "the entropy with a weight for each class",
        "prior_matching.py:prior_matching": "a mean prediction is made of logarithms of probabilities",
    },
    "unlearn.py": {
        "mean_token_probability": "probabilities of tokens, whose mean is taken, from their logarithms",
    },
    "unnormalised.py": {
        "CompositionalLikelihood.log_partition": "the weight of a moving average that began at nothing",
        "CompositionalLikelihood._normaliser": "the logarithm of a mean of importance weights, averaged over steps",
        "ranking.<locals>.terms": "the probability of picking one among several",
    },
    "variational/": {
        "collapsing.py:Collapse.__str__": "the most that a sample can tell, log n",
        "collapsing.py:_densities": "the density of a mixture of posteriors",
        "collapsing.py:linear_vae": "the closed form of a linear model's divergence",
        "interval.py:_chi": "self-normalised squares of importance weights",
        "objectives.py:RenyiBound.__call__": "the power mean of importance weights",
        "objectives.py:RenyiBound.path_weights": "powers of importance weights, self-normalised",
        "surrogates.py:_weighed": "the probability of an enumerated value, from its logarithm",
        "wake_sleep.py:wake": "self-normalised importance weights",
    },
}


@pytest.mark.parametrize("family", ALLOWED)
def test_exponentials_have_a_reason(family: str) -> None:
    assert (LOSSES / family).exists()
    found = rules.transcendental_functions(LOSSES, family)
    prefix = f"{family}:" if family.endswith(".py") else family
    assert found == {prefix + name for name in ALLOWED[family]}


def test_every_objective_is_scanned() -> None:
    objectives = {
        "preference",
        "policy",
        "unlearn",
        "matching",
        "variational",
        "bottleneck",
        "robust",
        "contrast",
    }
    objectives |= {"supervision", "unnormalised", "priors"}
    here = {
        path.name + ("/" if path.is_dir() else "") for path in LOSSES.iterdir() if path.stem in objectives
    }
    assert len(here) == len(objectives)
    assert here == set(ALLOWED)


def test_the_rule_sees_what_it_should(tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text(
        "def a(r):\n    def b(s):\n        return s.exp()\n    return b(r)\n\n\ndef c(r):\n    return torch.log1p(r)\n"
    )
    assert rules.transcendental_functions(tmp_path, "x.py") == {"x.py:a.<locals>.b", "x.py:c"}
