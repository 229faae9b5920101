//! Where a unit that is stopped would listen, by the configuration that its package has for it. It only speaks against a unit: one whose
//! configuration is not found, or includes others, may listen anywhere.

use std::path::{Path, PathBuf};

use super::{kind, port_in_name};
use crate::service::UNIT_DIRS;

/// The ports of these where their configuration names none.
const POSTGRESQL_PORT: u16 = 5432;
const REDIS_PORT: u16 = 6379;

/// Whether its configuration says that a unit listens neither at this port nor at this socket.
pub(in crate::broker) fn is_configured_elsewhere(
    unit: &str,
    port: Option<u16>,
    socket: Option<&Path>,
) -> bool {
    let name = unit.trim_end_matches(".service");
    let read = |path: &PathBuf| std::fs::read_to_string(path).ok();
    if is_started_otherwise(UNIT_DIRS, unit) {
        return false;
    }
    match kind(unit) {
        Some("postgresql") => {
            let port = port.or_else(|| port_in_name(socket?));
            let found = postgresql_text(&postgresql_file(name));
            found.is_some_and(|text| !includes(&text) && Some(postgresql_port(&text)) != port)
        }
        Some("redis") => {
            let found = redis_files(name).iter().find_map(read);
            found.is_some_and(|text| !includes(&text) && !redis_listens(&text, port, socket))
        }
        _ => false,
    }
}

/// Whether what starts the unit may say more than its configuration: somebody's drop-in or own unit file, or the port on the command
/// line, as in EL7's unit of PostgreSQL (`-p ${PGPORT}`).
fn is_started_otherwise(folders: &[&str], unit: &str) -> bool {
    let is_there = |dir: &&str| Path::new(dir).join(format!("{unit}.d")).is_dir();
    let [own, runtime, shipped @ ..] = folders else {
        return false;
    };
    [own, runtime]
        .iter()
        .any(|dir| is_there(dir) || Path::new(dir).join(unit).is_file())
        || shipped.iter().any(|dir| {
            let text = std::fs::read_to_string(Path::new(dir).join(unit));
            is_there(dir) || text.is_ok_and(|text| text.contains("PGPORT"))
        })
}

/// A `postgresql.conf`, and after it what `ALTER SYSTEM` has written, which counts more.
pub(super) fn postgresql_text(path: &Path) -> Option<String> {
    let mut text = std::fs::read_to_string(path).ok()?;
    let said = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("data_directory"))
        .filter_map(|rest| rest.split('\'').nth(1))
        .next_back();
    let data = said.map_or_else(|| path.with_file_name(""), PathBuf::from);
    let altered = std::fs::read_to_string(data.join("postgresql.auto.conf"));
    text.push('\n');
    text += &altered.unwrap_or_default();
    Some(text)
}

fn postgresql_file(name: &str) -> PathBuf {
    let folder = match name.split_once('-') {
        None => "/var/lib/pgsql/data".to_owned(),
        Some(("postgresql", version)) => format!("/var/lib/pgsql/{version}/data"),
        _ => {
            let collection = name.trim_end_matches("-postgresql");
            format!("/var/opt/rh/{collection}/lib/pgsql/data")
        }
    };
    Path::new(&folder).join("postgresql.conf")
}

fn redis_files(name: &str) -> Vec<PathBuf> {
    let paths = match name.split_once('@') {
        Some((_, one)) => vec![
            format!("/etc/redis/{one}.conf"),
            format!("/etc/redis/redis-{one}.conf"),
            format!("/etc/valkey/{one}.conf"),
        ],
        None if name.starts_with("valkey") => vec!["/etc/valkey/valkey.conf".to_owned()],
        None if name.starts_with("keydb") => vec!["/etc/keydb/keydb.conf".to_owned()],
        None if matches!(name, "redis" | "redis-server") => {
            vec![
                "/etc/redis/redis.conf".to_owned(),
                "/etc/redis.conf".to_owned(),
            ]
        }
        None => vec![format!(
            "/etc/opt/rh/{}/redis.conf",
            name.trim_end_matches("-redis")
        )],
    };
    paths.into_iter().map(PathBuf::from).collect()
}

/// Whether it takes in other files, which may say something else.
fn includes(text: &str) -> bool {
    text.lines()
        .any(|line| line.trim_start().starts_with("include"))
}

/// The port in a `postgresql.conf`; the last one counts, and the equals sign may be missing.
pub(super) fn postgresql_port(text: &str) -> u16 {
    let words = text
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default());
    words
        .filter_map(|line| line.trim().strip_prefix("port"))
        .filter_map(|rest| rest.trim_matches([' ', '\t', '=', '\'']).parse().ok())
        .next_back()
        .unwrap_or(POSTGRESQL_PORT)
}

fn redis_listens(text: &str, port: Option<u16>, socket: Option<&Path>) -> bool {
    let value = |name: &str| {
        let lines = text.lines().map(str::split_whitespace);
        let mut values = lines.filter_map(|mut words| {
            let is_it = words.next()?.eq_ignore_ascii_case(name);
            words.next().filter(|_| is_it)
        });
        values
            .next_back()
            .map(|value| value.trim_matches('"').to_owned())
    };
    let number = |name: &str| value(name).and_then(|value| value.parse::<u16>().ok());
    match (port, socket) {
        (Some(port), _) => {
            number("port").unwrap_or(REDIS_PORT) == port || number("tls-port") == Some(port)
        }
        // A path may be written in more than one way.
        (None, Some(_)) => value("unixsocket").is_some(),
        (None, None) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_of_postgresql_is_the_last_one() {
        assert_eq!(postgresql_port("port = 1\nport 5433 # x\n"), 5433);
        assert_eq!(postgresql_port("# nothing\nportal = 7\n"), POSTGRESQL_PORT);
    }

    #[test]
    fn what_was_altered_by_sql_counts_more() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        std::fs::create_dir(&data).unwrap();
        std::fs::write(data.join("postgresql.auto.conf"), "port = '5434'\n").unwrap();
        let conf = folder.path().join("postgresql.conf");
        let text = format!("data_directory = '{}'\nport = 5433\n", data.display());
        std::fs::write(&conf, text).unwrap();
        assert_eq!(postgresql_port(&postgresql_text(&conf).unwrap()), 5434);
        std::fs::write(data.join("postgresql.conf"), "port = 5433\n").unwrap();
        let text = postgresql_text(&data.join("postgresql.conf")).unwrap();
        assert_eq!(postgresql_port(&text), 5434);
    }

    #[test]
    fn a_unit_that_is_started_otherwise_may_listen_anywhere() {
        let root = tempfile::tempdir().unwrap();
        let dirs = ["etc", "run", "usr"].map(|dir| root.path().join(dir));
        let usr = dirs[2].join("postgresql.service");
        let is_so = || {
            let folders = dirs.each_ref().map(|dir| dir.to_str().unwrap());
            is_started_otherwise(&folders, "postgresql.service")
        };
        for dir in &dirs {
            std::fs::create_dir(dir).unwrap();
        }
        std::fs::write(&usr, "ExecStart=/usr/bin/postmaster -D ${PGDATA}\n").unwrap();
        assert!(!is_so());
        std::fs::create_dir(dirs[0].join("postgresql.service.d")).unwrap();
        assert!(is_so());
        std::fs::remove_dir(dirs[0].join("postgresql.service.d")).unwrap();
        std::fs::write(&usr, "ExecStart=/usr/bin/pg_ctl -o \"-p ${PGPORT}\"\n").unwrap();
        assert!(is_so());
    }

    #[test]
    fn a_redis_is_elsewhere_only_where_its_configuration_says_so() {
        let socket = Some(Path::new("/run/redis/r.sock"));
        assert!(redis_listens("# port 1\n", Some(6379), None));
        assert!(redis_listens("port 0\ntls-port 6380\n", Some(6380), None));
        assert!(!redis_listens("port 6380\n", Some(6379), None));
        assert!(redis_listens("unixsocket /x\n", None, socket));
        assert!(!redis_listens("port 6379\n", None, socket));
        assert!(includes("include /etc/redis/more.conf\n"));
    }

    #[test]
    fn each_package_has_its_own_place() {
        let postgresql = |name| postgresql_file(name).to_str().unwrap().to_owned();
        assert_eq!(
            postgresql("postgresql-9.6"),
            "/var/lib/pgsql/9.6/data/postgresql.conf"
        );
        assert_eq!(
            postgresql("postgresql"),
            "/var/lib/pgsql/data/postgresql.conf"
        );
        let collection = "/var/opt/rh/rh-postgresql12/lib/pgsql/data/postgresql.conf";
        assert_eq!(postgresql("rh-postgresql12-postgresql"), collection);
        let redis = |name| redis_files(name)[0].to_str().unwrap().to_owned();
        assert_eq!(redis("rh-redis5-redis"), "/etc/opt/rh/rh-redis5/redis.conf");
        assert_eq!(redis("redis@pulp"), "/etc/redis/pulp.conf");
    }
}
