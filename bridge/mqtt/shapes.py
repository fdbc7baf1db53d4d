"""The types of values that payloads are made of.

Payloads are `TypedDict` classes beside the code that builds them: a builder makes a plain dict, the
type checker holds it to its class, and the published schemas are made from the same class. An
object has the members that its class names and no others, except where the class allows extra ones.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, TypeAlias

from pydantic import Field, WithJsonSchema

__all__ = ["Count", "Microseconds", "Number"]

Count: TypeAlias = Annotated[int, Field(ge=0)]
Microseconds: TypeAlias = Annotated[int, Field(description="µs since the epoch")]
Number: TypeAlias = Annotated[Decimal, WithJsonSchema({"type": "number"})]
"""Written as a number of JSON with every decimal, which pydantic would call a text."""
