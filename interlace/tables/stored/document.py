"""A fit as a document in JSON: what it is, its estimates as plain numbers, and the record."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import ArgumentError, ArgumentTypeError, DataError, InterlaceError, brief
from ..export import as_dict, versions
from .reading import Reader
from .writing import Writer

if TYPE_CHECKING:
    from ...models.kinds import AnyFit

#: Of documents; one that is read says which it has.
SCHEMA = 1
FORMAT = "interlace model"


def to_json(fit: AnyFit, kind: str, path: Any = None) -> str | None:
    """The document of a fit as a text, or written to a file."""
    if path is not None and not isinstance(path, (str, Path)):
        raise ArgumentTypeError(f"path must be the path of a file, got {brief(path)}")
    document = {
        "format": FORMAT,
        "schema": SCHEMA,
        "kind": kind,
        "versions": versions(),
        "estimates": as_dict(fit),
        "fit": Writer().write(fit),
    }
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    if path is None:
        return text
    try:
        Path(path).write_text(text, encoding="utf-8")
    except (OSError, ValueError) as error:
        raise ArgumentError(f"path={brief(str(path))} cannot be written: {_said(error)}") from None
    return None


def from_json(source: Any) -> tuple[str, Any]:
    """Kind of result and fit of a document: a text, or the path of a file."""
    document = _document(source)
    schema = document.get("schema")
    if not isinstance(schema, int) or schema < 1:
        raise DataError("the document does not say which schema it has: it is not read")
    if schema > SCHEMA:
        version = document.get("versions", {}).get("interlace", "a later version")
        raise DataError(
            f"the document was written by interlace {version}, with schema {schema}; this version "
            f"reads schemas up to {SCHEMA}: install that version to read it"
        )
    reader = Reader()
    try:
        fit = reader.read(document["fit"])
    except InterlaceError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise DataError(f"the document is damaged, or was changed: {error!r}") from None
    reader.check_expressions()
    return document.get("kind", ""), fit


def _said(error: OSError | ValueError) -> str:
    """What the system says of a file, without its path, which the message has."""
    return getattr(error, "strerror", None) or str(error)


def _document(source: Any) -> dict[str, Any]:
    """The document itself, from a text or the file of a path."""
    if isinstance(source, Path) or (isinstance(source, str) and not source.lstrip()[:1] == "{"):
        try:
            source = Path(source).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            raise DataError(
                f"{brief(str(source))} cannot be read: it is no text, and documents are. "
                "pickle.load reads pickles"
            ) from None
        except (OSError, ValueError) as error:
            raise DataError(f"{brief(str(source))} cannot be read: {_said(error)}") from None
    if not isinstance(source, str):
        raise ArgumentTypeError(
            f"from_json takes the text of a document or the path of its file, got {brief(source)}"
        )
    try:
        document = json.loads(source)
    except ValueError as error:
        raise DataError(f"the text is not JSON: {error}") from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ArgumentError("that is no model that to_json() wrote")
    return document
