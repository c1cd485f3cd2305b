"""Run every benchmark in turn and print its table."""

import argparse
from functools import partial

from benchmarks import (
    bench_decode,
    bench_delivery,
    bench_modbus_to_mqtt,
    bench_simulation,
    bench_station,
    bench_uncertainty,
    bench_verify,
)


def main() -> None:
    """Run what is named, or everything."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", help="all by default")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each (default 5)")
    parser.add_argument("--seconds", type=float, default=10, help="how long station is loaded")
    parser.add_argument("--minutes", type=float, help="the same in minutes: 10 for a long run")
    parser.add_argument("--profile", default="", help="where station's profile is written")
    arguments = parser.parse_args()
    seconds = arguments.seconds if arguments.minutes is None else 60 * arguments.minutes
    station = partial(bench_station.main, seconds=seconds, profile=arguments.profile)
    known = {
        "decode": bench_decode.main,
        "delivery": bench_delivery.main,
        "verify": bench_verify.main,
        "uncertainty": bench_uncertainty.main,
        "modbus-to-mqtt": bench_modbus_to_mqtt.main,
        "simulation": bench_simulation.main,
        "station": station,
    }
    for name in arguments.names:
        if name not in known:
            parser.error(f"{name} is none of {', '.join(known)}")
    for name in arguments.names or known:
        print(f"\n== {name}")
        known[name](arguments.rounds)


main()
