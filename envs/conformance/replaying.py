"""What `other_processes_agree` runs in another process: play recorded episodes again, perhaps on another date."""

from __future__ import annotations

import datetime
import pickle
import sys
import time
from pathlib import Path
from typing import Any


def shift_calendar(days: int) -> None:
    """Let `time` and `datetime` tell another date. Before the environment's modules are imported."""
    shift, zero = days * 86_400, datetime.timedelta(days=days)
    clock, clock_ns, local, utc = time.time, time.time_ns, time.localtime, time.gmtime
    real, real_date = datetime.datetime, datetime.date

    class AnyDate(type):
        def __instancecheck__(cls, value: Any) -> bool:
            return isinstance(value, cls.__base__ or object)

    class Shifted(real, metaclass=AnyDate):  # type: ignore[valid-type,misc]
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return real.now(tz) + zero

        @classmethod
        def utcnow(cls) -> Any:
            return real.now(datetime.timezone.utc).replace(tzinfo=None) + zero

        @classmethod
        def today(cls) -> Any:
            return real.now() + zero

    class ShiftedDate(real_date, metaclass=AnyDate):  # type: ignore[valid-type,misc]
        @classmethod
        def today(cls) -> Any:
            return real_date.today() + zero

    time.time = lambda: clock() + shift
    time.time_ns = lambda: clock_ns() + shift * 10**9
    time.localtime = lambda seconds=None: local(time.time() if seconds is None else seconds)
    time.gmtime = lambda seconds=None: utc(time.time() if seconds is None else seconds)
    datetime.datetime, datetime.date = Shifted, ShiftedDate  # type: ignore[misc]


def main(order: str, output: str, days: str) -> None:
    """Play the episodes of the file `order` and write their traces to the file `output`."""
    if int(days):
        shift_calendar(int(days))
    # Unpickling imports the environment.
    from turnwise.envs.conformance.playing import replay
    from turnwise.envs.conformance.registry import bare

    make, recordings = pickle.loads(Path(order).read_bytes())
    env = make()
    traces = [replay(bare(env), recording) for recording in recordings]
    env.close()
    Path(output).write_bytes(pickle.dumps(traces))


if __name__ == "__main__":
    main(*sys.argv[1:])
