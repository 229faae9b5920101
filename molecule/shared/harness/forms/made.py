"""Makes forms of configuration, each with a port of its own: what is connected to tells which setting counted. Whatever an imitation
of Pulp's reading would take instead is at hand too, as a decoy at the usual port."""

import dataclasses
import json
import random

# Where the forms are, in the lab; not in /tmp, which is each service's own.
FOLDER = "/var/lib/pulp/forms"
FIRST_PORT = 20000
DECOY = {"database": 5432, "cache": 6379}
NONE = "''"


@dataclasses.dataclass
class Form:
    number: int
    kind: str
    target: str = "database"
    # Name to text in Latin-1, so that any bytes can be had.
    files: dict = dataclasses.field(default_factory=dict)
    environment: dict = dataclasses.field(default_factory=dict)
    settings: str = ""

    @property
    def port(self):
        return FIRST_PORT + self.number

    @property
    def folder(self):
        return f"{FOLDER}/{self.number}"

    def put(self, text, name="settings.py", encoding="utf-8"):
        """A file of settings, which is read after those before it."""
        self.files[name] = text.encode(encoding).decode("latin-1")
        path = f"{self.folder}/{name}"
        if name.startswith("settings") and ".local" not in name:
            self.settings = ",".join(filter(None, [self.settings, path]))
        return self


KINDS = []
HEAD = 'SECRET_KEY = "Sesame-form-key"\nCONTENT_ORIGIN = "https://forms.pulp.test"\nANALYTICS = False\n'


def kind(name):
    def add(make):
        KINDS.append((name, make))
        return make

    return add


def literal(random, text):
    """The same text, as Python may have it."""
    half = random.randrange(len(text))
    ways = [
        repr(text),
        '"' + "".join(f"\\x{ord(c):02x}" for c in text) + '"',
        '"' + "".join(f"\\{ord(c):03o}" for c in text) + '"',
        "'" + "".join(f"\\u{ord(c):04x}" for c in text) + "'",
        f"r'{text}'",
        f'"""{text}"""',
        f"'{text[:half]}' \"{text[half:]}\"",
        f"('{text[:half]}'\n    '{text[half:]}')",
        f"'{text[:half]}\\\n{text[half:]}'",
        f"b'{text}'.decode()",
        f"'%s' % '{text}'",
        f"f\"{{{text!r}}}\"",
        f"''.join(map(chr, {[ord(c) for c in text]}))",
        f"'{text[::-1]}'[::-1]",
    ]
    return random.choice(ways)


def databases(port, host="'127.0.0.1'", more="", name="'pulp'"):
    return (
        f"{{'default': {{'ENGINE': 'django.db.backends.postgresql', 'HOST': {host}, 'PORT': {port}, 'NAME': {name}, "
        f"'USER': 'pulp', 'PASSWORD': 'Sesame-form', {more}}}}}"
    )


def decoy(form):
    return f"DATABASES = {databases(DECOY['database'])}\n"


def redis(form, rest):
    form.target = "cache"
    return form.put(f"{HEAD}DATABASES = {databases(DECOY['database'])}\nCACHE_ENABLED = True\n{rest}")


@kind("a string literal")
def _(form, random):
    host = random.choice(["127.0.0.1", "localhost", "::1", "127.0.0.9"])
    form.put(f"{HEAD}DATABASES = {databases(literal(random, str(form.port)), literal(random, host))}\n")


@kind("set in another way than by a plain assignment")
def _(form, random):
    real = databases(form.port)
    form.put(
        HEAD + decoy(form)
        + random.choice(
            [
                f"OTHER = DATABASES = {real}\n",
                f"DATABASES, OTHER = {real}, 1\n",
                f"del DATABASES\nDATABASES = {real}\n",
                f"globals().update(DATABASES={real})\n",
                f"exec({('DATABASES = ' + real)!r})\n",
                f"def made():\n    '''DATABASES = {{}}'''\n    return {real}\nDATABASES = made()\n",
                f"for port in (5433, {form.port}):\n    DATABASES['default']['PORT'] = port\n",
                f"try:\n    1 / 0\nexcept ZeroDivisionError:\n    DATABASES = {real}\n",
                f"if True: DATABASES = {real}\n",
                f"DATABASES['default'] |= dict(PORT={form.port})\n",
                f"x = 1; DATABASES = {real}; y = 2\n",
                f"DATABASES: dict = {real}\n",
                f"(DATABASES := {real})\n",
                f"DATABASES = {{**DATABASES, **{real}}}\n",
                f"setattr(__import__('sys').modules.get(__name__, type('x', (), {{}})()), 'X', 1)\nDATABASES = {real}\n",
            ]
        )
    )


@kind("imported")
def _(form, random):
    form.put(f"DATABASES = {databases(form.port)}\nPORT = {form.port}\n", f"site_of_{form.number}.py")
    head = f"{HEAD}import sys\nsys.path.insert(0, {form.folder!r})\n{decoy(form)}"
    name = f"site_of_{form.number}"
    lines = [f"from {name} import *\n", f"from {name} import DATABASES\n", f"import {name} as site\nDATABASES = site.DATABASES\n",
             f"from {name} import PORT\nDATABASES['default']['PORT'] = PORT\n"]  # fmt: skip
    form.put(head + random.choice(lines))


@kind("from the environment or a file, in Python")
def _(form, random):
    if random.random() < 0.5:
        form.environment["SITE_PORT"] = str(form.port)
        line = "import os\nDATABASES = " + databases("os.environ['SITE_PORT']") + "\n"
    else:
        form.put(f"{form.port}\n", "port")
        line = "DATABASES = " + databases(f"open('{form.folder}/port').read().strip()") + "\n"
    form.put(HEAD + decoy(form) + line)


@kind("a byte-order mark, another encoding or other line ends")
def _(form, random):
    text = f"{HEAD}# Größe\nDATABASES = {databases(form.port)}\n"
    way = random.randrange(4)
    if way == 0:
        form.put(text, encoding="utf-8-sig")
    elif way == 1:
        form.put("# -*- coding: latin-1 -*-\n" + text, encoding="latin-1")
    elif way == 2:
        form.put(text.replace("\n", "\r\n"))
    else:
        form.put(text.replace("DATABASES", "\f\nDATABASES", 1).replace("'PORT': ", "'PORT': \\\n  "))


@kind("Dynaconf: a second file")
def _(form, random):
    form.put(HEAD + decoy(form))
    port = form.port
    form.put(
        random.choice(
            [
                f"DATABASES = {{'dynaconf_merge': True, 'default': {{'PORT': {port}}}}}\n",
                f"DATABASES__default__PORT = {port}\n",
                f"DATABASES__default__PORT = '@int {port}'\n",
                f"DATABASES = {databases(port)}\n",
                f"dynaconf_merge = True\nDATABASES = {{'default': {{'PORT': {port}}}}}\n",
            ]
        ),
        "settings_more.py",
    )


@kind("Dynaconf: variables of the environment")
def _(form, random):
    form.put(HEAD + decoy(form))
    port, environment = form.port, form.environment
    whole = {"ENGINE": "django.db.backends.postgresql", "HOST": "127.0.0.1", "PORT": port, "NAME": "pulp", "USER": "pulp"}
    name, value = random.choice(
        [
            ("PULP_DATABASES__default__PORT", str(port)),
            ("PULP_DATABASES__default__PORT", f"@int {port}"),
            ("PULP_DATABASES__default__PORT", f"@str {port}"),
            ("PULP_DATABASES__default__PORT", f"@jinja {{{{ {port} }}}}"),
            ("PULP_DATABASES__default__PORT", "@format {env[SITE_PORT]}"),
            ("PULP_DATABASES__default__PORT", "@jinja {{ env.SITE_PORT | int }}"),
            ("PULP_DATABASES__default", json.dumps({"dynaconf_merge": True, "PORT": port})),
            ("PULP_DATABASES__default", f"@merge PORT={port}"),
            ("PULP_DATABASES", "@json " + json.dumps({"default": whole})),
            ("PULP_DATABASES", f"@merge {{default={{PORT={port}}}}}"),
            ("pulp_databases__default__port", str(port)),
            ("PULP_DATABASES__DEFAULT__PORT", str(port)),
        ]
    )
    environment["SITE_PORT"] = str(port)
    environment[name] = value


@kind("Dynaconf: a local file or an included one")
def _(form, random):
    if random.random() < 0.5:
        form.put(HEAD + decoy(form)).put(f"DATABASES = {databases(form.port)}\n", "settings.local.py")
    else:
        form.put(HEAD + decoy(form) + "DYNACONF_INCLUDE = ['more.py']\ndynaconf_include = ['more.py']\n")
        form.put(f"DATABASES = {databases(form.port)}\n", "more.py")


@kind("Dynaconf: another format than Python")
def _(form, random):
    port = form.port
    form.put(HEAD + decoy(form))
    name, text = random.choice(
        [
            ("settings_more.yaml", f"DATABASES:\n  default:\n    ENGINE: django.db.backends.postgresql\n    HOST: 127.0.0.1\n    PORT: {port}\n    NAME: pulp\n"),
            ("settings_more.yaml", f"databases: {{dynaconf_merge: true, default: {{PORT: {port}}}}}\n"),
            ("settings_more.toml", f"[DATABASES.default]\nENGINE = 'django.db.backends.postgresql'\nHOST = '127.0.0.1'\nPORT = {port}\nNAME = 'pulp'\n"),
            ("settings_more.json", json.dumps({"DATABASES": {"dynaconf_merge": True, "default": {"PORT": port}}})),
            ("settings_more.ini", f"[DATABASES]\n[[default]]\nENGINE = django.db.backends.postgresql\nHOST = 127.0.0.1\nPORT = {port}\nNAME = pulp\n"),
        ]
    )  # fmt: skip
    form.put(text, name)


@kind("libpq decides: service, PGHOST, hostaddr")
def _(form, random):
    way = random.randrange(5)
    empty = databases(NONE, NONE)
    if way == 0:
        form.put(f"[pulp]\nhost=127.0.0.1\nport={form.port}\n", "services")
        form.environment["PGSERVICEFILE"] = f"{form.folder}/services"
        options = "'OPTIONS': {'service': 'pulp'}"
        form.put(f"{HEAD}DATABASES = {databases(NONE, NONE, options, NONE)}\n")
    elif way == 1:
        form.environment |= {"PGHOST": "127.0.0.1", "PGPORT": str(form.port)}
        form.put(f"{HEAD}DATABASES = {empty}\n")
    elif way == 2:
        form.environment |= {"PGHOSTADDR": "127.0.0.7"}
        form.put(f"{HEAD}DATABASES = {databases(form.port)}\n")
    elif way == 3:
        options = f"'OPTIONS': {{'hostaddr': '127.0.0.8', 'port': {form.port}}}"
        form.put(f"{HEAD}DATABASES = {databases(NONE, repr('no.such.host'), options)}\n")
    else:
        form.put(f"[all]\nhost=127.0.0.1\nport={form.port}\n", "services")
        form.environment |= {"PGSERVICEFILE": f"{form.folder}/services", "PGSERVICE": "all"}
        form.put(f"{HEAD}DATABASES = {empty}\n")


@kind("a Unix socket of PostgreSQL")
def _(form, random):
    host = random.choice([repr(form.folder), "''", "None"])
    form.put(f"{HEAD}DATABASES = {databases(form.port, host)}\n")


@kind("Redis by its URL")
def _(form, random):
    host = random.choice(["127.0.0.1", "localhost", "[::1]", "u:a%40b@127.0.0.1", ":p@127.0.0.1"])
    scheme = random.choice(["redis", "redis", "rediss"])
    query = random.choice(["", "/3", "?db=2", "/0?health_check_interval=3", "/?ssl_cert_reqs=none" if scheme == "rediss" else ""])
    redis(form, f"REDIS_URL = {literal(random, f'{scheme}://{host}:{form.port}{query}')}\n")


@kind("Redis by host and port")
def _(form, random):
    secured = random.choice(["", "REDIS_SSL = True\n", "REDIS_PASSWORD = 'Sesame'\n"])
    way = random.randrange(3)
    if way == 0:
        redis(form, f"REDIS_HOST = '127.0.0.1'\nREDIS_PORT = {form.port}\n{secured}")
    elif way == 1:
        redis(form, f"REDIS_HOST = 'localhost'\nREDIS_PORT = {DECOY['cache']}\n{secured}")
        form.environment["PULP_REDIS_PORT"] = str(form.port)
    else:
        redis(form, f"REDIS_URL = 'redis://127.0.0.1:6379/0'\nREDIS_HOST = '127.0.0.1'\nREDIS_PORT = {form.port}\n{secured}")
        form.environment["PULP_REDIS_URL"] = "@none"


@kind("a Unix socket of Redis")
def _(form, random):
    redis(form, f"REDIS_URL = 'unix://{random.choice(['', ':p@'])}{form.folder}/redis.sock{random.choice(['', '?db=1'])}'\n")


@kind("Redis workers")
def _(form, random):
    form.target = "broker"
    redis_url = f"REDIS_URL = 'redis://127.0.0.1:{form.port}/'\n"
    text = f"{HEAD}DATABASES = {databases(DECOY['database'])}\n{redis_url}"
    if random.random() < 0.5:
        form.put(text + "WORKER_TYPE = 'redis'\n")
    else:
        form.environment["PULP_WORKER_TYPE"] = "redis"
        form.put(text + "WORKER_TYPE = 'pulpcore'\n")


@kind("other settings: cache, API_ROOT, CONTENT_ORIGIN")
def _(form, random):
    form.environment |= random.choice([{"PULP_API_ROOT": "/site/"}, {"PULP_CACHE_ENABLED": "@bool false"}, {"PULP_CONTENT_ORIGIN": "@none"}, {}])
    more = random.choice(["CACHE_ENABLED = True\nREDIS_URL = 'redis://127.0.0.1:6379'\n", "API_ROOT = '/' + 'elsewhere/'\n", ""])
    form.put(f"{HEAD}DATABASES = {databases(form.port)}\n{more}")


@kind("settings that raise, or are none")
def _(form, random):
    real = f"DATABASES = {databases(form.port)}\n"
    form.put(
        HEAD
        + random.choice(
            [
                real + "DATABASES = NAMES\n",
                real + "import no_such_module\n",
                real + "DATABASES = {\n",
                "import os\n" + real + "PASSWORD = os.environ['NOT_THERE']\n",
                "WORKER_TYPE = 'rq'\n" + real,
                "DATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': '/x'}}\n",
            ]
        )
    )


def make(count, seed):
    """Each kind as often as any other."""
    chosen = random.Random(seed)
    forms = []
    for number in range(count):
        name, fill = KINDS[number % len(KINDS)]
        form = Form(number, name)
        fill(form, chosen)
        form.environment["PULP_SETTINGS"] = form.settings
        forms.append(form)
    return forms
