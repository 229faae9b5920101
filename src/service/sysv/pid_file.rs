//! Which process is a service's main one where only a pid file tells: where the file is, and whether
//! the process of that number is really the one that it was written for. A file outlives its process,
//! and the kernel gives the number away again.

use crate::names::{WORKER_PREFIX, WORKERS, listed};

/// Where Pulp's own init scripts keep their pid files.
pub(super) const PULP_DIR: &str = "/var/run/pulp";

/// What a worker's pid file, its node and its command line begin with.
pub(super) const NODE: &str = listed::WORKER;

/// By how much a pid file may be older than its process: both times are rounded to seconds.
const SLACK_SECONDS: u64 = 2;

/// What is known of the pid files of one service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PidFiles {
    /// Where it may be; the first that is there counts.
    pub(super) paths: Vec<String>,
    /// The service always keeps one: without it, it does not run. Else its script is asked.
    pub(super) certain: bool,
}

/// Where the pid file of a service is, by its unit's name and the text of its init script.
pub(super) fn place(unit: &str, script: &str) -> PidFiles {
    let name = unit.trim_end_matches(".service");
    if let Some(number) = name.strip_prefix(WORKER_PREFIX) {
        return certain(format!("{PULP_DIR}/{NODE}{number}.pid"));
    }
    match name {
        "pulp_resource_manager" => return certain(format!("{PULP_DIR}/resource_manager.pid")),
        "pulp_celerybeat" => return certain(format!("{PULP_DIR}/celerybeat.pid")),
        _ => {}
    }
    let said = said(script);
    let known = match name {
        "httpd" => vec!["/var/run/httpd/httpd.pid", "/var/run/httpd.pid"],
        "rabbitmq-server" => vec!["/var/run/rabbitmq/pid"],
        _ => vec![],
    };
    let certain = !known.is_empty();
    let guessed = [
        format!("/var/run/{name}.pid"),
        format!("/var/run/{name}/{name}.pid"),
    ];
    PidFiles {
        paths: said
            .into_iter()
            .chain(known.into_iter().map(str::to_owned))
            .chain(guessed)
            .collect(),
        certain,
    }
}

fn certain(path: String) -> PidFiles {
    PidFiles {
        paths: vec![path],
        certain: true,
    }
}

/// What the script itself says: `# pidfile: PATH` in its header (EL), else a variable whose value is
/// written out, such as `PID_FILE=/var/run/rabbitmq/pid` or `pidfile=${PIDFILE-/var/run/x.pid}`.
fn said(script: &str) -> Option<String> {
    let header = script
        .lines()
        .filter_map(|line| line.strip_prefix('#')?.trim().strip_prefix("pidfile:"))
        .map(str::trim);
    let variable = script
        .lines()
        .filter_map(|line| line.trim().split_once('='))
        .filter(|(name, _)| {
            matches!(
                name.to_ascii_lowercase().as_str(),
                "pidfile" | "pid_file" | "daemon_pidfile"
            )
        })
        .map(|(_, value)| {
            let value = value.trim_matches(|c| matches!(c, '"' | '\'' | '}'));
            value
                .strip_prefix("${")
                .map_or(value, |default| default.trim_start_matches(|c| c != '/'))
        });
    header
        .chain(variable)
        .find(|path| path.starts_with('/') && !path.contains(['$', '`', ' ']))
        .map(str::to_owned)
}

/// The number in a pid file.
pub(super) fn number(text: &str) -> Option<u32> {
    let first = text.split_whitespace().next()?;
    first.parse().ok().filter(|pid| *pid > 0)
}

/// The first number after `pid` in what a script's `status` prints: `qpidd (pid  264) is running...`.
pub(super) fn number_in_status(text: &str) -> Option<u32> {
    text.match_indices("pid").find_map(|(at, word)| {
        let digits: String = text[at + word.len()..]
            .trim_start_matches([' ', ':', '='])
            .chars()
            .take_while(char::is_ascii_digit)
            .collect();
        number(&digits)
    })
}

/// A process as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PidFileSeen {
    /// The name of its program, and its command line.
    pub(super) text: String,
    /// When it was started, in seconds of the wall clock.
    pub(super) started: u64,
}

/// Whether a process is the one for which the pid file was written, at `written` seconds of the wall
/// clock. Of services that are known it must carry their words; of others it must have been there when
/// the file was written.
pub(super) fn is_of(unit: &str, seen: &PidFileSeen, written: u64) -> bool {
    let name = unit.trim_end_matches(".service");
    if let Some(number) = name.strip_prefix(WORKER_PREFIX) {
        return mentions(&seen.text, &format!("{NODE}{number}"));
    }
    match words(name) {
        [] => seen.started <= written + SLACK_SECONDS,
        words => words.iter().any(|word| seen.text.contains(word)),
    }
}

/// What the processes of a known service say of themselves.
fn words(name: &str) -> &'static [&'static str] {
    match name {
        "httpd" => &["httpd", "apache2"],
        "pulp_resource_manager" => &["resource_manager"],
        "pulp_celerybeat" => &["beat"],
        "rabbitmq-server" => &["beam", "rabbitmq"],
        "qpidd" => &["qpidd"],
        _ => &[],
    }
}

/// The same as a basic regular expression for a command line; of an unknown service everything fits.
pub(super) fn pattern(unit: &str) -> String {
    let name = unit.trim_end_matches(".service");
    match name.strip_prefix(WORKER_PREFIX) {
        Some(number) => format!("{NODE}{number}[^0-9]"),
        None => words(name).join("\\|"),
    }
}

/// Whether a text names a node, and not one whose number only begins alike.
fn mentions(text: &str, node: &str) -> bool {
    text.match_indices(node)
        .any(|(at, _)| !text[at + node.len()..].starts_with(|c: char| c.is_ascii_digit()))
}

/// The init script by which a unit is reached: workers have none of their own.
pub(super) fn script_name(unit: &str) -> &str {
    if unit.starts_with(WORKER_PREFIX) {
        return WORKERS.trim_end_matches(".service");
    }
    unit.trim_end_matches(".service")
}

/// How many workers Pulp's configuration asks for, if it says so.
pub(super) fn concurrency(defaults: &str) -> Option<u32> {
    defaults
        .lines()
        .filter_map(|line| {
            let line = line.trim();
            line.strip_prefix("export ")
                .unwrap_or(line)
                .strip_prefix("PULP_CONCURRENCY=")
        })
        .filter_map(|value| value.trim_matches(['"', '\'']).parse().ok())
        .next_back()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(text: &str, started: u64) -> PidFileSeen {
        PidFileSeen {
            text: text.to_owned(),
            started,
        }
    }

    #[test]
    fn the_script_says_where_its_pid_file_is() {
        let el = "#!/bin/bash\n# processname: httpd\n# pidfile: /var/run/httpd/httpd.pid\n";
        assert_eq!(said(el).as_deref(), Some("/var/run/httpd/httpd.pid"));
        let debian = "NAME=rabbitmq-server\nPID_FILE=/var/run/rabbitmq/pid\n";
        assert_eq!(said(debian).as_deref(), Some("/var/run/rabbitmq/pid"));
        let quoted = "PIDFILE=\"/run/sshd.pid\"\n";
        assert_eq!(said(quoted).as_deref(), Some("/run/sshd.pid"));
        let default = "pidfile=${PIDFILE-/var/run/httpd/httpd.pid}\n";
        assert_eq!(said(default).as_deref(), Some("/var/run/httpd/httpd.pid"));
        let composed = "PIDFILE=/var/run/$NAME.pid\n";
        assert_eq!(said(composed), None);
    }

    #[test]
    fn workers_and_their_manager_have_pulps_pid_files() {
        let worker = place("pulp_worker-1.service", "");
        assert_eq!(
            worker.paths,
            ["/var/run/pulp/reserved_resource_worker-1.pid"]
        );
        assert!(worker.certain);
        assert!(!place("mongod.service", "").certain);
        assert_eq!(
            place("mongod.service", "").paths,
            ["/var/run/mongod.pid", "/var/run/mongod/mongod.pid"]
        );
    }

    #[test]
    fn another_worker_under_the_number_of_a_dead_one_is_not_it() {
        let one = seen("celery worker -n reserved_resource_worker-1@h", 9);
        let eleven = seen("celery worker -n reserved_resource_worker-11@h", 9);
        assert!(is_of("pulp_worker-1.service", &one, 0));
        assert!(!is_of("pulp_worker-1.service", &eleven, 0));
        assert!(!is_of("httpd.service", &one, 99));
    }

    #[test]
    fn the_shell_looks_for_the_same_words() {
        assert_eq!(pattern("httpd.service"), "httpd\\|apache2");
        assert_eq!(
            pattern("pulp_worker-1.service"),
            "reserved_resource_worker-1[^0-9]"
        );
        assert_eq!(pattern("mongod.service"), "");
    }

    #[test]
    fn a_process_that_is_younger_than_its_pid_file_is_another() {
        assert!(is_of("mongod.service", &seen("mongod", 100), 100));
        assert!(!is_of("mongod.service", &seen("mongod", 200), 100));
    }

    #[test]
    fn a_pid_file_holds_a_number_and_nothing_else_counts() {
        assert_eq!(number("264\n"), Some(264));
        assert_eq!(number("0"), None);
        assert_eq!(number(""), None);
        assert_eq!(number("x1"), None);
        assert_eq!(
            number_in_status("qpidd (pid  41 42) is running...\n"),
            Some(41)
        );
        assert_eq!(number_in_status("qpidd is stopped\n"), None);
    }

    #[test]
    fn the_last_word_on_the_number_of_workers_counts() {
        let defaults = "# PULP_CONCURRENCY=8\nPULP_CONCURRENCY=2\nexport PULP_CONCURRENCY=\"3\"\n";
        assert_eq!(concurrency(defaults), Some(3));
        assert_eq!(concurrency("# nothing\n"), None);
    }

    #[test]
    fn a_worker_is_reached_by_the_script_of_all_workers() {
        assert_eq!(script_name("pulp_worker-0.service"), "pulp_workers");
        assert_eq!(script_name("httpd.service"), "httpd");
    }
}
