from typing import Any

# The compiled module has no types of its own.
def __getattr__(name: str) -> Any: ...
