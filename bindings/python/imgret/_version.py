"""The version of this package, that of the header it was written against."""

__version__ = "0.1.0"
