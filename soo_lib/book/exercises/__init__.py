"""Checks of the book's exercises: ``check_<name>(function)`` says what is wrong with an answer.

The problems are random, and their sizes differ, so that no slip goes unseen. For a hint, the answer
is compared with what the usual slips would have given, alone and two at a time.
"""

from .choices import check_price_to_reach
from .curvature import (
    check_hessian_step,
    check_sign_rule,
    check_softmax_hessian,
)
from .data import check_batch_size, check_choose_rows
from .directions import check_newton_step, check_polak_ribiere
from .gradients import check_diagnose, check_logistic_gradient
from .leaks import check_leaked_rows
from .models import check_step_inside
from .parts import check_summed_gradient
from .polar import check_kronecker_product, check_newton_schulz
from .quadratics import check_conjugate_gradients
from .saddles import check_leave_saddle
from .steps import check_armijo
from .two_loops import check_two_loop
from .updates import check_bfgs_update
from .wolfe import check_strong_wolfe

__all__ = [
    "check_armijo",
    "check_batch_size",
    "check_bfgs_update",
    "check_choose_rows",
    "check_conjugate_gradients",
    "check_diagnose",
    "check_hessian_step",
    "check_kronecker_product",
    "check_leaked_rows",
    "check_leave_saddle",
    "check_logistic_gradient",
    "check_newton_schulz",
    "check_newton_step",
    "check_polak_ribiere",
    "check_price_to_reach",
    "check_sign_rule",
    "check_softmax_hessian",
    "check_step_inside",
    "check_strong_wolfe",
    "check_summed_gradient",
    "check_two_loop",
]
