"""WebShop: turns per second, import time and memory, and how each grows.

    python benchmarks/webshop.py                 # 1,000 and 10,000 products
    python benchmarks/webshop.py --sizes 1000,10000,100000,1000000

Every figure comes from a fresh process; rates are medians. `benchmarks/webshop_catalogue.py` has the search and index
figures.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import textwrap

TURNS = """
    import sys, time, json
    import numpy as np, gymnasium as gym, turnwise
    products, seconds = int(sys.argv[1]), float(sys.argv[2])
    env = gym.make("turnwise/WebShop-v0", products=products)
    rng = np.random.default_rng(0)
    rates = []
    for repeat in range(5):
        turns, resets, begin = 0, 0, time.perf_counter()
        observation, info = env.reset(seed=repeat)
        while time.perf_counter() - begin < seconds:
            actions = info["admissible_actions"]
            observation, reward, terminated, truncated, info = env.step(actions[int(rng.integers(len(actions)))])
            turns += 1
            if terminated or truncated:
                observation, info = env.reset()
                resets += 1
        rates.append(turns / (time.perf_counter() - begin))
    print(json.dumps(sorted(rates)))
"""

MEMORY = """
    import sys, json, os
    def rss():
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) / 1024
    bare = rss()
    import gymnasium as gym
    gymnasium = rss()
    import turnwise
    products, further = int(sys.argv[1]), int(sys.argv[2])
    def play(env, seed):
        observation, info = env.reset(seed=seed)
        ended = False
        while not ended:
            actions = info["admissible_actions"]
            observation, reward, terminated, truncated, info = env.step(actions[seed % len(actions)])
            ended = terminated or truncated
            seed += 1
    first = gym.make("turnwise/WebShop-v0", products=products)
    for seed in range(50):
        play(first, seed)
    one = rss()
    envs = [gym.make("turnwise/WebShop-v0", products=products) for _ in range(further)]
    for seed, env in enumerate(envs):
        play(env, seed % 50)
    print(json.dumps({"bare": bare, "gymnasium": gymnasium, "first": one, "further": (rss() - one) / further}))
"""

MANY = """
    import sys, json, time
    import numpy as np, gymnasium as gym, turnwise
    def rss():
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) / 1024
    products, count, seconds = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    rng = np.random.default_rng(0)
    envs = [gym.make("turnwise/WebShop-v0", products=products) for _ in range(count)]
    infos = [env.reset(seed=seed)[1] for seed, env in enumerate(envs)]
    turns, begin = 0, time.perf_counter()
    while time.perf_counter() - begin < seconds:
        for i, env in enumerate(envs):
            actions = infos[i]["admissible_actions"]
            _, _, terminated, truncated, infos[i] = env.step(actions[int(rng.integers(len(actions)))])
            if terminated or truncated:
                infos[i] = env.reset()[1]
        turns += count
    print(json.dumps({"rate": turns / (time.perf_counter() - begin), "memory": rss()}))
"""

IMPORT = "import time; t = time.perf_counter(); import {name}; print(time.perf_counter() - t)"


def run(program: str, *arguments: object) -> str:
    """The output of a program in a fresh process."""
    command = [sys.executable, "-c", textwrap.dedent(program), *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="1000,10000", help="catalogue sizes")
    parser.add_argument("--seconds", type=float, default=2.0, help="length of each of 5 timings")
    arguments = parser.parse_args()
    sizes = [int(size) for size in arguments.sizes.split(",")]

    for size in sizes:  # build and warm the file cache first, so that no timing holds a build
        run(TURNS, size, 0.01)

    print("| products | turns/s, median of 5 (min to max) | first environment, MB | each further one, MB |")
    print("|---|---|---|---|")
    for size in sizes:
        rates = json.loads(run(TURNS, size, arguments.seconds))
        memory = json.loads(run(MEMORY, size, 100))
        rate = f"{statistics.median(rates):,.0f} ({rates[0]:,.0f} to {rates[-1]:,.0f})"
        print(f"| {size:,} | {rate} | {memory['first']:.0f} | {memory['further']:.3f} |")
    print(f"\nmemory of Python alone {memory['bare']:.0f} MB, with gymnasium {memory['gymnasium']:.0f} MB")

    print("\n| environments in one process, 1,000 products | turns/s, all together | process, MB |")
    print("|---|---|---|")
    for count in (1, 10, 100, 1000):
        many = json.loads(run(MANY, 1000, count, 2 * arguments.seconds))
        print(f"| {count:,} | {many['rate']:,.0f} | {many['memory']:.0f} |")

    # Taken alternately, so that a slow moment of the machine hits both.
    pairs = [
        (float(run(IMPORT.format(name="gymnasium"))), float(run(IMPORT.format(name="turnwise")))) for _ in range(11)
    ]
    ours, theirs = statistics.median(b for _, b in pairs), statistics.median(a for a, _ in pairs)
    print(f"import turnwise {ours:.3f} s, import gymnasium {theirs:.3f} s, ratio {ours / theirs:.2f}")


if __name__ == "__main__":
    main()
