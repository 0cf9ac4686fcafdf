"""Providers that are a row and no code: an address that speaks a dialect."""

from .maker import Row, broken_row, row_of, shipped_row, where

__all__ = ["Row", "broken_row", "row_of", "shipped_row", "where"]
