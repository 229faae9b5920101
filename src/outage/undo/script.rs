//! The undo's script: what was done to the broker first, then the broker, then the services, again with
//! growing pauses until all of it is true. It is plain shell and needs nothing of ours. It stops by
//! itself as soon as the record is no longer its own, so that an old one cannot end a new run's
//! outage.

use std::ffi::OsStr;
use std::path::Path;

use super::{BY_HAND, DIR, MADE_RUN, Record, Taken};
use crate::host::process::quoted;
use crate::service::{Manager, Restart, RestartScript};
use crate::timeline;

/// How long one attempt waits for the broker, in seconds, before it starts the services all the same:
/// they wait for their broker by themselves.
const BROKER_SECONDS: u32 = 120;

/// What runs when the time has come. It runs the script if that is this timer's own, and else makes
/// sure that nothing of this timer stays, whenever the one who armed it has died. It ends well even where
/// others were quicker, by hand or by the module, and the timer is gone: systemd keeps a unit that
/// failed. Neither a quote nor a semicolon: after a `daemon-reload` systemd 252 reads `;` in a transient unit back as `\;`.
pub(super) fn door(timer: &str, manager: &dyn Manager) -> String {
    let mine = wanted(timer);
    let end = manager.end_alarm_in_shell(timer);
    format!(
        "{mine} && test -e {DIR}/heal && exec /bin/sh {DIR}/heal {timer} || \
         ( {mine} && mv {DIR} {DIR}.{timer} ) || true && \
         rm -rf {DIR}.{timer}{end} || true"
    )
}

/// Succeeds as long as the record is this timer's.
pub(super) fn wanted(timer: &str) -> String {
    format!("grep -qs {timer} {DIR}/record.json")
}

fn restart_script(record: &Record, manager: &dyn Manager) -> RestartScript {
    let taken = record.broker.as_ref();
    manager.restart_script(&Restart {
        broker: taken.and_then(|taken| taken.unit.as_deref()),
        listens: &taken.map(listens).unwrap_or_default(),
        services: &record.services,
        seconds: BROKER_SECONDS,
        made_run: MADE_RUN,
    })
}

/// The run is over, so nobody will collect what its observer saw: without it, the observer ends.
const OBSERVED: &str = timeline::DIR;

/// So nobody will call the program again that stays on the host for a run. Our action plugin puts it there.
const PROGRAM: &str =
    "/run/pulp_broker_program /var/lib/pulp_broker_program /var/tmp/pulp_broker_program";

/// The script's text. Its argument is the timer that runs it, or `dry`, or nothing when a person does.
pub(super) fn text(record: &Record, manager: &dyn Manager) -> String {
    let RestartScript {
        tools,
        preamble,
        broker,
        services,
        end,
    } = restart_script(record, manager);
    let attempt = attempt(record, broker, services).join("\n    ");
    format!(
        "#!/bin/sh\n\
         # Gives back what run {run} of the Pulp broker test took away on this host since {since}.\n\
         # By hand, at any time and more than once: {BY_HAND}\n\
         export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n\
         {preamble}timer() {{\n\
         \x20   sed -n 's/.*\"timer\":\"\\([^\"]*\\)\".*/\\1/p' {DIR}/record.json 2>/dev/null\n\
         }}\n\
         attempt() {{\n\
         \x20   rc=0\n\
         \x20   {attempt}\n\
         \x20   return $rc\n\
         }}\n\
         if [ \"${{1:-}}\" = dry ]; then\n\
         \x20   for tool in {tools} grep sed timeout mv rm sleep; do\n\
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
         \x20       rm -rf {OBSERVED} {PROGRAM}\n\
         \x20       mv {DIR} {DIR}.$mine && rm -rf {DIR}.$mine\n\
         \x20       break\n\
         \x20   fi\n\
         \x20   sleep $pause\n\
         \x20   pause=$((pause * 2))\n\
         \x20   [ $pause -le 60 ] || pause=60\n\
         done\n\
         {end}\
         exit 0\n",
        run = comment(&record.run_id),
        since = record.since,
    )
}

fn attempt(record: &Record, broker: Vec<String>, services: Vec<String>) -> Vec<String> {
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
        if taken.unit.is_some() {
            lines.extend(broker);
            lines.extend(listens(taken).iter().map(|test| format!("{test} || rc=1")));
        }
    }
    lines.extend(services);
    lines
}

/// Each succeeds if something listens where the broker did.
fn listens(taken: &Taken) -> Vec<String> {
    // State 0A is LISTEN; see proc(5).
    let port = taken.port.map(|port| {
        format!("grep -qs ':{port:04X} [0-9A-F]*:0000 0A ' /proc/net/tcp /proc/net/tcp6")
    });
    // A killed server leaves its socket behind; one that listens has this flag. See proc_net_unix in
    // the kernel's net/unix/af_unix.c: the path is as the server wrote it, which may be over a link.
    let socket = taken.socket.as_deref().and_then(Path::file_name);
    let socket = socket.and_then(OsStr::to_str).map(|name| {
        let listens = quoted(&format!(" 00010000 .*/{name}$"));
        format!("grep -qs {listens} /proc/net/unix")
    });
    port.into_iter().chain(socket).collect()
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
    use crate::service::{Systemd, Sysv};

    const BOTH: [&dyn Manager; 2] = [&Systemd, &Sysv];

    #[test]
    fn the_program_is_where_the_play_puts_it() {
        let shipped = |path: &str| {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("playbooks");
            std::fs::read_to_string(folder.join(path)).unwrap()
        };
        assert!(shipped("roles/pulp_broker_test/vars/main/main.yml").contains(PROGRAM));
        let plugin = shipped("action_plugins/pulp_broker.py");
        let quoted = |name: &str| {
            let line = plugin.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap().trim_matches('"').to_owned()
        };
        let (places, folder) = (quoted("PLACES = "), quoted("FOLDER = "));
        let all: Vec<String> = places
            .split(' ')
            .map(|place| format!("{place}/{folder}"))
            .collect();
        assert_eq!(all.join(" "), PROGRAM);
    }

    #[test]
    fn rules_and_drop_ins_go_before_the_broker_comes_and_it_before_the_services() {
        let orders: [(&dyn Manager, &str, &str); 2] = [
            (
                &Systemd,
                "systemctl start 'rabbitmq-server.service'",
                "systemctl start 'httpd.service'",
            ),
            (
                &Sysv,
                "service 'rabbitmq-server' start",
                "service 'httpd' start",
            ),
        ];
        for (manager, broker, service) in orders {
            let text = text(&sample(), manager);
            let rules = text.find("'nft' 'delete' 'table'").unwrap();
            let left = text.find("! 'nft' 'list' 'table'").unwrap();
            let broker = text.find(broker).unwrap();
            let listens = text.rfind(":1628 [0-9A-F]*:0000 0A ").unwrap();
            let services = text.find(service).unwrap();
            assert!(rules < left && left < broker && broker < listens && listens < services);
        }
    }

    #[test]
    fn a_worker_that_does_not_end_keeps_no_umbrella_from_starting() {
        let text = text(&sample(), &Systemd);
        let ended = text.find("systemctl kill --signal=SIGKILL").unwrap();
        let units = text[..ended].rfind("for unit in ").unwrap();
        for service in sample().services {
            assert!(text[units..ended].contains(&quoted(&service)), "{text}");
        }
        let umbrella = text.find("systemctl restart pulp_workers").unwrap();
        let starts = text.find("systemctl start 'httpd.service'").unwrap();
        assert!(ended < umbrella && ended < starts, "{text}");
    }

    #[test]
    fn a_broker_that_does_not_start_keeps_no_service_down() {
        for manager in BOTH {
            let record = sample();
            let RestartScript {
                broker, services, ..
            } = restart_script(&record, manager);
            let attempt = attempt(&record, broker, services).join("\n");
            assert!(!attempt.contains("return"), "{attempt}");
            assert!(!attempt.contains("exit"), "{attempt}");
        }
    }

    #[test]
    fn neither_a_run_id_nor_a_unit_can_add_a_command() {
        for (manager, unit) in BOTH.into_iter().zip([r"'it'\''s.service'", r"'it'\''s'"]) {
            let text = text(&sample(), manager);
            assert!(
                text.contains("# Gives back what run r1; rm -rf / of"),
                "{text}"
            );
            assert!(text.contains(unit), "{text}");
        }
    }

    #[test]
    fn the_door_ends_well_where_others_have_given_everything_back() {
        for manager in BOTH {
            let door = door("pulp_broker-heal-of-nobody", manager);
            let output = process::run(&["sh", "-c", &door], Duration::from_secs(20)).unwrap();
            assert_eq!(output.code, 0, "{manager:?}: {}", output.text);
        }
    }

    #[test]
    fn the_shell_accepts_the_script_and_its_door() {
        for manager in BOTH {
            for script in [
                text(&sample(), manager),
                door("pulp_broker-heal-1", manager),
            ] {
                let check = ["sh", "-n", "-c", &script];
                let output = process::run(&check, Duration::from_secs(20)).unwrap();
                assert_eq!(output.code, 0, "{}", output.text);
            }
        }
    }
}
