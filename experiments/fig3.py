"""Fig. 3: the validation points and the decision boundary that NLCG finds."""

from .two_class import run, settings

__all__ = ["grid", "run"]


def grid(quick=False):
    return [settings("NLCG", seed, "fixed", 80) for seed in range(1 if quick else 5)]
