"""What every test shares: property-based tests try the same examples on every machine."""

import signal

from hypothesis import settings

# A job in the background is deaf to Ctrl-C, and so would be what a test starts and interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("repeatable", deadline=None, derandomize=True, database=None)
# Other examples every time, for ten minutes:
# pytest tests/library/test_fuzz.py --hypothesis-profile=long
settings.register_profile("long", deadline=None, max_examples=4000)
settings.load_profile("repeatable")

# What takes long comes first, so that no worker is left alone with it at the end.
LONG = [
    "test_experiments.py",
    "test_teach.py",
    "test_exercises.py",
    "test_explorers.py",
    "test_explorers_at_hand.py",
    "test_pages.py",
    "test_print.py",
]


def pytest_collection_modifyitems(items):
    """Long files first, then the notebooks, then the rest; each file's tests stay together."""

    def place(item):
        if item.path.name in LONG:
            return LONG.index(item.path.name)
        return len(LONG) + (item.path.suffix != ".ipynb")

    items.sort(key=place)
