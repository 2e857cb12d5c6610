"""The paper's figures and tables at full size, and the questions it leaves open.

Each module is one experiment. Its docstring states the question, ``grid(quick)`` lists the
settings of its runs, and ``run(**settings)`` does one of them and returns what it found. Results
whose names begin with ``seconds`` are measurements of time; all others repeat on one machine.
Lists are trajectories: a run that ``SLICE`` cuts short begins as the recorded one does.
``TIMED = True`` keeps the machine for one run at a time.
"""
