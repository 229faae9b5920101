"""Each kind of broker against the real thing: found with its unit, asked in its own words, taken away, proven, given back.
Pulp stays with its RabbitMQ all the time; the others only stand beside it."""

import unittest

from harness.claims import Claims
from harness.lab import until
from harness.module import call
from harness.play import PLAYBOOKS

RABBITMQ = "rabbitmq-server.service"
REDIS = "redis-server.service"
POSTGRESQL = "postgresql@15-main.service"

PKI = "/run/kinds"
# A certificate that nobody trusts, which each broker's own user can read.
CERTIFICATE = f"""
mkdir -p {PKI}
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=kinds.test \
    -keyout {PKI}/key.pem -out {PKI}/crt.pem 2>/dev/null
chmod 0644 {PKI}/key.pem
"""


class Kind(Claims):
    unit = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.lab.shell(CERTIFICATE)

    def facts(self, url, **options):
        return call(self.lab, "pulp_facts", broker_url=url, **options)["ansible_facts"]["pulp_deployment"]["broker"]

    def is_active(self):
        return self.lab.exec("systemctl", "is-active", self.unit, check=False).strip() == "active"

    def demand_answer(self, url, kind):
        """Nothing but the URL is said: kind and unit are found."""
        found = self.facts(url)
        self.assertTrue(found["answers"], found)
        self.assertEqual((found["kind"], found["unit"], found["local"]), (kind, self.unit, True))
        self.assertNotIn("hunter2", str(found))

    def demand_starting(self, url, words):
        """It is there and cannot serve: no broker to test with, and not one that is back."""
        found = self.facts(url)
        self.assertFalse(found["answers"], found)
        self.assertEqual(found["answer"], f"it is not ready: it says `{words}`")
        reply = call(self.lab, "pulp_broker", fails=True, state="down", broker_url=url)
        self.assertTrue(reply["msg"].startswith("VOID outage_not_proven: "), reply["msg"])
        self.assertIn(words, reply["msg"])
        self.assertEqual(self.lab.undo(), [])

    def demand_outage(self, url, kind):
        self.demand_answer(url, kind)
        self.addCleanup(call, self.lab, "pulp_broker", state="up", broker_url=url)
        down = call(self.lab, "pulp_broker", state="down", hold=1, run_id="mine", restore_after=600, broker_url=url)
        self.assertEqual(down["outage"]["unit"], self.unit)
        self.assertFalse(self.facts(url)["answers"])
        self.assertFalse(self.is_active())
        up = call(self.lab, "pulp_broker", state="up", run_id="mine", broker_url=url)
        self.assertIn(" answers (boot ", up["msg"])
        # A broker may answer before its unit has started, and Pulp's services before they are back: the undo waits for both.
        until("the unit to be active", self.is_active)
        self.lab.wait_until_ready()
        call(self.lab, "pulp_broker", state="up", run_id="mine", broker_url=url)
        self.assertEqual(self.lab.undo(), [])
        self.demand_answer(url, kind)

    def demand_frozen(self, url):
        pid = self.lab.exec("systemctl", "show", "--value", "--property=MainPID", self.unit).strip()
        self.lab.exec("kill", "-STOP", pid)
        try:
            self.assertEqual(self.facts(url)["answer"], "it accepts the connection and says nothing")
        finally:
            self.lab.exec("kill", "-CONT", pid)
        self.assertTrue(self.facts(url)["answers"])


class RabbitMQ(Kind):
    unit = RABBITMQ
    CONF = "/etc/rabbitmq/conf.d/kinds.conf"

    def configure(self, *lines):
        """RabbitMQ reads it when it starts; Pulp comes back by itself."""
        self.addCleanup(self.lab.wait_until_ready)
        self.addCleanup(self.lab.shell, f"rm -f {self.CONF} && systemctl restart {RABBITMQ}")
        text = "\n".join(lines)
        self.lab.shell(f"mkdir -p /etc/rabbitmq/conf.d && echo '{text}' >{self.CONF} && systemctl restart {RABBITMQ}")
        self.lab.wait_until_ready()

    def test_plain(self):
        self.demand_outage("amqp://guest:hunter2@localhost//", "rabbitmq")

    def test_tls(self):
        # With the settings of a broker that lets nobody in without a certificate.
        for demanded in ("false", "true"):
            with self.subTest(demanded=demanded):
                self.configure(
                    "listeners.ssl.default = 5671",
                    f"ssl_options.certfile = {PKI}/crt.pem",
                    f"ssl_options.keyfile = {PKI}/key.pem",
                    f"ssl_options.cacertfile = {PKI}/crt.pem",
                    "ssl_options.verify = verify_peer",
                    f"ssl_options.fail_if_no_peer_cert = {demanded}",
                )
                self.demand_answer("amqps://guest:hunter2@localhost//", "rabbitmq")
        self.demand_outage("amqps://localhost//", "rabbitmq")
        self.assertIn("not the broker's protocol", self.facts("amqps://localhost:5672//")["answer"])

    def test_it_is_not_taken_for_qpid(self):
        """It answers Qpid's 0-10 with the AMQP that it speaks, with its plugin for AMQP 1.0 too."""
        self.addCleanup(self.lab.exec, "rabbitmq-plugins", "disable", "rabbitmq_amqp1_0")
        for plugin in ("disable", "enable"):
            with self.subTest(plugin=plugin):
                self.lab.exec("rabbitmq-plugins", plugin, "rabbitmq_amqp1_0")
                found = self.facts("qpid://localhost/")
                self.assertEqual(found["answer"], "it answers with AMQP 0-9-1, which is not the broker's protocol: AMQP 0-10")
                self.assertFalse(found["answers"])
                self.assertIsNone(found["unit"])
                self.assertRegex(found["foreign"], r"^process \d+ \(beam.smp\) of rabbitmq-server.service$")

    def test_it_is_never_named_in_qpids_place(self):
        self.addCleanup(self.lab.wait_until_ready)
        self.addCleanup(self.lab.exec, "systemctl", "start", RABBITMQ)
        self.lab.exec("systemctl", "stop", RABBITMQ)
        self.assertEqual(self.facts("amqp://localhost//")["unit"], RABBITMQ)
        self.assertNotEqual(self.facts("qpid://localhost/")["unit"], RABBITMQ)
        self.assertEqual(self.lab.exec("systemctl", "is-active", RABBITMQ, check=False).strip(), "inactive")

    def test_a_unit_of_any_name_is_known_by_its_program(self):
        self.addCleanup(self.lab.wait_until_ready)
        self.addCleanup(self.lab.shell, f"systemctl disable -q --now pulp-mq; rm -f /etc/systemd/system/pulp-mq.service; systemctl daemon-reload; systemctl start {RABBITMQ}")
        self.lab.shell(
            f"systemctl stop {RABBITMQ}; sed 's/^Description=.*/Description=Messages/' $(systemctl show --value -p FragmentPath {RABBITMQ})"
            " >/etc/systemd/system/pulp-mq.service; systemctl daemon-reload; systemctl start pulp-mq"
        )
        self.unit = "pulp-mq.service"
        self.demand_answer("amqp://localhost//", "rabbitmq")
        self.assertEqual(self.facts("amqp://localhost//", broker_unit="pulp-mq")["kind"], "rabbitmq")
        # Stopped it is known by what it starts, and comes before RabbitMQ's own unit, which is disabled.
        self.lab.shell(f"systemctl disable -q {RABBITMQ}; systemctl stop pulp-mq; systemctl enable -q pulp-mq")
        self.addCleanup(self.lab.exec, "systemctl", "enable", "-q", RABBITMQ)
        found = self.facts("amqp://localhost//")
        self.assertEqual((found["unit"], found["kind"]), (self.unit, "rabbitmq"))


class Qpid(Kind):
    """The lab's stand-in, which answers as a real qpidd does; RabbitMQ is installed beside it, and runs."""

    unit = "qpidd.service"
    CONF = "/etc/qpid/qpidd.conf"
    MODULE = "load-module=/usr/lib64/qpid/daemon/amqp.so"
    AT = "localhost:5673"

    def start(self, *lines):
        kept = f"{self.CONF}.kept"
        self.addCleanup(self.lab.shell, f"systemctl stop qpidd; [ ! -e {kept} ] || mv {kept} {self.CONF}")
        text = "\n".join(lines)
        self.lab.shell(f"[ -e {kept} ] || cp -p {self.CONF} {kept}; echo '{text}' >{self.CONF}; systemctl restart qpidd")
        until("qpidd to listen", lambda: ":5673" in self.lab.exec("ss", "-Hltn"))

    def hear(self, words):
        """The first words that come back, and whether it hangs up then."""
        client = (
            "import socket,sys; s = socket.create_connection(('localhost', 5673)); s.settimeout(1); s.sendall(bytes.fromhex(sys.argv[1]))\n"
            "heard = b''\n"
            "try:\n"
            "    while True:\n"
            "        more = s.recv(4096)\n"
            "        heard += more\n"
            "        if not more: print(heard.hex(), 'EOF'); break\n"
            "except TimeoutError: print(heard.hex(), 'open')\n"
        )
        heard, end = self.lab.exec("python3", "-c", client, words.hex()).rstrip("\n").split(" ")
        return bytes.fromhex(heard), end

    def test_it_answers_as_a_real_one_was_seen_to(self):
        amqp, ours, sasl, one = b"AMQP", b"\1\1\0\x0a", b"\3\1\0\0", b"\0\1\0\0"
        for lines, to_sasl, to_one in [
            (["auth=no"], (amqp + ours, "EOF"), (amqp + ours, "EOF")),
            (["auth=no", self.MODULE], (amqp + sasl, "open"), (amqp + one, "open")),
            (["auth=yes", self.MODULE], (amqp + sasl, "open"), (b"", "EOF")),
        ]:
            with self.subTest(lines=lines):
                self.start("port=5673", *lines)
                self.assertEqual(self.hear(amqp + b"\0\0\x09\1"), (amqp + ours, "EOF"))
                self.assertEqual(self.hear(b"GET / HT"), (amqp + ours, "EOF"))
                heard, end = self.hear(amqp + ours)
                # The 0-10 frame of connection.start follows.
                self.assertEqual((heard[:10], end), (amqp + ours + b"\x0f\0", "open"))
                self.assertEqual(b"PLAIN" in heard, "auth=yes" in lines)
                heard, end = self.hear(amqp + sasl)
                self.assertEqual((heard[:8], end), to_sasl)
                self.assertEqual(self.hear(amqp + one), to_one)
                self.assertEqual(self.hear(amqp), (b"", "open"))
                self.demand_answer(f"qpid://{self.AT}/", "qpid")

    def test_plain(self):
        self.start("port=5673", "auth=yes", self.MODULE)
        self.demand_outage(f"qpid://{self.AT}/", "qpid")
        self.demand_frozen(f"qpid://guest:hunter2@{self.AT}/")
        # It is what listens there, and no answer to what Celery speaks by amqp.
        found = self.facts(f"amqp://{self.AT}//")
        self.assertEqual((found["unit"], found["answers"]), (self.unit, False))
        self.assertEqual(found["answer"], "it answers with AMQP 0-10, which is not the broker's protocol: AMQP 0-9-1")

    def test_tls(self):
        self.start("port=5673", "auth=no", "ssl-port=5671", f"ssl-cert-file={PKI}/crt.pem", f"ssl-key-file={PKI}/key.pem")
        self.demand_answer("qpids://localhost/", "qpid")
        found = self.facts("qpid://localhost:5671/")
        self.assertTrue(found["answer"].startswith("it speaks TLS"), found["answer"])
        reply = call(self.lab, "pulp_broker", fails=True, state="down", broker_url="qpid://localhost:5671/")
        self.assertIn("it speaks TLS", reply["msg"])
        self.assertNotIn("start it", reply["msg"])

    def test_rabbitmq_beside_it_is_never_taken_for_it(self):
        self.start("port=5673", "auth=no")
        self.lab.exec("systemctl", "stop", "qpidd")
        # It is disabled, and ran a moment ago.
        self.assertEqual(self.facts(f"qpid://{self.AT}/")["unit"], self.unit)
        self.assertEqual(self.facts("amqp://localhost//")["unit"], RABBITMQ)
        up = call(self.lab, "pulp_broker", state="up", broker_url=f"qpid://{self.AT}/")
        self.assertIn(self.unit, up["msg"])
        self.assertTrue(self.is_active())

    def test_the_page_says_what_its_users_feel(self):
        self.start("port=5673", "auth=no")
        url = f"qpid://{self.AT}/"
        page = self.play(PLAYBOOKS / "broker_test.yml", "--check", variables={"pulp_broker_test_broker_url": url})
        page = page.wait().printed.read_text(encoding="utf-8")
        self.assertRegex(page, rf"BROKER qpid at {self.AT} \(.*\), unit {self.unit}, answers")
        for words in ("published content is served; the API may hang, reading too", "with Qpid httpd listens again by itself"):
            self.assertIn(words, page)


class Redis(Kind):
    unit = REDIS

    def start(self, *lines, wait=True):
        self.addCleanup(self.lab.shell, f"systemctl stop {REDIS}; sed -i '/kinds/d' /etc/redis/redis.conf; rm -f /etc/redis/kinds.conf")
        text = "\n".join(lines)
        self.lab.shell(f"echo '{text}' >/etc/redis/kinds.conf; echo include /etc/redis/kinds.conf >>/etc/redis/redis.conf")
        self.lab.exec("systemctl", "restart", *([] if wait else ["--no-block"]), REDIS)

    def test_plain(self):
        self.start()
        self.demand_outage("redis://localhost:6379/0", "redis")
        self.demand_frozen("redis://localhost")

    def test_one_that_lets_nobody_in(self):
        self.start("requirepass hunter2")
        self.demand_answer("redis://:hunter2@localhost:6379/0", "redis")
        self.demand_answer("redis://localhost", "redis")
        # Without a password, protected mode refuses who does not come from loopback.
        self.start("bind 0.0.0.0")
        self.demand_answer(f"redis://{self.lab.name}.pulp.test", "redis")

    def test_tls(self):
        for demanded in ("no", "yes"):
            with self.subTest(demanded=demanded):
                self.start(
                    "port 0", "tls-port 6380", f"tls-cert-file {PKI}/crt.pem", f"tls-key-file {PKI}/key.pem",
                    f"tls-ca-cert-file {PKI}/crt.pem", f"tls-auth-clients {demanded}",
                )  # fmt: skip
                self.demand_answer("rediss://:hunter2@localhost:6380/0", "redis")
        self.demand_outage("rediss://localhost:6380/0", "redis")

    def test_a_unix_socket(self):
        self.start("port 0", "unixsocket /run/redis/kinds.sock")
        self.demand_outage("redis+socket:///run/redis/kinds.sock", "redis")
        self.demand_frozen("unix:///var/run/redis/kinds.sock")
        self.assertEqual(self.facts("unix:///run/redis/kinds.sock")["socket"], "/run/redis/kinds.sock")

    def test_one_that_loads_its_data_is_not_back(self):
        self.start("enable-debug-command local", "rdbcompression no")
        self.addCleanup(self.lab.exec, "rm", "-f", "/var/lib/redis/dump.rdb")
        self.lab.shell("redis-cli debug populate 2000 key 2048 && redis-cli save")
        # Redis's own way to make loading last: 10 ms a key; it speaks with its clients after each.
        self.start("key-load-delay 10000", "loading-process-events-interval-bytes 1024", wait=False)
        until("Redis to load", lambda: "loading:1" in self.lab.exec("redis-cli", "info", "persistence", check=False))
        self.demand_starting("redis://localhost", "LOADING Redis is loading the dataset in memory")
        up = call(self.lab, "pulp_broker", state="up", broker_url="redis://localhost")
        self.assertGreater(up["outage"]["boot_seconds"], 1)
        self.assertIn("loading:0", self.lab.exec("redis-cli", "info", "persistence"))


class PostgreSQL(Kind):
    unit = POSTGRESQL
    ETC = "/etc/postgresql/15/main"
    DATA = "/var/lib/postgresql/15/main"

    def start(self, *settings, hba=None):
        self.addCleanup(self.lab.shell, f"systemctl stop postgresql; rm -f {self.DATA}/standby.signal {self.ETC}/conf.d/kinds.conf")
        text = "\n".join(settings)
        self.lab.shell(f'echo "{text}" >{self.ETC}/conf.d/kinds.conf')
        if hba:
            self.addCleanup(self.lab.exec, "mv", f"{self.ETC}/pg_hba.kept", f"{self.ETC}/pg_hba.conf")
            self.lab.shell(f"cd {self.ETC} && cp -p pg_hba.conf pg_hba.kept && echo '{hba}' >pg_hba.conf")
        # As on any Debian: the umbrella starts the cluster.
        self.lab.exec("systemctl", "restart", "postgresql")
        until("the cluster to run", self.is_active)

    def test_plain(self):
        self.start()
        self.demand_outage("postgresql://pulp:hunter2@localhost/pulp", "postgresql")
        self.demand_frozen("postgres://localhost/pulp")

    def test_tls(self):
        self.start(hba="hostssl all all all scram-sha-256")
        self.demand_outage("postgresql://pulp:hunter2@localhost/pulp?sslmode=require", "postgresql")
        # Who must not come in without TLS is told so by a server that is there.
        self.demand_answer("postgresql://pulp@localhost/pulp", "postgresql")
        self.start("ssl = off")
        self.demand_answer("postgresql://pulp@localhost/pulp?sslmode=require", "postgresql")

    def test_a_unix_socket(self):
        self.start("listen_addresses = ''")
        self.demand_outage("postgresql:///pulp?host=/var/run/postgresql", "postgresql")
        self.demand_frozen("postgresql://%2Frun%2Fpostgresql/pulp")

    def test_one_that_starts_is_not_back(self):
        self.start("hot_standby = off")
        self.lab.exec("touch", f"{self.DATA}/standby.signal")
        self.lab.exec("systemctl", "restart", POSTGRESQL)
        words = "the database system is not accepting connections"
        self.demand_starting("postgresql://localhost/pulp", words)
        self.demand_starting("postgresql://localhost/pulp?sslmode=require", words)
        self.demand_starting("postgresql:///pulp", words)
        reply = call(self.lab, "pulp_broker", fails=True, state="up", timeout=3, broker_url="postgresql://localhost/pulp")
        self.assertIn(words, reply["msg"])

    def test_one_at_the_limit_of_its_connections_is_there(self):
        self.start("max_connections = 3", "superuser_reserved_connections = 0", "max_wal_senders = 0")
        self.addCleanup(self.lab.shell, "systemctl stop 'kinds-*'")
        for number in range(3):
            self.lab.shell(f"systemd-run --quiet --unit=kinds-{number} --uid=postgres psql --command 'select pg_sleep(600)'")
        full = "FATAL:  sorry, too many clients already"
        until("PostgreSQL to be full", lambda: full in self.lab.shell("sudo -u postgres psql --command 'select 1' 2>&1; true"))
        self.demand_answer("postgresql://localhost/pulp", "postgresql")

    def test_debians_umbrella_is_no_unit_of_a_broker(self):
        self.start()
        url = "postgresql://localhost/pulp"
        reply = call(self.lab, "pulp_broker", fails=True, state="down", broker_url=url, broker_unit="postgresql")
        self.assertIn("set `broker_unit` to the broker's own", reply["msg"])
        # The umbrella is active all the time; the cluster is found although nothing listens.
        self.lab.exec("systemctl", "kill", "--signal=KILL", POSTGRESQL)
        until("nothing to listen", lambda: not self.facts(url)["answers"])
        self.assertEqual(self.lab.exec("systemctl", "is-active", "postgresql").strip(), "active")
        self.assertEqual(self.facts(url)["unit"], POSTGRESQL)
        self.assertIn("answers (boot ", call(self.lab, "pulp_broker", state="up", broker_url=url)["msg"])


if __name__ == "__main__":
    unittest.main()
