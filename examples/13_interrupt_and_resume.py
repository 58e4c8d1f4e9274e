"""A run is killed on its way, and the same command goes on where it was: nothing that was done is lost.

The run is example 08, in a process of its own. About five minutes on two cores.

Expected output, beside progress:

    resumed: 6 finished, 2 interrupted, 5 waiting; interrupted: process 4711 on node7 has died; go on with ...
    the same command again:
    EnthalpyOfVaporization of O at 298.15 K, 1 atm: 42.62 +/- 0.06 kJ/mol
    Density of O at 298.15 K, 1 atm: 0.986 +/- 0.002 g/mL
    measured: 44.0 kJ/mol, 0.997 g/mL
    6 of 6 finished protocols were kept as they were
    resumed: 13 finished; nobody drives it
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

from protocols.status import run_status

EXAMPLE = Path(__file__).with_name("08_enthalpy_of_vaporization.py")
LOOK_S = 0.05
WORKERS_END_S = 3


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--directory", default="resumed", help="where the run is kept (default: %(default)s)")
    parser.add_argument("--fast", action="store_true", help="half a minute, to see that it runs")
    arguments = parser.parse_args()
    directory = Path(arguments.directory)
    command = [sys.executable, str(EXAMPLE), "--directory", str(directory)]
    command += ["--fast"] if arguments.fast else []

    run = subprocess.Popen(command)
    while run.poll() is None and not list(directory.glob("OpenMMSimulation-*/progress.json")):
        time.sleep(LOOK_S)
    run.kill()  # as a power cut would; Ctrl-C does as well
    run.wait()
    time.sleep(WORKERS_END_S)
    print(run_status(directory), flush=True)

    written = {path: path.stat().st_mtime_ns for path in directory.glob("*/result.json")}
    print("the same command again:", flush=True)
    again = subprocess.run(command, check=False)
    kept = sum(path.stat().st_mtime_ns == when for path, when in written.items())
    print(f"{kept} of {len(written)} finished protocols were kept as they were")
    print(run_status(directory))
    return 0 if again.returncode == 0 and kept == len(written) else 1


if __name__ == "__main__":
    sys.exit(main())
