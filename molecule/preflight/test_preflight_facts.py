"""What the pre-flight of one host tells and refuses, by subjects that deserve it. Nothing is ever touched."""

import socket
import struct
import time
import unittest

from harness.claims import Claims
from harness.lab import BROKER, until, variables
from harness.module import call

# The lab's own account at its broker.
PULP = ("pulp", "Sesame-broker-7f3a")
BILLING = ("billing", "Sesame-billing-7f3a")
AT_PULP = {"method": "partition", "apply_at": "pulp"}


class PreflightFacts(Claims):
    def setUp(self):
        super().setUp()
        self.before = self.pids()
        self.addCleanup(lambda: self.demand_untouched(self.before))

    def facts(self, **arguments):
        reply = call(self.lab, "pulp_facts", preflight=True, **arguments)
        self.assertFalse(reply["changed"])
        return reply["ansible_facts"]["pulp_deployment"]

    def line(self, facts, word):
        lines = [line for line in facts["preflight"]["lines"] if line.startswith(f"{word} ")]
        self.assertEqual(len(lines), 1, facts["preflight"]["lines"])
        return lines[0]

    def demand_refusal(self, name, *words, **arguments):
        """There is one, and it says all these words in one line."""
        facts = self.facts(**arguments)
        refusals = facts["preflight"]["refusals"]
        self.assertEqual([refusal["name"] for refusal in refusals], [name], refusals)
        for word in words:
            self.assertIn(word, refusals[0]["msg"])
        self.assertNotIn("\n", refusals[0]["msg"])
        return facts

    def demand_no_refusal(self, **arguments):
        facts = self.facts(**arguments)
        self.assertEqual(facts["preflight"]["refusals"], [])
        return facts

    def run_unit(self, name, *command):
        """A process of a unit of its own, and its number."""
        self.lab.exec("systemd-run", "--collect", f"--unit={name}", *command)
        self.addCleanup(self.lab.exec, "systemctl", "stop", name, check=False)
        return int(self.lab.exec("systemctl", "show", "--value", "--property=MainPID", name))

    def use_billing(self):
        """A user and a virtual host at the broker that are not Pulp's."""
        for question in (
            ["add_vhost", "bills"],
            ["add_user", *BILLING],
            ["set_permissions", "-p", "bills", BILLING[0], ".*", ".*", ".*"],
        ):
            self.lab.exec("rabbitmqctl", "-q", *question)
        self.addCleanup(self.lab.shell, "rabbitmqctl -q delete_user billing; rabbitmqctl -q delete_vhost bills")

    def connect_unit(self, account, virtual_host):
        """A program on Pulp's host that uses the broker."""
        url = f"amqp://{account[0]}:{account[1]}@localhost:5672/{virtual_host}"
        pid = self.run_unit("billing", "python3", "-c", f"import kombu, time; kombu.Connection('{url}').connect(); time.sleep(600)")
        # The kernel knows of it before RabbitMQ lists it with its user.
        until("it to be connected", lambda: str(pid) in self.lab.exec("ss", "-tnp", "state", "established", "dport", "=", ":5672"))
        until("RabbitMQ to know", lambda: self.lab.exec("rabbitmqctl", "-q", "list_connections", "pid").count("<") > 3)
        return pid

    def connect_from_here(self, account, virtual_host):
        """A client on another host than the lab: this one. Returns its address."""
        line = self.lab.exec("hostname", "-I").split()[0]
        connection = socket.create_connection((line, 5672), 10)
        self.addCleanup(connection.close)
        log_in(connection, account, virtual_host)
        return connection.getsockname()[0]

    def facts_of_all(self):
        facts = self.demand_no_refusal()
        return facts if "did not end within" not in self.line(facts, "OTHERS") else None

    def test_a_host_as_it_should_be(self):
        facts = until("rabbitmqctl to answer, as it may not in time on a busy machine", self.facts_of_all)
        self.assertRegex(
            self.line(facts, "FOUND"),
            r"^FOUND Pulp 2 \(configuration /etc/pulp/server.conf\): httpd, pulp_workers with 2 workers, pulp_resource_manager, "
            r"pulp_celerybeat run; systemd \d+; SELinux: (none|permissive|enforcing)$",
        )
        self.assertRegex(
            self.line(facts, "BROKER"),
            r"^BROKER rabbitmq at localhost:5672 \(/etc/pulp/server.conf \[tasks\] broker_url\), unit rabbitmq-server.service, "
            r"answers after \d+ ms$",
        )
        self.assertEqual(self.line(facts, "WITNESS"), "WITNESS pulp_resource_manager, pulp_worker-0, pulp_worker-1 are connected to it")
        self.assertEqual(self.line(facts, "OTHERS"), "OTHERS on this broker: none that the kernel and rabbitmqctl show")
        self.assertRegex(self.line(facts, "DISK"), r"/run \d+ .B free, /var/lib/pulp \d+ .B free, the broker's data ")
        self.assertTrue(self.line(facts, "UNDO").startswith("UNDO can run here: systemd-run, "))
        # RabbitMQ's boot, as systemd has seen it.
        self.assertGreater(facts["preflight"]["outage"].pop("start_seconds"), 1)
        stop = {"role": "local", "steps": ["systemctl stop -- rabbitmq-server.service"], "refusals": []}
        self.assertEqual(facts["preflight"]["outage"], stop)
        address = self.lab.exec("hostname", "-I").split()[0]
        self.assertIn(address, facts["addresses"])
        self.assertEqual(facts["broker"]["addresses"], facts["addresses"], "loopback is this host to others")
        self.assertEqual(facts["broker"]["users"] + facts["broker"]["peers"], [])
        self.assertIsNone(facts["broker"]["cluster"])
        self.assertEqual(facts["database"]["seeds"][0]["addresses"], [address])
        self.assertEqual(facts["worker_timeout"], 30)
        cut = self.demand_no_refusal(**AT_PULP)
        self.assertIn("nft", self.line(cut, "UNDO"))
        self.assertEqual(cut["preflight"]["outage"]["start_seconds"], 0, "it goes on")

    def test_settings_that_were_changed_since_pulp_was_started(self):
        # What they name answers as RabbitMQ does; nothing of Pulp's is connected to it.
        self.addCleanup(self.lab.exec, "nft", "delete", "table", "ip", "forwarded", check=False)
        chain = "add chain ip forwarded out { type nat hook output priority -100; }"
        for rule in ("add table ip forwarded", chain, "add rule ip forwarded out tcp dport 5999 redirect to :5672"):
            self.lab.exec("nft", rule)
        conf = "/etc/pulp/server.conf"
        self.addCleanup(self.lab.shell, f"mv {conf}.before {conf}")
        self.lab.shell(f"cp -a {conf} {conf}.before; sed -i '/^broker_url/s/5672/5999/' {conf}")
        facts = self.facts()
        told = {refusal["name"]: refusal["msg"] for refusal in facts["preflight"]["refusals"]}
        self.assertEqual(sorted(told), ["broker_uncertain", "unsupported"])
        for words in ("[tasks] broker_url says localhost:5999, but", "pulp_worker-0 (process ", ":5672", "restart Pulp's services"):
            self.assertIn(words, told["broker_uncertain"])
        self.assertTrue(self.line(facts, "WITNESS").startswith("WITNESS against it: "))
        # Who names it knows better.
        url = f"amqp://{PULP[0]}:{PULP[1]}@localhost:5999//"
        named = self.facts(broker_url=url)["preflight"]["refusals"]
        self.assertEqual([refusal["name"] for refusal in named], ["unsupported"])

    def test_a_pulp_3_on_the_same_host_is_told_apart(self):
        # A service of that name which uses Pulp 2's broker: more of a Pulp 3 is not needed to be in the way.
        unit, url = "/etc/systemd/system/pulpcore-worker@.service", f"amqp://{PULP[0]}:{PULP[1]}@localhost:5672//"
        program = f"import kombu, time; kombu.Connection('{url}').connect(); time.sleep(600)"
        self.addCleanup(self.lab.shell, f"systemctl stop pulpcore-worker@1; rm {unit}; systemctl daemon-reload; systemctl reset-failed")
        self.lab.shell(f'cat >{unit} <<"EOF"\n[Service]\nExecStart=/usr/bin/python3 -c "{program}"\nEOF\nsystemctl daemon-reload')
        self.lab.exec("systemctl", "start", "pulpcore-worker@1")
        uses = ("ss", "-tnp", "state", "established", "dport", "=", ":5672")
        pid = self.lab.exec("systemctl", "show", "--value", "--property=MainPID", "pulpcore-worker@1").strip()
        until("it to be connected", lambda: f"pid={pid}," in self.lab.exec(*uses))
        facts = self.demand_refusal("broker_uncertain", "a Pulp 2 and a Pulp 3 are on this host; set `pulp` to 2 or 3")
        self.assertIsNone(facts["broker"])
        facts = self.demand_refusal("broker_shared", f"process {pid} (python3 of pulpcore-worker@1.service)", pulp="2")
        self.assertEqual((facts["pulp"], [s["name"] for s in facts["services"] if "pulpcore" in s["name"]]), (2, []))
        self.assertIn("; Pulp 3 is here too, and is left alone: pulpcore-worker@1 runs; ", self.line(facts, "FOUND"))
        # It has no settings that could be asked.
        facts = self.facts(pulp="3")
        self.assertIn("broker_uncertain", [refusal["name"] for refusal in facts["preflight"]["refusals"]])
        self.assertEqual([service["name"] for service in facts["services"]], ["pulpcore-worker@1.service"])
        self.lab.exec("systemctl", "stop", "pulpcore-worker@1")
        facts = self.demand_no_refusal()
        self.assertEqual(facts["pulp"], 2, "it is the only one that runs")

    def test_a_pulp_that_is_stopped_has_no_witness(self):
        services = ["pulp_workers", "pulp_worker-0", "pulp_worker-1", "pulp_resource_manager"]
        self.addCleanup(self.lab.exec, "systemctl", "start", *services)
        self.lab.exec("systemctl", "stop", *services)
        self.before = None
        facts = self.demand_no_refusal()
        self.assertTrue(self.line(facts, "WITNESS").startswith("WITNESS none: "))

    def test_a_variable_that_celery_takes_before_the_file(self):
        folder = "/run/systemd/system/pulp_celerybeat.service.d"
        self.addCleanup(self.lab.shell, f"rm -r {folder}; systemctl daemon-reload")
        line = "Environment=CELERY_BROKER_URL=amqp://elsewhere//"
        self.lab.shell(f"mkdir {folder}; printf '[Service]\\n{line}\\n' >{folder}/claim.conf; systemctl daemon-reload")
        facts = self.demand_refusal("broker_uncertain", "pulp_celerybeat.service has a variable CELERY_BROKER_...", "set `broker_url`")
        self.assertIsNone(facts["broker"])

    def test_another_program_on_pulps_host(self):
        pid = self.connect_unit(PULP, "/")
        facts = self.demand_refusal("broker_shared", f"process {pid} (python3 of billing.service)", "`accept_shared: true`")
        self.assertEqual([(user["pid"], user["unit"]) for user in facts["broker"]["users"]], [(pid, "billing.service")])
        accepted = self.demand_no_refusal(accept_shared=True)
        self.assertIn(f"process {pid} (python3 of billing.service)", self.line(accepted, "OTHERS"))
        # Packets from this host would be dropped for it as well.
        self.demand_refusal("broker_shared", f"process {pid} ", **AT_PULP)

    def test_another_program_with_a_virtual_host_of_its_own(self):
        self.use_billing()
        pid = self.connect_unit(BILLING, "bills")
        facts = self.demand_refusal("broker_shared", f"process {pid} (python3 of billing.service) as user billing of vhost bills")
        self.assertEqual(facts["preflight"]["others"]["virtual_hosts"], [], "it is told twice")

    def test_another_host_with_a_virtual_host_of_its_own(self):
        self.use_billing()
        address = self.connect_from_here(BILLING, "bills")
        facts = self.demand_refusal("broker_shared", f"user billing of vhost bills from {address} with 1 connection")
        self.assertEqual([peer["address"] for peer in facts["broker"]["peers"]], [address])
        self.demand_no_refusal(accept_shared=True)
        self.demand_no_refusal(**AT_PULP)

    def test_another_host_that_may_be_one_of_pulps(self):
        address = self.connect_from_here(PULP, "/")
        facts = self.demand_no_refusal()
        self.assertEqual(facts["broker"]["peers"], [{"address": address, "connections": 1, "users": ["pulp of /"]}])
        self.assertIn(f"from other hosts: {address} with 1 connection", self.line(facts, "OTHERS"))

    def test_a_cluster_manager(self):
        self.lab.exec("cp", "/bin/sleep", "/root/keepalived")
        self.addCleanup(self.lab.exec, "rm", "/root/keepalived")
        pid = self.run_unit("manager", "/root/keepalived", "600")
        facts = self.demand_refusal("unsupported", f"keepalived (process {pid})", "`apply_at: pulp`")
        self.assertEqual(facts["broker"]["cluster"], [{"name": "keepalived", "evidence": f"process {pid}"}])
        self.demand_no_refusal(**AT_PULP)

    def test_a_cluster_of_rabbitmq(self):
        # A second node of its own would take half a minute; what is looked at is that nodes are linked.
        node = self.lab.exec("rabbitmqctl", "-q", "eval", "node().").strip()
        second = "second@" + node.strip("'").partition("@")[2]
        home = ("--uid=rabbitmq", "--setenv=HOME=/var/lib/rabbitmq")
        self.run_unit("second", *home, "erl", "-noinput", "-sname", second, "-eval", f"net_kernel:connect_node({node}).")
        until("the nodes to meet", lambda: "second@" in self.lab.exec("rabbitmqctl", "-q", "eval", "nodes()."))
        self.demand_refusal("unsupported", "a RabbitMQ cluster (with second@")
        self.demand_no_refusal(**AT_PULP)

    def test_a_rabbitmqctl_that_never_answers(self):
        # The first place that is looked into; as the real one does, it goes on as another user and in another session.
        script = "#!/bin/sh\nsu rabbitmq -s /bin/sh -c \"sleep 60\"\n"
        self.lab.shell(f"printf '%s' '{script}' >/usr/local/sbin/rabbitmqctl; chmod 755 /usr/local/sbin/rabbitmqctl")
        self.addCleanup(self.lab.exec, "rm", "/usr/local/sbin/rabbitmqctl")
        began = time.monotonic()
        facts = self.demand_no_refusal()
        self.assertLess(time.monotonic() - began, 15)
        self.assertIn("none that the kernel shows (rabbitmqctl could not be asked: ", self.line(facts, "OTHERS"))
        self.assertEqual(self.lab.shell("pgrep -f '^sleep 60$' || true"), "", "it was left behind")

    def test_several_brokers(self):
        url = "amqp://u:hunter2@one//;amqp://u:hunter2@two//"
        facts = self.demand_refusal("unsupported", "parameter `broker_url` names several brokers", broker_url=url)
        self.assertIsNone(facts["broker"])
        self.assertNotIn("hunter2", str(facts))
        call(self.lab, "pulp_facts", fails=True, broker_url=url)

    def test_a_unix_socket_has_no_packets(self):
        url = "redis+socket:///run/redis.sock"
        self.demand_refusal("unsupported", "Unix socket", broker_url=url, method="reset")

    def test_a_broker_behind_a_forwarded_port(self):
        # As a container's published port: the kernel hands the connection on, and nobody here listens.
        self.addCleanup(self.lab.exec, "nft", "delete", "table", "ip", "forwarded", check=False)
        chain = "add chain ip forwarded out { type nat hook output priority -100; }"
        for rule in ("add table ip forwarded", chain, "add rule ip forwarded out tcp dport 5999 redirect to :5672"):
            self.lab.exec("nft", rule)
        url = f"amqp://{PULP[0]}:{PULP[1]}@127.0.0.1:5999//"
        self.demand_refusal("unsupported", "in a container or behind a forwarded port", broker_url=url)

    def test_a_listener_that_is_no_broker(self):
        facts = self.demand_refusal("unsupported", "of httpd.service listens at localhost:443", broker_url="amqp://localhost:443//")
        self.assertIn("of httpd.service listens there, does not answer: ", self.line(facts, "BROKER"))

    def test_a_host_without_systemd_run(self):
        self.lab.exec("mv", "/usr/bin/systemd-run", "/usr/bin/systemd-run.away")
        self.addCleanup(self.lab.exec, "mv", "/usr/bin/systemd-run.away", "/usr/bin/systemd-run")
        facts = self.demand_refusal("unsupported", "the undo needs systemd-run", "install it")
        self.assertEqual(self.line(facts, "UNDO"), "UNDO cannot run here: no systemd-run")

    def test_a_full_run(self):
        used = int(self.lab.exec("df", "--output=used", "-k", "/run").split()[-1])
        size = int(self.lab.exec("df", "--output=size", "-k", "/run").split()[-1])
        self.addCleanup(self.lab.mount, f"mount -o remount,size={size}k /run")
        self.lab.mount(f"mount -o remount,size={used + 600}k /run")
        facts = self.demand_refusal("unsupported", "/run is full (", "make 1 MiB free in /run")
        self.assertIn("UNDO cannot run here: /run is full", self.line(facts, "UNDO"))

    def test_a_firewall_that_may_not_be_changed(self):
        folder = "/run/systemd/system/ssh.service.d"
        # A connection that stands, which Ansible would use again, has what it began with.
        again = f"systemctl daemon-reload; {self.lab.LOSE}; systemctl start ssh.service"
        self.addCleanup(self.lab.shell, f"rm -r {folder}; {again}")
        self.lab.shell(f"mkdir {folder}; printf '[Service]\\nCapabilityBoundingSet=~CAP_NET_ADMIN\\n' >{folder}/less.conf; {again}")
        self.demand_no_refusal()
        facts = self.demand_refusal("unsupported", "CAP_NET_ADMIN", **AT_PULP)
        (planned,) = facts["preflight"]["outage"]["refusals"]
        self.assertIn("needs CAP_NET_ADMIN", planned["msg"])
        self.assertNotIn("\n", planned["msg"])
        self.assertEqual(self.line(facts, "UNDO"), "UNDO cannot run here: no right to change the firewall")

    def test_a_broker_that_is_away_already(self):
        self.lab.exec("systemctl", "stop", BROKER)
        self.addCleanup(self.lab.exec, "systemctl", "start", BROKER)
        self.before = None
        facts = self.demand_no_refusal()
        self.assertIn("does not answer: the connection is refused", self.line(facts, "BROKER"))
        self.assertEqual([refusal["name"] for refusal in facts["preflight"]["outage"]["refusals"]], ["outage_not_proven"])
        self.assertIn("(rabbitmqctl could not be asked: the broker does not answer)", self.line(facts, "OTHERS"))

    def demand_untouched(self, before):
        if before is None:
            self.demand_as_before()
        else:
            super().demand_untouched(before)

    def test_no_password_is_told(self):
        said = str(self.facts())
        for secret in (PULP[1], variables()["pulp_broker_test_password"]):
            self.assertNotIn(secret, said)


def log_in(connection, account, virtual_host):
    """AMQP 0-9-1 as far as a virtual host is open; there is no library for it on the host that runs the claims."""

    def frame():
        kind, _, size = struct.unpack("!BHI", exactly(7))
        body = exactly(size + 1)[:-1]
        return struct.unpack("!HH", body[:4]) if kind == 1 else None

    def exactly(size):
        data = b""
        while len(data) < size:
            more = connection.recv(size - len(data))
            if not more:
                raise AssertionError("RabbitMQ ended the connection")
            data += more
        return data

    def send(number, body):
        body = struct.pack("!HH", 10, number) + body
        connection.sendall(struct.pack("!BHI", 1, 0, len(body)) + body + b"\xce")

    def short(text):
        return bytes([len(text)]) + text.encode()

    def demand(number):
        if (seen := frame()) != (10, number):
            raise AssertionError(f"expected method {number} of RabbitMQ, got {seen}")

    login = "\0".join(["", *account]).encode()
    connection.sendall(b"AMQP\0\0\x09\x01")
    demand(10)
    send(11, struct.pack("!I", 0) + short("PLAIN") + struct.pack("!I", len(login)) + login + short("en_US"))
    demand(30)
    send(31, struct.pack("!HIH", 2047, 131072, 0))
    send(40, short(virtual_host) + b"\0\0")
    demand(41)


if __name__ == "__main__":
    unittest.main()
