"""What every test shares: property-based tests try the same examples on every machine."""

import signal

from hypothesis import settings

# A job in the background is deaf to Ctrl-C, and so would be what a test starts and interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("repeatable", deadline=None, derandomize=True, database=None)
# pytest tests/test_fuzz.py --hypothesis-profile=long: other examples every time, for ten minutes
settings.register_profile("long", deadline=None, max_examples=4000)
settings.load_profile("repeatable")
