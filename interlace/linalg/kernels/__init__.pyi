from typing import Any

# The compiled modules have no types of their own.
def __getattr__(name: str) -> Any: ...
