"""Starts a program, and all that it starts, as on an older kernel: every system call that this machine's kernel has and that
one had not is answered as by a kernel that has never heard of it. Run inside a lab: LAST PROGRAM ARGUMENT..., LAST being the
number of the last call that the older kernel knew (x86_64)."""

import ctypes
import errno
import os
import struct
import sys

# linux/bpf_common.h, linux/seccomp.h, sys/prctl.h
LOAD, JUMP_IF_GREATER, RETURN = 0x20, 0x25, 0x06
REFUSE, ALLOW = 0x00050000 | errno.ENOSYS, 0x7FFF0000
NO_NEW_PRIVILEGES, SECCOMP, FILTER = 38, 22, 2


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("steps", ctypes.c_void_p)]


def old(last):
    steps = [(LOAD, 0, 0, 0), (JUMP_IF_GREATER, 0, 1, last), (RETURN, 0, 0, REFUSE), (RETURN, 0, 0, ALLOW)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    program = Program(len(steps), ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    for call in ((NO_NEW_PRIVILEGES, 1, 0, 0, 0), (SECCOMP, FILTER, ctypes.byref(program), 0, 0)):
        if libc.prctl(*call):
            raise OSError(ctypes.get_errno(), "prctl")


if __name__ == "__main__":
    old(int(sys.argv[1]))
    os.execvp(sys.argv[2], sys.argv[2:])
