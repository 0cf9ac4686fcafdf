"""Write the beginning of a provider's package: small files that run, for their author to change."""

from .write import DIALECTS, KINDS, new_provider

__all__ = ["DIALECTS", "KINDS", "new_provider"]
