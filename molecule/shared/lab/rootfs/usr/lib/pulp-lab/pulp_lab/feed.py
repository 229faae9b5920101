"""Why this exists: reading an upstream RPM repository over HTTP: repomd.xml, primary.xml, packages, each one checked."""

import collections
import gzip
import hashlib
import os
import tempfile
import urllib.request
import xml.etree.ElementTree as ET

from pulp_lab import errors, settings

COMMON = "{http://linux.duke.edu/metadata/common}"
REPO = "{http://linux.duke.edu/metadata/repo}"
TIMEOUT_SECONDS = 60

Package = collections.namedtuple("Package", "name epoch version release arch checksumtype checksum size location")

# Workers must reach the feed directly; a proxy of the environment would hide who cannot.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def _open(base, location):
    url = f"{base.rstrip('/')}/{location}"
    return _opener.open(urllib.request.Request(url, headers={"User-Agent": "pulp-lab"}), timeout=TIMEOUT_SECONDS)


def read_metadata(base):
    """Returns the repository's revision and its packages."""
    try:
        with _open(base, "repodata/repomd.xml") as reply:
            repomd = reply.read()
        revision, location, kind, checksum = _primary_of(repomd)
        with _open(base, location) as reply:
            primary = reply.read()
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise errors.PulpError(500, "RPM1004", f"Error retrieving metadata: {reason}", reason=str(reason)) from error
    except (ET.ParseError, AttributeError, KeyError) as error:
        raise _unreadable() from error
    if hashlib.new(kind, primary).hexdigest() != checksum:
        raise _unreadable()
    try:
        return revision, _packages_of(gzip.decompress(primary) if location.endswith(".gz") else primary)
    except (OSError, ET.ParseError, AttributeError, KeyError) as error:
        raise _unreadable() from error


def _unreadable():
    return errors.PulpError(500, "RPM1006", "Could not parse repository metadata")


def _primary_of(repomd):
    root = ET.fromstring(repomd)
    primary = next((data for data in root.iter(REPO + "data") if data.get("type") == "primary"), None)
    checksum = primary.find(REPO + "checksum")
    location = primary.find(REPO + "location").get("href")
    kind = {"sha": "sha1"}.get(checksum.get("type"), checksum.get("type"))
    revision = root.findtext(REPO + "revision") or hashlib.sha256(repomd).hexdigest()
    return revision, location, kind, checksum.text.strip()


def _packages_of(primary):
    packages = []
    for node in ET.fromstring(primary).iter(COMMON + "package"):
        version, checksum = node.find(COMMON + "version"), node.find(COMMON + "checksum")
        packages.append(Package(
            node.findtext(COMMON + "name"), version.get("epoch"), version.get("ver"), version.get("rel"),
            node.findtext(COMMON + "arch"), checksum.get("type"), checksum.text.strip(),
            int(node.find(COMMON + "size").get("package")), node.find(COMMON + "location").get("href"),
        ))  # fmt: skip
    return packages


def stored_path(package):
    folder = os.path.join(settings.UNITS, package.checksum[:2], package.checksum[2:])
    return os.path.join(folder, os.path.basename(package.location))


def download(base, package):
    """Fetches one package into the store; it appears there complete and checked, or not at all."""
    path = stored_path(package)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    digest = hashlib.new({"sha": "sha1"}.get(package.checksumtype, package.checksumtype))
    with tempfile.NamedTemporaryFile(dir=os.path.dirname(path), delete=False) as partial:
        try:
            with _open(base, package.location) as reply:
                while chunk := reply.read(1 << 16):
                    digest.update(chunk)
                    partial.write(chunk)
            if digest.hexdigest() != package.checksum:
                raise errors.failed(f"checksum of {package.location} does not match")
            os.chmod(partial.name, 0o644)
            os.rename(partial.name, path)
        except BaseException:
            os.unlink(partial.name)
            raise
