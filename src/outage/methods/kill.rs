//! `kill`: SIGKILL to each process of the unit, as the kernel does when memory runs out. The unit stays
//! down although it says `Restart=always`, by a drop-in below `/run` that forbids the restart and gives
//! every start a condition that nothing fulfils; never by `mask`, which silently fails for units in
//! `/etc`. Init scripts start nothing again, so nothing is forbidden there. epmd, which other Erlang
//! programs of the host share, is left alone.

use super::{OutageStep, Pair, SHARED, command};
use crate::host::processes::Process;
use crate::service::Manager;

pub(super) fn plan(unit: &str, processes: &[Process], manager: &dyn Manager) -> Pair {
    let pids: Vec<String> = processes
        .iter()
        .filter(|p| p.name != SHARED)
        .map(|p| p.pid.to_string())
        .collect();
    let shares = pids.len() < processes.len();
    // Some end with the others before it is their turn; that all are gone is proven afterwards.
    let kill = OutageStep::Try(if shares {
        command(["sh", "-c", &format!("kill -KILL {}", pids.join(" "))])
    } else {
        // Also what the broker has forked meanwhile, as PostgreSQL does for each client.
        manager.signal("SIGKILL", unit, &pids)
    });
    let Some(drop_in) = manager.keep_down(unit) else {
        return Pair {
            inject: vec![kill],
            ..Pair::default()
        };
    };
    let path = drop_in.path();
    Pair {
        inject: vec![
            OutageStep::Write {
                path: path.clone(),
                text: format!(
                    "# By the Pulp broker test, until it gives the broker back.\n{}",
                    drop_in.text
                ),
            },
            OutageStep::Run(drop_in.reload.clone()),
            kill,
        ],
        undo: vec![
            command(["rm", "-f", &path]),
            command(["rmdir", &drop_in.folder]),
            drop_in.reload,
        ],
        left: vec![command(["test", "-e", &path])],
        ..Pair::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::Systemd;

    fn process(pid: i32, name: &str) -> Process {
        Process {
            pid,
            start: 1,
            name: name.to_owned(),
        }
    }

    #[test]
    fn each_process_but_epmd_is_killed_after_the_drop_in_stands() {
        let pair = plan(
            "rabbitmq-server.service",
            &[process(7, "beam.smp"), process(8, "epmd"), process(9, "sh")],
            &Systemd,
        );
        let OutageStep::Write { path, text } = &pair.inject[0] else {
            panic!("{:?}", pair.inject);
        };
        assert!(path.starts_with("/run/systemd/system/rabbitmq-server.service.d/"));
        assert!(text.contains("Restart=no") && text.contains("ConditionPathExists="));
        assert_eq!(
            pair.inject[2],
            OutageStep::Try(command(["sh", "-c", "kill -KILL 7 9"]))
        );
        assert_eq!(pair.left, [command(["test", "-e", path])]);
    }

    #[test]
    fn what_shares_nothing_is_killed_with_all_that_it_has_forked() {
        let unit = "postgresql@15-main.service";
        let pair = plan(unit, &[process(7, "postgres")], &Systemd);
        let kill = command(["systemctl", "kill", "--signal=SIGKILL", "--", unit]);
        assert_eq!(pair.inject[2], OutageStep::Try(kill));
    }
}
