"""Run every benchmark in turn and print its table."""

import argparse

from benchmarks import bench_decode, bench_modbus_to_mqtt, bench_uncertainty, bench_verify


def main() -> None:
    """Run what is named, or everything."""
    known = {
        "decode": bench_decode.main,
        "verify": bench_verify.main,
        "uncertainty": bench_uncertainty.main,
        "modbus-to-mqtt": bench_modbus_to_mqtt.main,
    }
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[[], *known], help="all by default")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each (default 5)")
    arguments = parser.parse_args()
    for name in arguments.names or known:
        print(f"\n== {name}")
        known[name](arguments.rounds)


main()
