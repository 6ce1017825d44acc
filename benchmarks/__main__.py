"""`make bench`: every measurement, or those named; each prints ratios to a limit taken in the same run.

Run by hand on a quiet machine; nothing here is asserted, because a time on somebody else's machine proves nothing.
"""

import importlib
import sys
import time
from pathlib import Path


def main(names: list[str]) -> None:
    known = sorted(path.stem for path in Path(__file__).parent.glob("[a-z]*.py") if path.stem != "deployments")
    for name in names or known:
        if name not in known:
            sys.exit(f"no benchmark {name}; there are: {', '.join(known)}")
        print(f"\n== {name}", flush=True)
        started = time.monotonic()
        importlib.import_module(f"benchmarks.{name}").run()
        print(f"   ({time.monotonic() - started:.0f} s)")


main(sys.argv[1:])
