"""Which extensions a configuration asks for."""

from __future__ import annotations

from bridge.extensions.context import ExtensionContext
from bridge.extensions.hook import Extension, Extensions

__all__ = ["configured_extensions"]


def configured_extensions(context: ExtensionContext) -> Extensions:
    """Return those that the configuration asks for; each can be taken away, with its lines here."""
    kinds: list[type[Extension]] = []
    # Whoever does not want one need not wait for its import.
    if context.config.candles:
        from bridge.extensions.candles.extension import Candles

        kinds.append(Candles)
    return Extensions(kinds, context)
