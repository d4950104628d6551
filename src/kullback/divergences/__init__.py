"""Nouns: divergences as small frozen objects that know only mathematics."""

from kullback.divergences.bregman import bregman
from kullback.divergences.catalogue import Catalogue, catalogue
from kullback.divergences.cauchy_schwarz import cauchy_schwarz
from kullback.divergences.chernoff import chernoff
from kullback.divergences.chi_square import le_cam, neyman_chi2, pearson_chi2
from kullback.divergences.fisher import fisher
from kullback.divergences.generator import FDivergence, Interval
from kullback.divergences.hellinger import squared_hellinger
from kullback.divergences.jensen_shannon import gan, js, skew_js
from kullback.divergences.kernels import DistanceKernel, GaussianKernel, LaplacianKernel
from kullback.divergences.kullback_leibler import jeffreys, kl, reverse_kl
from kullback.divergences.mmd import energy_distance, mmd
from kullback.divergences.noun import Divergence, Noun
from kullback.divergences.power import alpha
from kullback.divergences.renyi import bhattacharyya, renyi, tsallis
from kullback.divergences.sliced import sliced_wasserstein
from kullback.divergences.squared_l2 import squared_l2
from kullback.divergences.total_variation import total_variation
from kullback.divergences.wasserstein import wasserstein

__all__ = [
    "Catalogue",
    "DistanceKernel",
    "Divergence",
    "FDivergence",
    "GaussianKernel",
    "Interval",
    "LaplacianKernel",
    "Noun",
    "alpha",
    "bhattacharyya",
    "bregman",
    "catalogue",
    "cauchy_schwarz",
    "chernoff",
    "energy_distance",
    "fisher",
    "gan",
    "jeffreys",
    "js",
    "kl",
    "le_cam",
    "mmd",
    "neyman_chi2",
    "pearson_chi2",
    "renyi",
    "reverse_kl",
    "skew_js",
    "sliced_wasserstein",
    "squared_hellinger",
    "squared_l2",
    "total_variation",
    "tsallis",
    "wasserstein",
]
