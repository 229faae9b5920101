//! Why a broker that answers does not serve Pulp, by the broker's own words: it says them to who asks, and they stand in the logs of
//! those whom it refuses.

use super::celery;
use serde::{Deserialize, Serialize};

/// Why a broker refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reason {
    /// User or password are wrong.
    Login,
    /// The user may not do this.
    Permission,
    /// The virtual host or the database is not there.
    Missing,
    /// TLS does not come about.
    Tls,
    /// There are as many connections or channels as there may be.
    Limit,
    /// It takes no writes.
    ReadOnly,
    /// It is recovering, and serves nobody until then.
    Recovering,
    /// It cannot save its data to disk, and takes no writes.
    Unsaved,
    /// Its memory is full, and it takes no writes.
    Full,
    /// It has an alarm, and blocks everybody who publishes.
    Alarm,
}

/// What a broker said, and what that stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BrokerRefusal {
    pub(crate) reason: Reason,
    /// Its own words.
    pub(crate) words: String,
}

/// Whose words they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Product {
    Amqp,
    Redis,
    Postgresql,
}

impl Product {
    /// By the kind of a broker, as [`Begin::kind`](super::Begin::kind) has it.
    fn of(kind: &str) -> Option<Self> {
        match kind {
            "rabbitmq" | "qpid" | "amqp" => Some(Self::Amqp),
            "redis" => Some(Self::Redis),
            "postgresql" => Some(Self::Postgresql),
            _ => None,
        }
    }
}

/// What each says; the first that fits counts. Sources: `rabbit_reader.erl` and `rabbit_auth_mechanism*.erl`; `server.c` of Redis and the
/// exceptions of redis-py, which cuts the first word off; `postinit.c`, `auth.c` and `utility.c` of PostgreSQL, and the exceptions of
/// psycopg, whose names stay where the server speaks another language.
const WORDS: &[(Product, &str, Reason)] = &[
    (Product::Amqp, "connection limit (", Reason::Limit),
    (
        Product::Amqp,
        "NOT_ALLOWED - number of channels opened",
        Reason::Limit,
    ),
    (
        Product::Amqp,
        "ACCESS_REFUSED - Login was refused",
        Reason::Login,
    ),
    (
        Product::Amqp,
        "NOT_ALLOWED - access to vhost",
        Reason::Permission,
    ),
    (Product::Amqp, "ACCESS_REFUSED - ", Reason::Permission),
    (Product::Amqp, "NOT_ALLOWED - vhost ", Reason::Missing),
    (
        Product::Amqp,
        "INTERNAL_ERROR - access to vhost",
        Reason::Missing,
    ),
    (Product::Redis, "MISCONF", Reason::Unsaved),
    (Product::Redis, "unable to persist to disk", Reason::Unsaved),
    (
        Product::Redis,
        "command not allowed when used memory",
        Reason::Full,
    ),
    (
        Product::Redis,
        "You can't write against a read only",
        Reason::ReadOnly,
    ),
    (
        Product::Redis,
        "max number of clients reached",
        Reason::Limit,
    ),
    (Product::Redis, "Authentication required", Reason::Login),
    (Product::Redis, "WRONGPASS", Reason::Login),
    (
        Product::Redis,
        "invalid username-password pair",
        Reason::Login,
    ),
    (
        Product::Redis,
        "without any password configured",
        Reason::Login,
    ),
    (Product::Redis, "NOPERM", Reason::Permission),
    (Product::Redis, "has no permissions to", Reason::Permission),
    (
        Product::Postgresql,
        "authentication failed for user",
        Reason::Login,
    ),
    (
        Product::Postgresql,
        "is not permitted to log in",
        Reason::Login,
    ),
    (Product::Postgresql, "no pg_hba.conf entry", Reason::Login),
    (
        Product::Postgresql,
        "in a read-only transaction",
        Reason::ReadOnly,
    ),
    (
        Product::Postgresql,
        "ReadOnlySqlTransaction",
        Reason::ReadOnly,
    ),
    (
        Product::Postgresql,
        "sorry, too many clients already",
        Reason::Limit,
    ),
    (
        Product::Postgresql,
        "too many connections for ",
        Reason::Limit,
    ),
    (
        Product::Postgresql,
        "remaining connection slots are reserved",
        Reason::Limit,
    ),
    (
        Product::Postgresql,
        "the database system is in recovery mode",
        Reason::Recovering,
    ),
    (
        Product::Postgresql,
        "the database system is not yet accepting connections",
        Reason::Recovering,
    ),
    (
        Product::Postgresql,
        "the database system is not accepting connections",
        Reason::Recovering,
    ),
    (
        Product::Postgresql,
        "is not currently accepting connections",
        Reason::Permission,
    ),
    (
        Product::Postgresql,
        "permission denied for database",
        Reason::Permission,
    ),
];

/// What OpenSSL says of a handshake that fails.
const TLS: &[&str] = &[
    "certificate verify failed",
    "CERTIFICATE_VERIFY_FAILED",
    "WRONG_VERSION_NUMBER",
    "wrong version number",
    "tlsv1 alert",
    "TLSV1_ALERT",
    "sslv3 alert",
    "SSLV3_ALERT",
    "server does not support SSL",
];

/// What libpq says before it names the server. Whatever Celery says of a broker is about the broker too; a feed is neither.
const LIBPQ: &str = "connection to server at";

impl BrokerRefusal {
    /// What a text says of a broker of this kind.
    pub(crate) fn of(kind: &str, text: &str) -> Option<Self> {
        let product = Product::of(kind)?;
        let refusal = |(_, _, reason): &(Product, &str, Reason)| *reason;
        let mut own = WORDS.iter().filter(|(of, ..)| *of == product);
        let said = own.find(|(_, words, _)| text.contains(words)).map(refusal);
        let tls = || {
            let is_tls = TLS.iter().any(|words| text.contains(words));
            let is_of_broker = celery::tells_of_outage(text) || text.contains(LIBPQ);
            (is_tls && is_of_broker).then_some(Reason::Tls)
        };
        let missing = || {
            let names_it = product == Product::Postgresql
                && ["database \"", "role \""].iter().any(|w| text.contains(w));
            (names_it && text.contains("\" does not exist")).then_some(Reason::Missing)
        };
        Some(Self {
            reason: said.or_else(tls).or_else(missing)?,
            words: text.to_owned(),
        })
    }
}

impl BrokerRefusal {
    /// Who is refused so has no connection.
    pub(crate) fn keeps_out(&self) -> bool {
        matches!(
            self.reason,
            Reason::Login | Reason::Permission | Reason::Missing | Reason::Tls | Reason::Recovering
        )
    }

    /// It is about who asks, and not about what the broker does for all.
    pub(crate) fn is_of_user(&self) -> bool {
        matches!(self.reason, Reason::Login | Reason::Permission)
    }
}

impl Reason {
    /// What the broker does, as the end of a sentence that begins with its unit.
    pub(crate) const fn told(self) -> &'static str {
        match self {
            Self::Login => "refuses Pulp's login",
            Self::Permission => "does not permit Pulp's user what it needs",
            Self::Missing => "does not have what Pulp connects to",
            Self::Tls => "and Pulp do not agree on TLS",
            Self::Limit => "accepts no further connection or channel of Pulp's",
            Self::ReadOnly => "takes no writes",
            Self::Recovering => "is in recovery and serves nobody",
            Self::Unsaved => "takes no writes, because it cannot save its data",
            Self::Full => "takes no writes, because its memory is full",
            Self::Alarm => "has an alarm and blocks everybody who publishes",
        }
    }

    /// What helps. `unit` is the broker's, `kind` what it is.
    pub(crate) fn remedy(self, kind: &str, unit: &str) -> String {
        let log = format!("`journalctl -u {unit}`");
        let again = "then restart Pulp's services";
        match (Product::of(kind), self) {
            (Some(Product::Amqp), Self::Login) => format!(
                "Make the password the one that Pulp has (`rabbitmqctl change_password`), or write the new one into \
                 /etc/pulp/server.conf; {again}."
            ),
            (Some(Product::Amqp), Self::Permission) => format!(
                "Look at what the user may do (`rabbitmqctl list_permissions -p /`, `rabbitmqctl set_permissions`); {again}."
            ),
            (Some(Product::Amqp), Self::Missing) => format!(
                "Look for the virtual host (`rabbitmqctl list_vhosts name`), make it again (`rabbitmqctl add_vhost`, \
                 `rabbitmqctl set_permissions`); {again}."
            ),
            (Some(Product::Amqp), Self::Limit) => format!(
                "Raise or clear the limit (`rabbitmqctl list_vhost_limits`, `rabbitmqctl clear_vhost_limits`), or find who \
                 holds the connections (`rabbitmqctl list_connections user peer_host`); {again}."
            ),
            (Some(Product::Postgresql), Self::Login) => format!(
                "Make the password the one that Pulp has (`ALTER ROLE … PASSWORD`), or write the new one into Pulp's settings; \
                 look at pg_hba.conf too; {again}."
            ),
            (Some(Product::Postgresql), Self::ReadOnly) => format!(
                "See whether it is a standby (`SELECT pg_is_in_recovery()`: promote it, or let Pulp connect to the primary), or \
                 is told to be read-only (`SHOW default_transaction_read_only`); {again}."
            ),
            (Some(Product::Postgresql), Self::Limit) => format!(
                "See who holds the connections (`SELECT usename, client_addr, count(*) FROM pg_stat_activity GROUP BY 1, 2`) and \
                 what the limits are (`SHOW max_connections`, `rolconnlimit` in pg_roles); {again}."
            ),
            (Some(Product::Redis), Self::ReadOnly) => format!(
                "It is a replica (`redis-cli info replication`): make it the master (`redis-cli replicaof no one`), or let Pulp \
                 connect to the master; {again}."
            ),
            (Some(Product::Redis), Self::Unsaved) => format!(
                "Find why it cannot save ({log}, `redis-cli info persistence`): a full disk, or a folder that it may not write \
                 to; {again}."
            ),
            (Some(Product::Redis), Self::Full) => format!(
                "Give it more memory (`redis-cli config get maxmemory`) or find what fills it (`redis-cli info memory`); {again}."
            ),
            (Some(Product::Redis), Self::Login) => format!(
                "Compare its password and users (`requirepass`, `redis-cli acl list`) with Pulp's settings; {again}."
            ),
            (_, Self::Alarm) => {
                "Free what the alarm is about, memory or disk (`rabbitmqctl status` shows both limits); it ends by itself then."
                    .to_owned()
            }
            (_, Self::Tls) => format!(
                "Compare the broker's certificate and versions with what Pulp trusts and speaks ({log}); {again}."
            ),
            (_, Self::Recovering) => format!("Wait until it has recovered ({log}); {again}."),
            _ => format!("Read the broker's log ({log}), cure that; {again}."),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(kind: &str, text: &str) -> Option<Reason> {
        BrokerRefusal::of(kind, text).map(|refusal| refusal.reason)
    }

    #[test]
    fn each_broker_is_known_by_its_own_words() {
        for (kind, text, expected) in [
            (
                "rabbitmq",
                "Unrecoverable error: AccessRefused(403, \"ACCESS_REFUSED - Login was refused using authentication mechanism \
                 PLAIN. For details see the broker logfile.\", (0, 0), '')",
                Reason::Login,
            ),
            (
                "rabbitmq",
                "NOT_ALLOWED - access to vhost '/' refused for user 'pulp': connection limit (0) is reached",
                Reason::Limit,
            ),
            (
                "amqp",
                "NOT_ALLOWED - access to vhost '/' refused for user 'pulp'",
                Reason::Permission,
            ),
            (
                "rabbitmq",
                "NOT_ALLOWED - vhost / not found",
                Reason::Missing,
            ),
            (
                "rabbitmq",
                "Cannot connect to amqps://pulp:**@b:5671//: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed",
                Reason::Tls,
            ),
            (
                "redis",
                "-MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.",
                Reason::Unsaved,
            ),
            (
                "redis",
                "redis.exceptions.ReadOnlyError: You can't write against a read only replica.",
                Reason::ReadOnly,
            ),
            (
                "redis",
                "redis.exceptions.OutOfMemoryError: command not allowed when used memory > 'maxmemory'.",
                Reason::Full,
            ),
            (
                "postgresql",
                "FATAL:  password authentication failed for user \"pulp\"",
                Reason::Login,
            ),
            (
                "postgresql",
                "FATAL:  too many connections for role \"pulp\"",
                Reason::Limit,
            ),
            (
                "postgresql",
                "psycopg.errors.ReadOnlySqlTransaction: UPDATE kann nicht ausgeführt werden",
                Reason::ReadOnly,
            ),
            (
                "postgresql",
                "FATAL:  database \"pulp\" does not exist",
                Reason::Missing,
            ),
        ] {
            assert_eq!(reason(kind, text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_others_refuse_and_what_is_no_refusal_are_none() {
        for (kind, text) in [
            // The broker is PostgreSQL, and a cache complains.
            (
                "postgresql",
                "MISCONF Redis is configured to save RDB snapshots",
            ),
            // A feed's certificate.
            (
                "rabbitmq",
                "sync of `x` failed: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed",
            ),
            (
                "rabbitmq",
                "Cannot connect to amqp://pulp:**@b:5672//: [Errno 111] Connection refused",
            ),
            ("postgresql", "relation \"core_task\" does not exist"),
            ("", "ACCESS_REFUSED - Login was refused"),
        ] {
            assert_eq!(reason(kind, text), None, "{text}");
        }
    }

    #[test]
    fn each_remedy_says_something_of_the_broker() {
        for kind in ["rabbitmq", "qpid", "redis", "postgresql", ""] {
            for (_, _, reason) in WORDS {
                let remedy = reason.remedy(kind, "mq.service");
                assert!(remedy.ends_with('.') && remedy.len() > 30, "{remedy}");
            }
        }
    }
}
