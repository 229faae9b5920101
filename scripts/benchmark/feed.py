"""An upstream repository of one small package, made in a folder: what the plain script has Pulp sync."""

import gzip
import hashlib
import struct

NAME = "pulp-plain-test"
PACKAGE = f"{NAME}-1.0-1.noarch.rpm"

# Tags of an RPM's header, and the types of their values: rpm's own rpmtag.h.
INT32, STRING, BINARY, I18N = 4, 6, 7, 9


def files(nonce):
    """Name and content of each file of the repository."""
    package = rpm(nonce)
    primary = gzip.compress(PRIMARY.format(name=NAME, sum=sha256(package), size=len(package), href=PACKAGE).encode(), mtime=0)
    repomd = REPOMD.format(revision=nonce, sum=sha256(primary)).encode()
    return {"repodata/repomd.xml": repomd, "repodata/primary.xml.gz": primary, PACKAGE: package}


def rpm(nonce):
    """The smallest package that createrepo_c reads: lead, signature, header, and a payload without files."""
    payload = gzip.compress(b"07070100000000" + b"0" * 80 + b"00000b00000000" + b"TRAILER!!!\0", mtime=0)
    main = header(
        [
            (1000, STRING, NAME),
            (1001, STRING, "1.0"),
            (1002, STRING, "1"),
            (1004, I18N, "plain"),
            (1005, I18N, nonce),
            (1009, INT32, 0),
            (1014, STRING, "MIT"),
            (1016, I18N, "Test"),
            (1021, STRING, "linux"),
            (1022, STRING, "noarch"),
            (1124, STRING, "cpio"),
            (1125, STRING, "gzip"),
        ]
    )
    signature = header([(1000, INT32, len(main) + len(payload)), (1004, BINARY, hashlib.md5(main + payload).digest())])
    lead = struct.pack(">4sBBHH66sHH16x", b"\xed\xab\xee\xdb", 3, 0, 0, 1, f"{NAME}-1.0-1".encode(), 1, 5)
    return lead + signature + b"\0" * (-len(signature) % 8) + main + payload


def header(entries):
    index, store = b"", b""
    for tag, kind, value in entries:
        if kind == INT32:
            store += b"\0" * (-len(store) % 4)
            data, count = struct.pack(">I", value), 1
        elif kind == BINARY:
            data, count = value, len(value)
        else:
            data, count = value.encode() + b"\0", 1
        index += struct.pack(">IIII", tag, kind, len(store), count)
        store += data
    return b"\x8e\xad\xe8\x01\0\0\0\0" + struct.pack(">II", len(entries), len(store)) + index + store


def sha256(content):
    return hashlib.sha256(content).hexdigest()


PRIMARY = """<?xml version="1.0" encoding="UTF-8"?>
<metadata xmlns="http://linux.duke.edu/metadata/common" xmlns:rpm="http://linux.duke.edu/metadata/rpm" packages="1">
<package type="rpm"><name>{name}</name><arch>noarch</arch><version epoch="0" ver="1.0" rel="1"/>
<checksum type="sha256" pkgid="YES">{sum}</checksum><summary>plain</summary><description>plain</description><packager/><url/>
<time file="0" build="0"/><size package="{size}" installed="0" archive="0"/><location href="{href}"/>
<format><rpm:license>MIT</rpm:license></format></package></metadata>
"""
REPOMD = """<?xml version="1.0" encoding="UTF-8"?>
<repomd xmlns="http://linux.duke.edu/metadata/repo"><revision>{revision}</revision>
<data type="primary"><checksum type="sha256">{sum}</checksum><location href="repodata/primary.xml.gz"/></data></repomd>
"""
