"""libmodbus's own server as an independent peer: python libmodbus_server.py tcp|rtu PLACE [BAUD].

Holding register N holds N + 1000 and input register N holds N + 2000, for unit 1. Prints one line,
``ready PORT``, when it answers.
"""

import ctypes
import socket
import sys

UNIT = 1
REGISTERS = 200


class Mapping(ctypes.Structure):
    """modbus_mapping_t of modbus.h, libmodbus 3.1."""

    _fields_ = (
        ("nb_bits", ctypes.c_int),
        ("start_bits", ctypes.c_int),
        ("nb_input_bits", ctypes.c_int),
        ("start_input_bits", ctypes.c_int),
        ("nb_input_registers", ctypes.c_int),
        ("start_input_registers", ctypes.c_int),
        ("nb_registers", ctypes.c_int),
        ("start_registers", ctypes.c_int),
        ("tab_bits", ctypes.POINTER(ctypes.c_uint8)),
        ("tab_input_bits", ctypes.POINTER(ctypes.c_uint8)),
        ("tab_input_registers", ctypes.POINTER(ctypes.c_uint16)),
        ("tab_registers", ctypes.POINTER(ctypes.c_uint16)),
    )


def load() -> ctypes.CDLL:
    """Load libmodbus; OSError when it is not installed."""
    library = ctypes.CDLL("libmodbus.so.5", use_errno=True)
    library.modbus_new_tcp.restype = ctypes.c_void_p
    library.modbus_new_tcp.argtypes = (ctypes.c_char_p, ctypes.c_int)
    library.modbus_new_rtu.restype = ctypes.c_void_p
    library.modbus_new_rtu.argtypes = (
        ctypes.c_char_p,
        ctypes.c_int,
        ctypes.c_char,
        ctypes.c_int,
        ctypes.c_int,
    )
    library.modbus_mapping_new.restype = ctypes.POINTER(Mapping)
    library.modbus_mapping_new.argtypes = (ctypes.c_int,) * 4
    for name, arguments in {
        "modbus_set_slave": (ctypes.c_void_p, ctypes.c_int),
        "modbus_set_socket": (ctypes.c_void_p, ctypes.c_int),
        "modbus_connect": (ctypes.c_void_p,),
        "modbus_receive": (ctypes.c_void_p, ctypes.c_char_p),
        "modbus_reply": (
            ctypes.c_void_p,
            ctypes.c_char_p,
            ctypes.c_int,
            ctypes.POINTER(Mapping),
        ),
    }.items():
        getattr(library, name).argtypes = arguments
    return library


def serve(library: ctypes.CDLL, context: int, mapping: "ctypes._Pointer[Mapping]") -> None:
    """Answer until the client goes away."""
    query = ctypes.create_string_buffer(260)
    while (length := library.modbus_receive(context, query)) >= 0:
        if length > 0:
            library.modbus_reply(context, query, length, mapping)


def main() -> None:
    """Serve on TCP or on a serial line until killed."""
    mode, place = sys.argv[1:3]
    library = load()
    mapping = library.modbus_mapping_new(0, 0, REGISTERS, REGISTERS)
    for index in range(REGISTERS):
        mapping.contents.tab_registers[index] = index + 1000
        mapping.contents.tab_input_registers[index] = index + 2000
    if mode == "rtu":
        context = library.modbus_new_rtu(place.encode(), 19200, b"N", 8, 1)
        library.modbus_set_slave(context, UNIT)
        if library.modbus_connect(context) != 0:
            sys.exit(f"cannot open {place}")
        print("ready 0", flush=True)  # noqa: T201
        serve(library, context, mapping)
        return
    with socket.create_server((place, 0)) as listener:
        print(f"ready {listener.getsockname()[1]}", flush=True)  # noqa: T201
        while True:
            client, _ = listener.accept()
            with client:
                context = library.modbus_new_tcp(place.encode(), 0)
                library.modbus_set_socket(context, client.fileno())
                serve(library, context, mapping)


if __name__ == "__main__":
    main()
