"""Why this exists: `scripts/crash-test` boots the labs, this runs the rounds on them and tells what came of each. The rounds
themselves are in molecule/shared/harness/crash.py, where the short run of them in `make test` finds them too."""

import os
import sys
import threading
import time
from pathlib import Path

count, seed, chosen, *inventories = int(sys.argv[1]), sys.argv[2], sys.argv[3], *sys.argv[4:]
# What the harness reads when it is imported.
os.environ["LAB_INVENTORY"] = inventories[0]
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "molecule" / "shared"))

from harness.crash import VICTIMS, Crash, rounds, summary, unheard
from harness.lab import labs


def main():
    victims = chosen.split() or VICTIMS
    if unknown := [victim for victim in victims if victim not in VICTIMS]:
        sys.exit(f"value of VICTIMS must be one or more of: {', '.join(VICTIMS)}, got: {' '.join(unknown)}")
    began, waiting, done, lock = time.monotonic(), rounds(count, seed, victims), [], threading.Lock()
    faults = []

    def work(inventory):
        crash = Crash(labs(Path(inventory))[0], inventory)
        try:
            while True:
                with lock:
                    round = next(waiting, None)
                if round is None:
                    break
                crash.run(round)
                with lock:
                    done.append(round)
                    print(round, flush=True)
            crash.demand_next()
        except Exception as error:
            faults.append(f"{inventory}: {error}")
        finally:
            crash.close()

    workers = [threading.Thread(target=work, args=[inventory]) for inventory in inventories]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if unheard(done):
        faults.append("the log of no host named the undo, so what is demanded of it was demanded of nobody")
    restored = sum(not round.fault for round in done)
    print(f"\nseed {seed}, {len(inventories)} labs, {time.monotonic() - began:.0f} s\n{summary(done)}")
    print("".join(f"{fault}\n" for fault in faults), end="")
    print(f"restored {restored}/{count}")
    sys.exit(restored != count or bool(faults))


main()
