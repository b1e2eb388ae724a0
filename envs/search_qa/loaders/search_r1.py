r"""Documents as the Search-R1 line has them: `{"id": "7", "contents": "\"Lamps\"\nA lamp."}`.

Source: github.com/PeterGriffinJin/Search-R1, README (Corpora) and search_r1/search/retrieval_server.py.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from turnwise.envs.data_files import kind_of
from turnwise.envs.search_qa.records import Document


def paragraph_id(title: str, text: str) -> str:
    """16 hex digits for a paragraph that has no id of its own; the same wherever it comes from.

    >>> paragraph_id("Lamps", "A lamp.") == paragraph_id("Lamps", "A lamp."), len(paragraph_id("", ""))
    (True, 16)
    """
    return hashlib.blake2b(f"{title}\n{text}".encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def document_to_json(document: Document) -> dict[str, str]:
    r"""A document as Search-R1's corpora hold it, with title and text beside `contents`.

    >>> document_to_json(Document("7", "Lamps", "A lamp."))["contents"]
    '"Lamps"\nA lamp.'
    """
    contents = f'"{document.title}"\n{document.text}' if document.title else document.text
    return {"id": document.doc_id, "title": document.title, "text": document.text, "contents": contents}


def document_from_json(record: Mapping[str, Any]) -> Document:
    r"""A document out of a record of Search-R1's form, `{"id", "contents"}`; title and text beside them count first.

    Raises:
        ValueError: A field is missing or no text; the message names it.

    >>> document_from_json({"id": 7, "contents": '"Lamps"\nA lamp.'})
    Document(doc_id='7', title='Lamps', text='A lamp.')
    """
    doc_id = record.get("id")
    if isinstance(doc_id, bool) or not isinstance(doc_id, (str, int)):
        raise ValueError(f"field 'id': expected text or a whole number, found {kind_of(doc_id)}")
    title, text, contents = (record.get(name) for name in ("title", "text", "contents"))
    if isinstance(title, str) and isinstance(text, str):
        return Document(str(doc_id), title, text)
    if not isinstance(contents, str):
        raise ValueError(f"field 'contents': expected text, found {kind_of(contents)}")
    return Document(str(doc_id), *split_contents(contents))


def split_contents(contents: str) -> tuple[str, str]:
    r"""Title and text: the first line is the title if there are more, with or without quotation marks around it.

    >>> split_contents('"Lamps"\nA lamp.'), split_contents("One line.")
    (('Lamps', 'A lamp.'), ('', 'One line.'))
    """
    first, newline, rest = contents.partition("\n")
    if not newline:
        return "", contents
    quoted = len(first) >= 2 and first[0] == first[-1] == '"'
    return (first[1:-1] if quoted else first), rest
