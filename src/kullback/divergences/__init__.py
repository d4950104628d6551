"""Nouns: divergences as small frozen objects that know only mathematics."""

from kullback.divergences.catalogue import Catalogue, catalogue
from kullback.divergences.chi_square import le_cam, neyman_chi2, pearson_chi2
from kullback.divergences.generator import FDivergence, Interval
from kullback.divergences.hellinger import squared_hellinger
from kullback.divergences.jensen_shannon import gan, js, skew_js
from kullback.divergences.kullback_leibler import jeffreys, kl, reverse_kl
from kullback.divergences.power import alpha
from kullback.divergences.total_variation import total_variation

__all__ = [
    "Catalogue",
    "FDivergence",
    "Interval",
    "alpha",
    "catalogue",
    "gan",
    "jeffreys",
    "js",
    "kl",
    "le_cam",
    "neyman_chi2",
    "pearson_chi2",
    "reverse_kl",
    "skew_js",
    "squared_hellinger",
    "total_variation",
]
