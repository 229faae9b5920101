//! What a reply says whether it is a secret or not: the keys at which names stand, and our own words.

use serde_json::{Map, Value};

use super::places;

/// Keys at which others' text stands.
pub(super) const FOREIGN: &[&str] = &["error", "evidence", "exception", "line", "log", "words"];

/// Keys at which a whole file stands.
pub(super) const RENDERED: &[&str] = &["html", "json", "junit"];

/// Keys at which names stand: of units, hosts, users, states, places, instants. Nobody's words stand there, and
/// no secret: it is the names that a reader and the play go by.
pub(super) const NAMES: &[&str] = &[
    "actions",
    "active_state",
    "actor",
    "address",
    "addresses",
    "api_root",
    "apply_at",
    "began",
    "broker",
    "broker_unit",
    "ca_path",
    "cancels",
    "cause_host",
    "died",
    "domain",
    "down_at",
    "due_at",
    "ended",
    "event",
    "exit",
    "failed_step",
    "feed",
    "feed_host",
    "finished_at",
    "foreign",
    "grade",
    "healthy_at",
    "heartbeat",
    "host",
    "hosts",
    "href",
    "id",
    "keep",
    "kind",
    "known_at",
    "last_exit",
    "listed",
    "machine",
    "method",
    "name",
    "outcome",
    "package",
    "path",
    "pulp_api_root",
    "pulp_url",
    "pulp_version",
    "repository",
    "restart",
    "restart_setting",
    "restarted_hosts",
    "restored_at",
    "restores_at",
    "role",
    "run_id",
    "running",
    "scenario",
    "scenarios",
    "selinux",
    "service_manager",
    "sha256",
    "since",
    "socket",
    "source",
    "started_at",
    "state",
    "status",
    "steps",
    "sub_state",
    "tags",
    "target",
    "task",
    "task_id",
    "task_type",
    "tasks",
    "tls_minimum",
    "undo",
    "unit",
    "unit_id",
    "units",
    "up_at",
    "url",
    "user",
    "user_cert",
    "username",
    "users",
    "value",
    "version",
    "virtual_host",
    "void",
    "wait_for",
    "what",
    "worked_at",
    "worker",
    "workers",
];

/// Words of our messages that the play or a reader goes by, and that people have been seen to take for passwords.
/// What is a part of one of them is said with it.
const OURS: &[&str] = &[
    "VOID",
    "FAILED",
    "WOULD COLLECT",
    "REFUSED",
    "FOUND",
    "SETTINGS",
    "BROKER",
    "OTHERS on this broker",
    "TASKS",
    "DISK",
    "UNDO can run here",
    "OUTAGE",
    "DOWN",
    "UP",
    "CONNECTED",
    "COLLECTED",
    "OBSERVING",
    "PULP_BROKER_TEST verdict= name= actor= restored=yes report=",
    "Pulp is as it was before: yes",
    "What your users felt",
    "survived_with_defects",
    "broker_restored services_not_restored host_unreachable broker_uncertain broker_shared unhealthy_before busy",
    "unsupported outage_not_proven outage_interrupted undo_fired not_exercised service_did_not_start service_exited",
    "not_recovered connected_but_idle worker_missing scheduler_dead api_unavailable api_hangs health_failed",
    "task_stuck task_lost task_duplicated broker_not_restored broker_refuses leftovers agent_replies_lost flapping",
    "late canceled_by_pulp connection_survived restarted_by_supervisor",
    "pulp_workers.service pulp_worker-0.service pulp_resource_manager.service pulp_celerybeat.service",
    "pulpcore-api.service pulpcore-content.service pulpcore-resource-manager.service pulpcore-worker@1.service",
    "httpd.service apache2.service nginx.service goferd.service",
    "rabbitmq-server.service qpidd.service redis-server.service valkey.service postgresql.service mongod.service",
    "reserved_resource_worker-0 resource_manager@ scheduler@ celery celerybeat gofer rabbitmqctl systemctl systemd-run",
    "systemd sysv journalctl localhost 127.0.0.1 amqp amqps amqp1 mongodb https",
    "stop kill freeze partition reset started stopped restarted running absent present",
    "active (running) inactive failed exited dead refused answers answered lost connected",
    "worker workers resource manager scheduler service services server client host queue task tasks user users",
    "broker database cache API api web content Pulp pulp admin root guest apache test tests health healthy",
    "password secret token key certificate true false null none local remote",
];

/// Whether it is a word of ours, or a part of one.
pub(super) fn is_ours(secret: &str) -> bool {
    OURS.iter().any(|words| words.contains(secret))
}

/// Whether the reply says it: as a key, as a number, or among its names and not in a place for secrets.
pub(super) fn says(map: &Map<String, Value>, secret: &str) -> bool {
    map.iter().any(|(key, value)| {
        key.contains(secret) || !places::is_named(key) && value_says(value, key, secret)
    })
}

fn value_says(value: &Value, key: &str, secret: &str) -> bool {
    match value {
        Value::Null | Value::Bool(_) => false,
        Value::Number(number) => {
            let is_number = |c: char| c.is_ascii_digit() || matches!(c, '.' | '-' | '+' | 'e');
            secret.chars().all(is_number) && number.to_string().contains(secret)
        }
        Value::String(text) => text.contains(secret) && is_name(key) && names(text, secret),
        Value::Array(items) => items.iter().any(|item| value_says(item, key, secret)),
        Value::Object(map) => says(map, secret),
    }
}

fn is_name(key: &str) -> bool {
    NAMES.binary_search(&key).is_ok()
}

fn names(text: &str, secret: &str) -> bool {
    text.match_indices(secret).any(|(at, _)| {
        let (before, after) = (&text[..at], &text[at + secret.len()..]);
        !places::is_known(before, after, secret)
    })
}
