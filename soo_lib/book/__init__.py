"""The first floor: what the book's pages, exercises and explorers need.

It stands on the mathematics, the other packages of ``soo_lib``, which know nothing of it.
"""
