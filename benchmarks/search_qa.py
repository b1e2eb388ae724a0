"""SearchQA without a model: turns per second, one search, building, memory, and how each grows with the world.

    python benchmarks/search_qa.py                          # 1,000, 10,000 and 100,000 articles
    python benchmarks/search_qa.py --sizes 10000 1000000

Every figure comes from a fresh process. Each world is built and indexed into a fresh folder; the operating system has
just written the files, so that they are read from its page cache. Turns are random admissible actions. Queries are the
questions, their sub-questions and the names in them; no query comes twice, so that no result comes from a cache.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

MEASURE = "--measure"


def main() -> None:
    """Print one row for each size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000, 100_000], help="articles")
    parser.add_argument("--seconds", type=float, default=2.0, help="length of each of 5 timings")
    parser.add_argument("--folder", type=Path, help="where to build; default a temporary folder, removed afterwards")
    arguments = parser.parse_args()
    print("| articles | world s | index s | disk MB | turns/s, median of 5 (min to max) | search p50 ms | p95 | p99 |")
    print("|---|---|---|---|---|---|---|---|")
    memory = []
    for articles in arguments.sizes:
        with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
            built = run("build", articles, folder)
            turns = run("turns", articles, folder, arguments.seconds)
            found = run("search", articles, folder)
            rate = f"{statistics.median(turns):,.0f} ({min(turns):,.0f} to {max(turns):,.0f})"
            size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file()) / 1e6
            print(
                f"| {articles:,} | {built['world']:.1f} | {built['index']:.1f} | {size:.0f} | {rate} "
                f"| {found['p50']:.2f} | {found['p95']:.2f} | {found['p99']:.2f} |",
                flush=True,
            )
            memory.append((articles, run("memory", articles, folder)))
    print("\n| articles | first environment, MB | each further one, MB | opening, s |")
    print("|---|---|---|---|")
    for articles, m in memory:
        print(f"| {articles:,} | {m['first']:.0f} | {m['further']:.3f} | {m['open']:.3f} |")
    print(f"\nmemory of Python with gymnasium and turnwise imported {memory[-1][1]['imported']:.0f} MB")


def run(what: str, *arguments: object) -> Any:
    """The figures of one measurement in a fresh process."""
    command = [sys.executable, __file__, MEASURE, what, *map(str, arguments)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def build(articles: int, folder: str) -> dict[str, float]:
    """Seconds to write the world, and to index it."""
    from turnwise.envs.search_qa.retrieval import open_bm25
    from turnwise.envs.search_qa.spec import WorldSpec
    from turnwise.envs.search_qa.store import open_world

    spec, cache = WorldSpec(articles), Path(folder)
    start = time.perf_counter()
    world = open_world(spec, cache)
    written = time.perf_counter()
    open_bm25(world, f"{spec.name}-{spec.key()}", cache)
    return {"world": written - start, "index": time.perf_counter() - written}


def turns(articles: int, folder: str, seconds: float) -> list[float]:
    """Turns per second of random admissible actions, five times."""
    import numpy as np

    env, rng, rates = environment(articles, folder), np.random.default_rng(0), []
    for repeat in range(5):
        count, begin = 0, time.perf_counter()
        _, info = env.reset(seed=repeat)
        while time.perf_counter() - begin < seconds:
            actions = info["admissible_actions"]
            _, _, terminated, truncated, info = env.step(actions[int(rng.integers(len(actions)))])
            count += 1
            if terminated or truncated:
                _, info = env.reset()
        rates.append(count / (time.perf_counter() - begin))
    return rates


def search(articles: int, folder: str) -> dict[str, float]:
    """Milliseconds of one search: query in, rendered results out."""
    import numpy as np

    from turnwise.envs.search_qa.pages import names_in

    collection = environment(articles, folder).unwrapped.collection
    world = collection.corpus
    queries: dict[str, None] = {}
    for index in np.linspace(0, world.tasks - 1, 600).astype(int):
        question = world.question(int(index))
        queries |= dict.fromkeys([question.question[:500], *(step.question for step in question.chain)])
        queries |= dict.fromkeys(names_in(question.question))
    times = []
    for query in queries:
        start = time.perf_counter()
        collection.results(query)
        times.append((time.perf_counter() - start) * 1e3)
    p50, p95, p99 = np.percentile(times, [50, 95, 99])
    return {"p50": p50, "p95": p95, "p99": p99}


def memory(articles: int, folder: str, further: int = 100) -> dict[str, float]:
    """Megabytes of the process with one environment that has played, and what each further one adds."""
    import gymnasium

    import turnwise

    assert gymnasium and turnwise
    imported = resident_megabytes()
    start = time.perf_counter()
    first = environment(articles, folder)
    opened = time.perf_counter() - start
    for seed in range(50):
        play(first, seed)
    one = resident_megabytes()
    envs = [environment(articles, folder) for _ in range(further)]
    for seed, env in enumerate(envs):
        play(env, seed % 50)
    return {
        "imported": imported, "first": one, "open": opened, "further": (resident_megabytes() - one) / further
    }  # fmt: skip


def environment(articles: int, folder: str) -> Any:
    """An environment over a world that is built."""
    import gymnasium as gym

    import turnwise  # noqa: F401 - registers the ids

    return gym.make("turnwise/SearchQA-v0", articles=articles, cache_dir=folder)


def play(env: Any, seed: int) -> None:
    """One episode."""
    _, info = env.reset(seed=seed)
    ended = False
    while not ended:
        actions = info["admissible_actions"]
        _, _, terminated, truncated, info = env.step(actions[seed % len(actions)])
        ended, seed = terminated or truncated, seed + 1


def resident_megabytes() -> float:
    """Memory of this process, where Linux tells; else 0."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return sum(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1e3


MEASUREMENTS: dict[str, Callable[..., Any]] = {"build": build, "turns": turns, "search": search, "memory": memory}

if __name__ == "__main__":
    if MEASURE in sys.argv:
        name, size, place, *rest = sys.argv[2:]
        print(json.dumps(MEASUREMENTS[name](int(size), place, *map(float, rest))))
    else:
        main()
