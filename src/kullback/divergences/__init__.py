"""Nouns: divergences as small frozen objects that know only mathematics."""

from kullback.divergences.bregman import bregman
from kullback.divergences.catalogue import Catalogue, catalogue
from kullback.divergences.cauchy_schwarz import cauchy_schwarz
from kullback.divergences.chi_square import le_cam, neyman_chi2, pearson_chi2
from kullback.divergences.generator import FDivergence, Interval
from kullback.divergences.hellinger import squared_hellinger
from kullback.divergences.jensen_shannon import gan, js, skew_js
from kullback.divergences.kullback_leibler import jeffreys, kl, reverse_kl
from kullback.divergences.noun import Divergence
from kullback.divergences.power import alpha
from kullback.divergences.renyi import bhattacharyya, renyi, tsallis
from kullback.divergences.total_variation import total_variation

__all__ = [
    "Catalogue",
    "Divergence",
    "FDivergence",
    "Interval",
    "alpha",
    "bhattacharyya",
    "bregman",
    "catalogue",
    "cauchy_schwarz",
    "gan",
    "jeffreys",
    "js",
    "kl",
    "le_cam",
    "neyman_chi2",
    "pearson_chi2",
    "renyi",
    "reverse_kl",
    "skew_js",
    "squared_hellinger",
    "total_variation",
    "tsallis",
]
