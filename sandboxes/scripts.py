"""What runs inside a sandbox for its files: bash that reads, writes, lists, packs and unpacks them.

Each function returns bash source. The scripts need bash 4.4, GNU coreutils, findutils and tar, and no free space.
"""

from __future__ import annotations

from collections.abc import Sequence
from shlex import quote

from turnwise.sandboxes.base import FILE_LIMIT

PROGRAMS = ("cat", "chmod", "find", "head", "mkdir", "mv", "realpath", "rm", "tar")
"""What an image must hold beside bash."""

# Exit codes of reading and writing. They begin where neither bash nor coreutils have their own.
MISSING, FOLDER, FORBIDDEN, SPECIAL, NO_FOLDER, FULL = range(71, 77)

_READ = f"""
[[ -e $path && $path != */ || -d $path ]] || {{
  up=${{path%/*}}
  until [[ -z $up || -e $up ]]; do up=${{up%/*}}; done
  [[ -z $up || -d $up ]] || exit {NO_FOLDER}
  [[ -x ${{up:-/}} ]] || exit {FORBIDDEN}
  exit {MISSING}
}}
[[ ! -d $path ]] || exit {FOLDER}
[[ -f $path ]] || exit {SPECIAL}
[[ -r $path ]] || exit {FORBIDDEN}
exec head -c {FILE_LIMIT + 1} <"$path"
"""
# A new file takes the old one's place whole, so that a full disk loses nothing; where its folder is closed but the file
# itself is open, it is written in place. `put` writes the data to standard output.
_WRITE = f"""
[[ ! -d $path && $path != */ ]] || exit {FOLDER}
[[ ! -e $path || -f $path ]] || exit {SPECIAL}
if [[ -L $path ]]; then path=$(realpath -m -- "$path" && printf x) && path=${{path%$'\n'x}}; fi
folder=${{path%/*}}; folder=${{folder:-/}}
[[ -d $folder ]] || mkdir -p -- "$folder" || {{
  until [[ -z $folder || -e $folder ]]; do folder=${{folder%/*}}; done
  [[ -z $folder || -d $folder ]] || exit {NO_FOLDER}
  [[ -w ${{folder:-/}} && -x ${{folder:-/}} ]] || exit {FORBIDDEN}
  exit {FULL}
}}
[[ -x $folder ]] && [[ ! -e $path || -w $path ]] || exit {FORBIDDEN}
if [[ ! -e $path ]]; then
  [[ -w $folder ]] || exit {FORBIDDEN}
  put >"$path" && exit
  rm -f -- "$path"
elif [[ -w $folder ]]; then
  part=$folder/.turnwise-part
  [[ ! -e $part && ! -L $part ]] || rm -rf -- "$part"
  put >"$part" && chmod --reference="$path" -- "$part" && mv -fT -- "$part" "$path" && exit
  rm -f -- "$part"
else
  put >"$path" && exit
fi
exit {FULL}
"""


def read(path: str) -> str:
    """Print a file, or exit with a code that says why not."""
    return f"path={quote(path)}\n{_READ}"


def write(path: str, data: bytes | None = None) -> str:
    """Write a file: the data given here, else standard input."""
    put = "cat" if data is None else f"printf -- {quote(_printf_format(data))}"
    return f"path={quote(path)}\nput() {{ {put}; }}\n{{{_WRITE}}} 2>/dev/null"


def pack(roots: Sequence[str], apart: Sequence[str] = (), *, opened: bool) -> str:
    """Print an archive of folders, in the form that `unpack` takes.

    First come the modes of what its owner cannot read, each `mode name` and a NUL, then one more NUL; a tar follows.

    Args:
        roots: Absolute paths of the folders.
        apart: Absolute paths in them that are left out.
        opened: Open first what its owner cannot read, and close it again; without it, such a thing is a failure.
    """
    modes = "((${#closed[@]} == 0)) || printf '%s\\0' \"${closed[@]}\"\nprintf '\\0'"
    leave_out = " ".join(f"--exclude={quote('.' + path)}" for path in apart)
    tar = f"tar {_TAR_CREATE} --anchored --no-wildcards {leave_out} -- {_words(roots)}"
    return _with_opened(roots, apart, f"{modes}\n{tar}", opened)


def pack_some(names: Sequence[bytes], roots: Sequence[str], apart: Sequence[str] = (), *, opened: bool) -> str:
    """Print a tar of certain files, named as `listing` names them."""
    given = quote(_printf_format(b"".join(name + b"\0" for name in names)))
    tar = f"printf -- {given} | tar {_TAR_CREATE} --no-recursion --null --files-from=-"
    return _with_opened(roots, apart, tar, opened)


LISTING_FIELDS = 8


def listing(roots: Sequence[str], apart: Sequence[str] = (), *, opened: bool) -> str:
    """Print the time and, for each file and folder, `LISTING_FIELDS` fields; each is ended by a NUL.

    The fields are name, type, mode, device and inode, bytes, time of change, time of the last
    change of status, link target.
    """
    fields = r"%p\0%y\0%m\0%D:%i\0%s\0%T@\0%C@\0%l\0"
    now = 'printf "%s\\0" "${EPOCHREALTIME:-$(date +%s)}"'
    find = f"find {_words(roots)} -xdev {_pruned(apart)} -printf '{fields}'"
    return _with_opened(roots, apart, f"{now}\n{find}", opened)


def wipe(roots: Sequence[str], apart: Sequence[str] = ()) -> str:
    """Delete all that is in the folders; fails where something stays."""
    but = " ".join(f"! -path {quote('.' + _escape_glob(path))}" for path in apart)
    return (
        "cd / || exit\n"
        f"find {_words(roots)} -xdev -type d ! -perm -0700 -exec chmod u+rwx -- {{}} \\;\n"
        f"find {_words(roots)} -xdev -mindepth 1 {but} -delete || exit\n"
    )


def unpack() -> str:
    """Unpack what `pack` printed, from standard input, into empty folders."""
    return (
        "cd / && closed=() || exit\n"
        "while IFS= read -r -d '' entry && [[ -n $entry ]]; do closed+=(\"$entry\"); done\n"
        f"tar --extract --file=- --preserve-permissions --delay-directory-restore || exit\n{_CLOSE}"
    )


def first_files(size: int) -> str:
    """What process 1 runs before the driver: check the image, unpack `size` bytes of its input, say so, and go on."""
    lacks = "the image lacks $p; a sandbox needs bash, GNU coreutils, findutils and tar"
    check = f'for p in {" ".join(PROGRAMS)}; do type -P $p >/dev/null || {{ echo "{lacks}"; exit 1; }}; done'
    taken = f"head -c {size} | {{ {unpack()}\n}}" if size else ":"
    # On one line, so that the driver's lines, and with them the commands', are counted from 1.
    first = f"{check}\n{taken}".replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
    return f"( eval $'{first}' ) >&2 || exit 1; printf ready; IFS= read -r -d '' _tw_driver && eval \"$_tw_driver\""


# `closed` holds `mode name` of each file and folder that the owner cannot read, folders before their contents.
_CLOSE = (
    'for ((at = ${#closed[@]} - 1; at >= 0; at--)); do chmod -- "${closed[at]%% *}" "${closed[at]#* }" || exit; done\n'
)
_TAR_CREATE = (
    "--create --file=- --sparse --sort=name --format=posix --numeric-owner --one-file-system "
    "--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime"
)


def _with_opened(roots: Sequence[str], apart: Sequence[str], script: str, opened: bool) -> str:
    if not opened:
        return f"cd / && closed=() || exit\n{script}"
    unreadable = r"\( -type d ! -perm -0500 -o -type f ! -perm -0400 \) -printf '%m %p\0' -exec chmod u+rX -- {} \;"
    find = f"find {_words(roots)} -xdev {_pruned(apart)} {unreadable}"
    return f"cd / && mapfile -d '' -t closed < <({find}) && wait $! || exit\n{script}\nstatus=$?\n{_CLOSE}exit $status"


def _words(paths: Sequence[str]) -> str:
    return " ".join(quote("." + path) for path in paths)


def _pruned(apart: Sequence[str]) -> str:
    return " ".join(f"-path {quote('.' + _escape_glob(path))} -prune -o" for path in apart)


def _escape_glob(text: str) -> str:
    return "".join("\\" + character if character in "\\*?[" else character for character in text)


def _printf_format(data: bytes) -> str:
    r"""A format of bash's `printf` that prints these bytes; ASCII, so that no locale matters.

    >>> print(_printf_format(b"50%\x00\xff"))
    50%%\000\377
    """
    return "".join(_PRINTF[byte] for byte in data)


_PRINTF = [chr(byte) if 32 <= byte < 127 or byte in b"\t\n" else f"\\{byte:03o}" for byte in range(256)]
_PRINTF[ord("%")] = "%%"
_PRINTF[ord("\\")] = "\\\\"
