"""tap.py -- results of a checker as TAP, which meson reads."""
import sys

_count = 0
_failed = 0


def check(name, faults):
    """One result: good if the list of faults is empty (or if this is a --report)."""
    global _count, _failed
    _count += 1
    if "--report" in sys.argv and faults:
        print("\n".join(f"# {fault}" for fault in faults))
        faults = []
    _failed += bool(faults)
    print(f"{'not ok' if faults else 'ok'} {_count} - {name}")
    for fault in faults[:40]:
        print(f"# {fault}")


def canary(name, faults, says):
    """The checker, given a known defect, has to find it."""
    found = [f for f in faults if says in f]
    check(f"canary: {name}", [] if found else [f"not found: {says}; got {faults[:5]}"])


def skip(name, why):
    global _count
    _count += 1
    print(f"ok {_count} - {name} # SKIP {why}")


def done():
    print(f"1..{_count}")
    sys.exit(1 if _failed else 0)
