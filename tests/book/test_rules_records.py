"""What the chapters read from the recorded runs of the mini-batch rules, on runs made by hand."""

from types import SimpleNamespace

import numpy as np
import pytest

from soo_lib.book.rules import (
    contest,
    critical,
    epochs_to,
    fitted,
    in_words,
    middle,
    seconds_to,
    spread,
    tuned,
)


def run(fun, rule="adam", batch_size=32, step=0.01, epochs=2, seed=0, **other):
    return SimpleNamespace(
        fun=np.array(fun, float),
        seconds=np.arange(len(fun), dtype=float),
        rule=rule,
        batch_size=batch_size,
        step=step,
        epochs=epochs,
        seed=seed,
        other=other,
    )


def test_epochs_to_a_loss_lie_on_a_straight_line_of_logarithms():
    found = run([1.0, 0.1, 0.01])
    assert epochs_to(found, 0.1) == pytest.approx(1)
    assert epochs_to(found, np.sqrt(0.1)) == pytest.approx(0.5)
    assert epochs_to(found, 0.001) == np.inf == seconds_to(found, 0.001)
    assert seconds_to(found, np.sqrt(0.001)) == pytest.approx(1.5)


def test_a_run_that_diverged_counts_as_infinite():
    ends = [run([1, end]) for end in (0.1, 0.3, np.nan)]
    assert middle(ends) == 0.3 and middle(ends[:2]) == pytest.approx(0.2)
    assert spread(ends[:2], lambda run: run.fun[-1], 2) == "0.20 (0.10–0.30)"
    assert spread(ends[:1], lambda run: run.fun[-1], 1) == "0.1"


def test_the_tuned_runs_are_those_with_the_lowest_median():
    runs = [run([1, end], step=step) for step, end in ((0.1, 0.5), (0.1, 0.7), (1, 0.4), (1, 0.9))]
    assert {found.step for found in tuned(runs, "adam", 32)} == {0.1}


def test_a_contest_puts_the_setting_with_the_most_starts_first():
    lucky = [run([1, 0.1])]
    chosen = [run([1, 0.2], beta2=0.99, seed=seed) for seed in range(3)]
    worse = [run([1, 0.3], beta2=0.95, seed=seed) for seed in range(3)]
    ten = [run([1, 0.05], epochs=10)]
    found = contest([*worse, *lucky, *chosen, *ten])
    assert list(found) == [("adam", 2), ("adam", 10)]
    assert found["adam", 2] == [chosen, worse, lucky]
    assert in_words(chosen[0]) == "32 rows, step 0.01, β₂ 0.99"


def test_the_law_of_batch_sizes_is_found_again():
    sizes = np.array([8, 32, 128, 512])
    least, m = fitted(sizes, 20 * (1 + 100 / sizes))
    assert least == pytest.approx(20, rel=0.02) and m == pytest.approx(100, rel=0.02)


def test_steps_to_a_target_are_those_of_the_best_step():
    never = None
    runs = [
        SimpleNamespace(rule="sgd", batch_size=size, step=step, steps=[k, 2 * k, last])
        for size, step, k, last in (
            (8, 1, 40, 120),
            (8, 1, 60, 130),
            (8, 3, 45, never),
            (16, 1, 30, never),
        )
    ]
    sizes, needs, _ = critical(runs)
    assert list(sizes) == [8, 16]
    np.testing.assert_array_equal(needs["sgd"], [[45, 30], [90, 60], [125, np.inf]])
