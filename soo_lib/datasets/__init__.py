"""The book's data: Fashion-MNIST, the two-class points and the digits."""

from .load import CLASSES, load_digits, load_fashion_mnist, make_two_class

__all__ = ["load_fashion_mnist", "make_two_class", "load_digits", "CLASSES"]
