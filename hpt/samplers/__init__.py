"""Samplers: what to try next.

A sampler is asked for the next trial of a record (an Optuna study) and answers with one, its hyperparameters
chosen, or with ``None`` when it has nothing left to offer. Trial number ``n`` of seed ``s`` depends on
``(s, n)`` and on the results told so far, never on a generator that was passed around.
"""

from hpt.samplers.base import Observation, Proposer, Sampler, observations
from hpt.samplers.basic import Grid, Listed, Random, Sobol
from hpt.samplers.bohb import Bohb
from hpt.samplers.evolution import AgeingEvolution
from hpt.samplers.gaussian_process import GaussianProcess
from hpt.samplers.with_optuna import CmaEs, Nsga2, Tpe

__all__ = [
    "AgeingEvolution",
    "Bohb",
    "CmaEs",
    "GaussianProcess",
    "Grid",
    "Listed",
    "Nsga2",
    "Observation",
    "Proposer",
    "Random",
    "Sampler",
    "Sobol",
    "Tpe",
    "observations",
]
