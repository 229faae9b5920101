# Runs in the interpreter of Pulp's own processes, as their user and with their environment, and says what
# Pulp's settings are. Python 2.7 and 3. It connects to nothing and writes nothing but one line.
import errno
import json
import os
import sys

MARK = "pulp-broker-test-answer:"
OUTPUT = os.dup(1)


def keep_to_itself():
    # What Pulp's settings print, and what they start, is not for this line.
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2 and int(name) != OUTPUT:
            try:
                os.close(int(name))
            except OSError:
                pass
    import fcntl
    fcntl.fcntl(OUTPUT, fcntl.F_SETFD, fcntl.FD_CLOEXEC)


def answer(what):
    line = ("\n" + MARK + json.dumps(what) + "\n").encode("ascii")
    while line:
        line = line[os.write(OUTPUT, line):]
    os._exit(0)


class Cannot(Exception):
    pass


def cause(error):
    if isinstance(error, Cannot):
        return str(error)
    # The words of an exception may hold a secret; its type and place do not, nor does a module's name.
    import traceback
    frames = traceback.extract_tb(sys.exc_info()[2])
    place = (getattr(error, "filename", None), getattr(error, "lineno", None))
    site = []
    if not (isinstance(error, SyntaxError) and place[0]):
        own = [f for f in frames if not f[0].startswith("<")]
        site = [f for f in own if "-packages" not in f[0] and not f[0].startswith((sys.prefix, "/usr/lib"))]
        place = (site or own or [(None, None)])[-1][:2]
    name = type(error).__name__
    if isinstance(error, ImportError):
        name += " (%s)" % error
        place = place if site else (None, None)
    return "%s in %s, line %s" % (name, place[0], place[1]) if place[0] else name


def text(value):
    # Lazy texts and paths too. None stays None.
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, bytes) and bytes is not str:
        return value.decode("utf-8", "replace")
    return "%s" % (value,)


def version(name):
    try:
        from importlib import metadata
        return metadata.version(name)
    except ImportError:
        import pkg_resources
        return pkg_resources.get_distribution(name).version


# -- Pulp 3 -----------------------------------------------------------------------------------------


def files():
    paths = os.environ.get("PULP_SETTINGS", "/etc/pulp/settings.py")
    return [path.strip() for path in paths.replace(";", ",").split(",") if path.strip()]


def refuse_unread_files():
    # Dynaconf passes over a file that it cannot open, and Pulp's defaults are left.
    for path in files():
        try:
            open(path).close()
        except (IOError, OSError) as error:
            if error.errno == errno.EISDIR:
                raise Cannot("%s is a folder" % path)
            if error.errno != errno.ENOENT:
                raise Cannot("this user may not read %s (%s)" % (path, os.strerror(error.errno)))


def pulp3():
    refuse_unread_files()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pulpcore.app.settings")
    from django.conf import settings

    def setting(name):
        return text(getattr(settings, name, None))

    names = ["CONTENT_ORIGIN", "API_ROOT", "DOMAIN_ENABLED", "CACHE_ENABLED", "WORKER_TYPE", "USE_NEW_WORKER_TYPE"]
    found = {"settings": dict((name, setting(name)) for name in names), "version": text(version("pulpcore"))}
    secrets = [setting("SECRET_KEY")]
    for part, read in [("database", database), ("redis", redis)]:
        try:
            found[part] = read(settings, secrets)
        except Exception as error:
            found[part] = {"cannot": cause(error)}
    found["other_databases"] = sorted(text(name) for name in settings.DATABASES if name != "default")
    found["secrets"] = [text(secret) for secret in secrets if secret]
    found["files"] = [os.path.abspath(path) for path in files()]
    return found


def database(settings, secrets):
    from django.db import connections

    connection = connections["default"]
    secrets.append(connection.settings_dict.get("PASSWORD"))
    if connection.vendor != "postgresql":
        return {"cannot": "its DATABASES name %s, no PostgreSQL" % connection.vendor}
    given = connection.get_connection_params()
    secrets.append(given.get("password"))
    for name, variable in [("service", "PGSERVICE"), ("servicefile", "PGSERVICEFILE")]:
        if given.get(name):
            os.environ[variable] = text(given[name])
    defaults = libpq_defaults()
    secrets.append(defaults.get("password"))

    def decided(name):
        value = given.get(name)
        return text(defaults.get(name) if value is None else value)

    found = dict((name, decided(name)) for name in ("host", "hostaddr", "port", "sslmode", "dbname"))
    if not found["host"] and not found["hostaddr"]:
        found["host"] = libpq_folder()
    return found


def libpq():
    # The library that Pulp's driver has loaded.
    import ctypes

    for line in open("/proc/self/maps"):
        path = line.split(None, 5)[-1].strip()
        if os.path.basename(path).startswith("libpq"):
            return ctypes.CDLL(path)
    raise LookupError("libpq")


def libpq_defaults():
    # What libpq takes where nothing is given: from a service's file, PGHOST and the like, or built in.
    from ctypes import POINTER, Structure, c_char_p, c_int

    class Option(Structure):
        texts = ("keyword", "envvar", "compiled", "val", "label", "dispchar")
        _fields_ = [(name, c_char_p) for name in texts] + [("dispsize", c_int)]

    ask = libpq().PQconndefaults
    ask.restype = POINTER(Option)
    options, found, index = ask(), {}, 0
    while options[index].keyword:
        value = options[index].val
        found[options[index].keyword.decode("ascii")] = value.decode("utf-8") if value else None
        index += 1
    return found


def libpq_folder():
    # Where its sockets are, as it was built. At port 1 nobody listens, so this meets no server.
    from ctypes import c_char_p, c_void_p

    library = libpq()
    library.PQconnectStart.restype = c_void_p
    library.PQhost.restype = c_char_p
    library.PQhost.argtypes = [c_void_p]
    host = library.PQhost(library.PQconnectStart(b"port=1 dbname=x user=x"))
    return host.decode("utf-8")


def redis(settings, secrets):
    secrets.append(getattr(settings, "REDIS_PASSWORD", None))
    needed = getattr(settings, "CACHE_ENABLED", None) or getattr(settings, "WORKER_TYPE", None) != "pulpcore"
    if not needed:
        return None
    try:
        from pulpcore.app.redis_connection import get_redis_connection
    except ImportError:
        from pulpcore.tasking.connection import get_redis_connection
    connection = get_redis_connection()
    if connection is None:
        return None
    pool = connection.connection_pool
    given = pool.connection_kwargs
    secrets.append(given.get("password"))
    kinds = [kind.__name__ for kind in pool.connection_class.__mro__]
    return {
        "tls": "SSLConnection" in kinds or bool(given.get("ssl")),
        "host": text(given.get("host")),
        "port": text(given.get("port")),
        "path": text(given.get("path")),
    }


# -- Pulp 2 -----------------------------------------------------------------------------------------


def pulp2():
    import importlib

    config = importlib.import_module("pulp.server.config").config
    celery = importlib.import_module("pulp.server.async.celery_instance").celery

    def option(section, name):
        return text(config.get(section, name)) if config.has_option(section, name) else None

    connection = celery.connection()
    info = connection.info()

    def conf(name):
        value = getattr(celery.conf, name, None)
        return getattr(celery.conf, name.upper(), None) if value is None else value

    retry = ["retry", "max_retries", "timeout"]
    secrets = [option("database", "password"), option("server", "default_password"), info.get("password")]
    return {
        "broker": {
            "transport": text(info.get("transport")),
            "host": text(info.get("hostname")),
            "port": text(info.get("port")),
            "virtual_host": text(info.get("virtual_host")),
            "tls": bool(info.get("ssl")),
            "several": len(connection.alt or []) > 1,
        },
        "retry": dict((name, text(conf("broker_connection_" + name))) for name in retry),
        "heartbeat": text(conf("broker_heartbeat")),
        "broker_url": text(conf("broker_url")),
        "messaging_url": option("messaging", "url"),
        "messaging_transport": option("messaging", "transport"),
        "server_name": option("server", "server_name"),
        "database": option("database", "name"),
        "seeds": option("database", "seeds"),
        "worker_timeout": option("tasks", "worker_timeout"),
        "secrets": [text(secret) for secret in secrets if secret],
    }


def main():
    keep_to_itself()
    generation = sys.argv[1]
    sys.argv[:] = ["-c"]
    # The folder where this runs is none of Pulp's.
    sys.path[:] = [path for path in sys.path if path]
    try:
        found = {"3": pulp3, "2": pulp2}[generation]()
    except BaseException as error:
        answer({"cannot": cause(error)})
    answer({"value": found})


main()
