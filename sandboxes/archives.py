"""Archives of a sandbox's writable files, and what is the same about two of them."""

from __future__ import annotations


def tree_digest(archive: bytes) -> str:
    """16 hex digits of an archive's paths, types, modes of execution, link targets and contents."""
    import hashlib
    import io
    import tarfile

    digest = hashlib.blake2b(digest_size=8)
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for member in sorted(tar.getmembers(), key=lambda m: m.name):
            kind = f"{member.name}\0{member.type!r}\0{member.mode & 0o100}\0{member.linkname}\0{member.size}\0"
            digest.update(kind.encode("utf-8", "surrogateescape"))
            if member.isreg():
                extracted = tar.extractfile(member)
                digest.update(extracted.read() if extracted else b"")
    return digest.hexdigest()
