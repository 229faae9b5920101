# Runs in the interpreter of Pulp's own processes, as their user and with their environment, and says what
# Pulp's settings are: `Settings` in settings.rs. Python 2.7 and 3. It connects to nothing and writes nothing but one line.
import errno
import json
import os
import sys

try:
    from urllib.parse import quote
except ImportError:
    from urllib import quote

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


def word(value):
    # What is empty is not set.
    return None if value in (None, "") else "%s" % text(value)


def version(name):
    try:
        from importlib import metadata
        return metadata.version(name)
    except ImportError:
        import pkg_resources
        return pkg_resources.get_distribution(name).version


def place(read, answer):
    # A URL without credentials, and what said so; or why it cannot be told.
    try:
        return {"Ok": read(answer)}
    except Exception as error:
        return {"Err": cause(error)}


def in_brackets(host):
    return "[%s]" % host if ":" in host and not host.startswith("[") else host


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

    def flag(name):
        return setting(name) if isinstance(setting(name), bool) else None

    origin = word(setting("CONTENT_ORIGIN"))
    answer = {
        "version": word(version("pulpcore")),
        "url": origin if origin and "://" in origin else None,
        "api_root": word(setting("API_ROOT")),
        "domains": flag("DOMAIN_ENABLED"),
        "caches": bool(setting("CACHE_ENABLED")),
        "worker_type": word(setting("WORKER_TYPE")),
        "new_worker_type": flag("USE_NEW_WORKER_TYPE"),
        "other_databases": sorted(text(name) for name in settings.DATABASES if name != "default"),
        "files": [os.path.abspath(path) for path in files()],
        "secrets": [setting("SECRET_KEY"), setting("REDIS_PASSWORD")],
    }
    answer["places"] = {"database": place(database, answer), "cache": place(redis, answer)}
    return answer


def database(answer):
    # As libpq decides it. A host that is a path is the folder of a Unix socket.
    from django.db import connections

    connection = connections["default"]
    answer["secrets"].append(connection.settings_dict.get("PASSWORD"))
    if connection.vendor != "postgresql":
        raise Cannot("its DATABASES name %s, no PostgreSQL" % connection.vendor)
    given = connection.get_connection_params()
    for name, variable in [("service", "PGSERVICE"), ("servicefile", "PGSERVICEFILE")]:
        if given.get(name):
            os.environ[variable] = text(given[name])
    defaults = libpq_defaults()
    answer["secrets"] += [given.get("password"), defaults.get("password")]

    def decided(name):
        value = given.get(name)
        return word(defaults.get(name) if value is None else value)

    answer["database"] = decided("dbname") or ""
    host, port = decided("hostaddr") or decided("host") or libpq_folder(), decided("port")
    if "," in host + port:
        raise Cannot("its DATABASES name several servers")
    if host.startswith("@"):
        raise Cannot("its database is at an abstract Unix socket")
    options = ["sslmode=" + decided("sslmode")] if decided("sslmode") else []
    if host.startswith("/"):
        where = ""
        options = ["host=" + quote(host, ""), "port=" + port] + options
    else:
        where = "%s:%s" % (in_brackets(host), port)
        answer["seeds"] = [[host, int(port)]]
    return ["postgresql://%s/?%s" % (where, "&".join(options)), "Pulp's own settings: DATABASES"]


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


def redis(answer):
    # As redis-py decides it.
    from django.conf import settings

    connection = None
    if getattr(settings, "CACHE_ENABLED", None) or getattr(settings, "WORKER_TYPE", None) != "pulpcore":
        try:
            from pulpcore.app.redis_connection import get_redis_connection
        except ImportError:
            from pulpcore.tasking.connection import get_redis_connection
        connection = get_redis_connection()
    if connection is None:
        raise Cannot("Pulp uses no Redis")
    pool = connection.connection_pool
    given = pool.connection_kwargs
    answer["secrets"].append(given.get("password"))
    kinds = [kind.__name__ for kind in pool.connection_class.__mro__]
    path, host, port = [word(given.get(name)) for name in ("path", "host", "port")]
    source = "Pulp's own settings: REDIS"
    if path:
        return ["redis+socket://" + path, source]
    if not host or not port:
        raise Cannot("redis-py names no host or port")
    scheme = "rediss" if "SSLConnection" in kinds or given.get("ssl") else "redis"
    return ["%s://%s:%s/" % (scheme, in_brackets(host), port), source]


# -- Pulp 2 -----------------------------------------------------------------------------------------

# With an s behind it TLS is spoken.
SCHEMES = {"amqp": "amqp", "pyamqp": "amqp", "librabbitmq": "amqp", "amqps": "amqp", "qpid": "qpid", "redis": "redis", "rediss": "redis"}


def tries(again, most):
    # Celery tries without end where the number is 0 or None.
    if not isinstance(again, bool) or not (most is None or isinstance(most, int) and most >= 0):
        return None
    return {"retries": again, "most": most or None}


def pulp2():
    import importlib

    from pymongo.uri_parser import split_hosts

    config = importlib.import_module("pulp.server.config").config
    celery = importlib.import_module("pulp.server.async.celery_instance").celery

    def option(section, name):
        return word(config.get(section, name)) if config.has_option(section, name) else None

    def conf(name):
        value = getattr(celery.conf, name, None)
        return text(getattr(celery.conf, name.upper(), None) if value is None else value)

    def broker(answer):
        # As kombu takes its URL.
        connection = celery.connection()
        source = "Pulp's own Celery application"
        if len(connection.alt or []) > 1:
            # With all of them, as it is refused.
            return [conf("broker_url"), source]
        info = connection.info()
        answer["secrets"].append(info.get("password"))
        transport, host, port = [word(info.get(name)) for name in ("transport", "hostname", "port")]
        if transport not in SCHEMES:
            raise Cannot("its broker is reached by `%s`, which is not known here" % transport)
        host = host or "localhost"
        # Of a Unix socket kombu gives all of its URL.
        if "://" in host:
            return [host, source]
        scheme = SCHEMES[transport] + ("s" if info.get("ssl") else "")
        virtual_host = quote(word(info.get("virtual_host")) or "/", "")
        return ["%s://%s:%s/%s" % (scheme, in_brackets(host), port or 5672, virtual_host), source]

    name, timeout, seeds = option("server", "server_name"), option("tasks", "worker_timeout"), option("database", "seeds") or ""
    answer = {
        "retry": tries(conf("broker_connection_retry"), conf("broker_connection_max_retries")),
        "messaging_url": option("messaging", "url"),
        "transport": option("messaging", "transport") or "qpid",
        "url": "https://" + name if name else None,
        "database": option("database", "name") or "",
        "seeds": [one for seed in seeds.split(",") for one in split_hosts(seed.strip(), 27017) if one[1]],
        "worker_timeout": int(timeout) if timeout else None,
        "files": ["/etc/pulp/server.conf"],
        "secrets": [option("database", "password"), option("server", "default_password")],
    }
    answer["places"] = {"broker": place(broker, answer)}
    return answer


def main():
    keep_to_itself()
    generation = sys.argv[1]
    sys.argv[:] = ["-c"]
    # The folder where this runs is none of Pulp's.
    sys.path[:] = [path for path in sys.path if path]
    try:
        found = {"3": pulp3, "2": pulp2}[generation]()
        found["secrets"] = [text(secret) for secret in found["secrets"] if secret]
    except BaseException as error:
        answer({"cannot": cause(error)})
    answer({"value": found})


main()
