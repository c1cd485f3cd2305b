"""The command line ``tera``: parses arguments and hands over; every command lives elsewhere.

Nothing heavy is imported before a command is known, so that ``tera --help`` answers at once.
"""

import argparse
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from acquisition.broker_arguments import add_broker_command
from acquisition.language import t
from acquisition.law_arguments import add_law_commands
from acquisition.records_arguments import add_records_commands
from acquisition.service_arguments import add_service_commands


class _Help(argparse.HelpFormatter):
    """Says argparse's own headings in the language in force."""

    def add_usage(self, usage: Any, actions: Any, groups: Any, prefix: str | None = None) -> None:
        super().add_usage(usage, actions, groups, t("usage: ") if prefix is None else prefix)

    def start_section(self, heading: str | None) -> None:
        super().start_section(t(heading) if heading else heading)


class _HelpWithExample(_Help, argparse.RawDescriptionHelpFormatter):
    """Leaves the lines of the example as they are."""


class _Parser(argparse.ArgumentParser):
    """A parser whose help and errors are in the language in force."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(add_help=False, **{"formatter_class": _Help} | settings)
        self.add_argument("-h", "--help", action="help", help=t("show this help"))

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"tera: {t(message)}\n{t('see')} {self.prog} --help\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="tera",
        description=t("Reads instruments, verifies them by the law, and delivers every verdict."),
        epilog=t(
            "Exit codes: 0 done, conforming; 1 done, not conforming; 2 bad input; 3 no answer; 130 interrupted."
        ),
    )
    parser.add_argument("--version", action="store_true", help=t("print the version"))
    commands = parser.add_subparsers(dest="command", metavar=t("command"))

    def command(name: str, module: str, summary: str, example: str) -> argparse.ArgumentParser:
        made = commands.add_parser(
            name,
            help=summary,
            description=summary,
            epilog=f"{t('Example')}:\n  {example}",
            formatter_class=_HelpWithExample,
        )
        made.set_defaults(module=module)
        made.add_argument("--json", action="store_true", help=t("one JSON value per line"))
        return made

    def configured(made: argparse.ArgumentParser) -> argparse.ArgumentParser:
        made.add_argument(
            "--config",
            type=Path,
            default=Path("config.toml"),
            metavar=t("FILE"),
            help=t("configuration of the station (default: config.toml here)"),
        )
        return made

    demo = configured(
        command(
            "demo", "demo", t("the main job on simulated instruments; ends by itself"), "tera demo"
        )
    )
    demo.add_argument(
        "--svg", type=Path, metavar=t("FILE"), help=t("save what is printed as a picture")
    )
    add_service_commands(command, configured)
    doctor = configured(
        command(
            "doctor",
            "doctor",
            t("check configuration, instruments, broker, store, clock and disk"),
            "tera doctor\n  tera doctor --commission rtu:///dev/ttyUSB0 --set map=tuf-2000 "
            "--value 'totalizer_1=12345.67 m³'\n  tera doctor --probe /dev/ttyUSB0\n"
            "  tera doctor --probe tcp://192.168.1.60:502",
        )
    )
    doctor.add_argument(
        "--probe",
        metavar="PORT",
        help=t("find out what is connected to this port, within 30 s, and print its configuration"),
    )
    doctor.add_argument(
        "--commission",
        metavar="URL",
        help=t("find word order and address base of the meter at this Modbus port"),
    )
    doctor.add_argument(
        "--value",
        metavar=t("QUANTITY=VALUE"),
        help=t("with --commission: what the meter's display shows at this moment"),
    )
    _settings_argument(doctor)
    read = command(
        "read",
        "read",
        t("indications from one instrument"),
        "tera read --driver mt-sics --port /dev/ttyUSB0 --set baudrate=9600 --count 5",
    )
    _instrument_arguments(read)
    read.add_argument(
        "--port",
        required=True,
        metavar="URL",
        help=t(
            "device path, socket://host:port, tcp://host:502, rtu:///dev/ttyUSB0, rtu+tcp://host:4001"
        ),
    )
    read.add_argument("--count", type=int, metavar="N", help=t("stop after N indications"))
    read.add_argument("--seconds", type=float, metavar="S", help=t("stop after S seconds"))
    decode = command(
        "decode",
        "read",
        t("indications from bytes on standard input"),
        "tera decode --driver mt-sics < capture.bin",
    )
    _instrument_arguments(decode)
    simulate = command(
        "simulate",
        "simulate",
        t("one simulated instrument on a pty or TCP, until stopped"),
        "tera simulate mt-sics --port pty:/tmp/scale --set load='5 kg'",
    )
    simulate.add_argument(
        "name", metavar=t("NAME"), help=t("driver name, or a register map for a Modbus meter")
    )
    simulate.add_argument(
        "--port", required=True, metavar="URL", help=t("pty:/path/to/link or tcp://127.0.0.1:PORT")
    )
    simulate.add_argument(
        "--script",
        type=Path,
        metavar=t("FILE"),
        help=t("what happens and when, one line each: 0:05 load 5 kg"),
    )
    _settings_argument(simulate)
    add_law_commands(command, configured)
    add_records_commands(command, configured)
    add_broker_command(command, configured)
    verify = configured(
        command(
            "verify",
            "verify",
            t("run a routine in the terminal, step by step"),
            "tera verify timbangan-1",
        )
    )
    verify.add_argument(
        "subject",
        metavar=t("ORDER_OR_INSTRUMENT"),
        help=t("an order, or the name of an instrument in the configuration"),
    )
    verify.add_argument(
        "--unattended",
        action="store_true",
        help=t("let simulated hands do the steps (simulated instruments only)"),
    )
    verify.add_argument(
        "--by",
        metavar=t("NAME"),
        help=t("who reads an instrument without an interface by eye, and types what it shows"),
    )
    replay = command(
        "replay",
        "replay",
        t("derive a verdict again from the bytes of its lines, and compare"),
        "tera replay data/bundles/meja-timbangan-000012.bundle.zip",
    )
    replay.add_argument(
        "bundle", type=Path, metavar=t("BUNDLE"), help=t("what the station wrote of a verification")
    )
    return parser


def _instrument_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--driver",
        required=True,
        metavar=t("NAME"),
        help=t("protocol of the instrument, or modbus"),
    )
    _settings_argument(parser)


def _settings_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--set",
        dest="settings",
        action="append",
        default=[],
        metavar=t("KEY=VALUE"),
        help=t("a setting, for example baudrate=9600"),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``tera`` and return its exit code."""
    parser = _parser()
    parsed = parser.parse_args(arguments)
    if parsed.version:
        from importlib.metadata import version

        print(f"tera (tante-sari) {version('tante-sari')}")
        return 0
    if parsed.command is None:
        parser.print_help()
        return 2
    try:
        command = importlib.import_module(f"acquisition.commands.{parsed.module}")
        code: int = command.main(parsed)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return 130
    except Exception as error:  # noqa: BLE001 - the last door: every error gets its exit code
        return _failed(error)
    return code


def _failed(error: Exception) -> int:
    from acquisition.faults import INTERRUPTED, PROGRAM_FAULT, BadInput, exit_code, sentence

    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, BrokenPipeError):  # whoever read the output has seen enough
        sys.stderr.close()
        return INTERRUPTED  # and not 0, which would say that an instrument conforms
    if isinstance(error, OSError) and error.filename is not None:  # a name that no file can have
        error = BadInput("cannot use {file}: {why}", file=error.filename, why=error)
    code = exit_code(error)
    if code == PROGRAM_FAULT:
        import traceback

        traceback.print_exception(error)
        print(t("tera itself failed; the lines above are for a bug report"), file=sys.stderr)
        return code
    print(f"tera: {sentence(error)}", file=sys.stderr)
    return code
