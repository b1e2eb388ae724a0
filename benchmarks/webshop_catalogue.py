"""What a WebShop catalogue costs by size: building, disk, opening, searching, memory.

    python benchmarks/webshop_catalogue.py --sizes 1000 10000 100000

Each size is built into a fresh folder, and opened and searched in a fresh process. The operating system has just
written the files, so that they are read from its page cache. Queries are those that an agent makes of instructions
(`keyword_queries`), and whole instructions; the result cache of the catalogue is out of the way (no query comes twice).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

MEASURE = "--measure"


def main() -> None:
    """Print one row for each size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000, 100_000], help="products")
    parser.add_argument("--folder", type=Path, help="where to build; default a temporary folder, removed afterwards")
    sizes = parser.parse_args()
    print(
        "| products | build s | µs/product | disk MB | index MB | open ms | search p50 ms | p95 ms | p99 ms | RSS MB |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    for products in sizes.sizes:
        with tempfile.TemporaryDirectory(dir=sizes.folder) as folder:
            print(row(products, Path(folder)), flush=True)


def row(products: int, folder: Path) -> str:
    """Build and measure one size."""
    from turnwise.envs.webshop.build import INDEX, ensure_built
    from turnwise.envs.webshop.spec import CatalogueSpec

    start = time.perf_counter()
    built = ensure_built(CatalogueSpec.generated(products), folder)
    seconds = time.perf_counter() - start
    command = [sys.executable, __file__, MEASURE, str(products), str(folder)]
    m = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return (
        f"| {products:,} | {seconds:.1f} | {seconds / products * 1e6:.0f} | {_megabytes(built):.1f} "
        f"| {_megabytes(built / INDEX):.1f} | {m['open_ms']:.1f} | {m['p50']:.2f} | {m['p95']:.2f} | {m['p99']:.2f} "
        f"| {m['rss_imported']:.0f} → {m['rss']:.0f} |"
    )


def measure(products: int, folder: Path) -> dict[str, Any]:
    """Open and search, in this process."""
    import numpy as np

    from turnwise.envs.webshop.queries import keyword_queries
    from turnwise.envs.webshop.store import CatalogueSpec, open_catalogue

    rss_imported = _resident_megabytes()
    start = time.perf_counter()
    shop = open_catalogue(CatalogueSpec.generated(products), folder)
    open_ms = (time.perf_counter() - start) * 1e3
    instructions = [shop.goal(int(i)).instruction for i in np.linspace(0, len(shop.goals) - 1, 500)]
    queries = dict.fromkeys(q for text in instructions for q in (*keyword_queries(text), text))
    times = []
    for query in queries:
        start = time.perf_counter()
        shop.search(query)
        times.append((time.perf_counter() - start) * 1e3)
    p50, p95, p99 = np.percentile(times, [50, 95, 99])
    return {
        "open_ms": open_ms,
        **{"p50": p50, "p95": p95, "p99": p99},
        **{"rss_imported": rss_imported, "rss": _resident_megabytes()},
    }


def _megabytes(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def _resident_megabytes() -> float:
    """Memory of this process that is not the file system's (anonymous pages), where Linux tells; else 0."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return sum(int(line.split()[1]) for line in lines if line.startswith("RssAnon:")) / 1e3


if __name__ == "__main__":
    if MEASURE in sys.argv:
        print(json.dumps(measure(int(sys.argv[2]), Path(sys.argv[3]))))
    else:
        main()
