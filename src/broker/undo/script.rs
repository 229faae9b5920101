//! The undo's script: what was done to the broker first, then the broker, then the services, again with
//! growing pauses until all of it is true. It is plain shell and needs nothing of ours. It stops by
//! itself as soon as the record is no longer its own, so that an old one cannot end a new run's
//! outage.

use std::ffi::OsStr;
use std::path::Path;

use super::{BY_HAND, DIR, Record};
use crate::service::{WORKER_PREFIX, WORKERS};

/// How long one attempt waits for the broker, in seconds, before it starts the services all the same:
/// they wait for their broker by themselves.
const BROKER_SECONDS: u32 = 120;

/// What runs when the time has come. It runs the script if that is this timer's own, and else makes
/// sure that nothing of this timer stays, whenever the one who armed it has died. Neither a quote nor a
/// semicolon: after a `daemon-reload` systemd 252 reads `;` in a transient unit back as `\;`.
pub(super) fn door(timer: &str) -> String {
    let mine = format!("grep -qs {timer} {DIR}/record.json");
    format!(
        "{mine} && test -e {DIR}/heal && exec /bin/sh {DIR}/heal {timer} || \
         ( {mine} && mv {DIR} {DIR}.{timer} ) || true && \
         rm -rf {DIR}.{timer} && systemctl stop {timer}.timer"
    )
}

/// The script's text. Its argument is the timer that runs it, or `dry`, or nothing when a person does.
pub(super) fn text(record: &Record) -> String {
    let attempt = attempt(record).join("\n    ");
    format!(
        "#!/bin/sh\n\
         # Gives back what run {run} of the Pulp broker test took away on this host since {since}.\n\
         # By hand, at any time and more than once: {BY_HAND}\n\
         export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n\
         timer() {{\n\
         \x20   sed -n 's/.*\"timer\":\"\\([^\"]*\\)\".*/\\1/p' {DIR}/record.json 2>/dev/null\n\
         }}\n\
         attempt() {{\n\
         \x20   rc=0\n\
         \x20   {attempt}\n\
         \x20   return $rc\n\
         }}\n\
         if [ \"${{1:-}}\" = dry ]; then\n\
         \x20   for tool in systemctl grep sed timeout mv rm sleep; do\n\
         \x20       command -v $tool >/dev/null || exit 1\n\
         \x20   done\n\
         \x20   date +%s >{DIR}/heartbeat\n\
         \x20   exit\n\
         fi\n\
         mine=${{1:-$(timer)}}\n\
         pause=1\n\
         while [ -n \"$mine\" ] && [ \"$(timer)\" = \"$mine\" ]; do\n\
         \x20   if attempt && [ \"$(timer)\" = \"$mine\" ]; then\n\
         \x20       logger -t pulp_broker 'everything that the broker test took away was given back' 2>/dev/null\n\
         \x20       mv {DIR} {DIR}.$mine && rm -rf {DIR}.$mine\n\
         \x20       break\n\
         \x20   fi\n\
         \x20   sleep $pause\n\
         \x20   pause=$((pause * 2))\n\
         \x20   [ $pause -le 60 ] || pause=60\n\
         done\n\
         if [ -n \"$mine\" ]; then\n\
         \x20   systemctl stop \"$mine.timer\" 2>/dev/null\n\
         \x20   systemctl reset-failed \"$mine.service\" 2>/dev/null\n\
         fi\n\
         exit 0\n",
        run = comment(&record.run_id),
        since = record.since,
    )
}

fn attempt(record: &Record) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(taken) = &record.broker {
        let quiet = |command: &Vec<String>| {
            let words: Vec<String> = command.iter().map(|word| quoted(word)).collect();
            format!("{} >/dev/null 2>&1", words.join(" "))
        };
        lines.extend(taken.undo.iter().map(quiet));
        for command in &taken.left {
            lines.push(format!("! {} || rc=1", quiet(command)));
        }
    }
    if let Some(taken) = &record.broker
        && let Some(unit) = &taken.unit
    {
        let unit = quoted(unit);
        lines.push(format!("systemctl reset-failed {unit} 2>/dev/null"));
        lines.push(format!(
            "timeout {BROKER_SECONDS} systemctl start {unit} || rc=1"
        ));
        // State 0A is LISTEN; see proc(5).
        lines.extend(taken.port.map(|port| {
            format!(
                "grep -qs ':{port:04X} [0-9A-F]*:0000 0A ' /proc/net/tcp /proc/net/tcp6 || rc=1"
            )
        }));
        // A killed server leaves its socket behind; one that listens has this flag. See proc_net_unix in
        // the kernel's net/unix/af_unix.c: the path is as the server wrote it, which may be over a link.
        let socket = taken.socket.as_deref().and_then(Path::file_name);
        lines.extend(socket.and_then(OsStr::to_str).map(|name| {
            let listens = quoted(&format!(" 00010000 .*/{name}$"));
            format!("grep -qs {listens} /proc/net/unix || rc=1")
        }));
    }
    let (workers, others): (Vec<&String>, Vec<&String>) = record
        .services
        .iter()
        .partition(|s| s.starts_with(WORKER_PREFIX));
    if !workers.is_empty() && others.iter().any(|s| *s == WORKERS) {
        // Worker units that are gone are written anew by the umbrella.
        lines.push(format!(
            "systemctl cat {} >/dev/null 2>&1 || systemctl restart {WORKERS} || rc=1",
            all(&workers)
        ));
    }
    // The umbrella writes the workers' units, so these come after it.
    for group in [others, workers].iter().filter(|g| !g.is_empty()) {
        let units = all(group);
        // A start waits for a stop that does not end, such as that of a worker whose connection has just been cut.
        lines.push(format!("for unit in {units}; do"));
        lines.push("    case $(systemctl show --property=ActiveState \"$unit\") in".to_owned());
        lines.push("    *=deactivating) systemctl kill --signal=SIGKILL \"$unit\" ;;".to_owned());
        lines.push("    esac".to_owned());
        lines.push("done".to_owned());
        lines.push(format!("systemctl reset-failed {units} 2>/dev/null"));
        lines.push(format!("systemctl start {units} || rc=1"));
        // One call for all of them would be content with one that is active.
        lines.push(format!("for unit in {units}; do"));
        lines.push("    systemctl is-active --quiet \"$unit\" || rc=1".to_owned());
        lines.push("done".to_owned());
    }
    lines
}

fn all(units: &[&String]) -> String {
    units
        .iter()
        .map(|u| quoted(u))
        .collect::<Vec<_>>()
        .join(" ")
}

/// A word of the shell that stands for itself.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// A text that cannot end its comment.
fn comment(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::tests::sample;
    use super::*;
    use crate::host::process;

    #[test]
    fn rules_and_drop_ins_go_before_the_broker_comes_and_it_before_the_services() {
        let text = text(&sample());
        let rules = text.find("'nft' 'delete' 'table'").unwrap();
        let left = text.find("! 'nft' 'list' 'table'").unwrap();
        let broker = text
            .find("systemctl start 'rabbitmq-server.service'")
            .unwrap();
        let listens = text.find(":1628 [0-9A-F]*:0000 0A ").unwrap();
        let services = text.find("systemctl start 'httpd.service'").unwrap();
        assert!(rules < left && left < broker && broker < listens && listens < services);
    }

    #[test]
    fn a_broker_that_does_not_start_keeps_no_service_down() {
        let attempt = attempt(&sample()).join("\n");
        assert!(!attempt.contains("return"), "{attempt}");
        assert!(!attempt.contains("exit"), "{attempt}");
    }

    #[test]
    fn neither_a_run_id_nor_a_unit_can_add_a_command() {
        let text = text(&sample());
        assert!(
            text.contains("# Gives back what run r1; rm -rf / of"),
            "{text}"
        );
        assert!(text.contains(r"'it'\''s.service'"));
    }

    #[test]
    fn the_door_survives_a_reload_of_systemd() {
        let door = door("pulp_broker-heal-1");
        assert!(
            !door.contains([';', '$', '%', '\\', '\n', '"', '\'']),
            "{door}"
        );
    }

    #[test]
    fn the_shell_accepts_the_script_and_its_door() {
        for script in [text(&sample()), door("pulp_broker-heal-1")] {
            let check = ["sh", "-n", "-c", &script];
            let output = process::run(&check, Duration::from_secs(5)).unwrap();
            assert_eq!(output.code, 0, "{}", output.text);
        }
    }
}
