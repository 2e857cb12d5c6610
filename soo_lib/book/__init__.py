"""The first floor: what the book's pages, exercises and explorers need.

It stands on the mathematics, ``soo_lib/*.py``, which knows nothing of it.
"""
