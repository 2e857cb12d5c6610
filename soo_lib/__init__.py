"""A thin library for learning second-order optimisation.

One idea carries it: everything is a loss, and a solver is a direction rule times a step rule.
"""

__version__ = "0.1.0"
