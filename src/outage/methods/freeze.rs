//! `freeze`: SIGSTOP to all processes of the unit. The kernel still accepts connections for them and
//! nobody answers, as on a host that hangs. Given back by SIGCONT alone: nothing is restarted.

use super::{Manager, OutageStep, Pair, command};
use crate::host::processes::Process;

pub(super) fn plan(unit: &str, processes: &[Process], manager: Manager) -> Pair {
    let pids: Vec<String> = processes.iter().map(|p| p.pid.to_string()).collect();
    let signal = |name: &str| match manager {
        Manager::Systemd => command(["systemctl", "kill", &format!("--signal={name}"), "--", unit]),
        Manager::Sysv => {
            let kill = format!(
                "kill -s {} {}",
                name.trim_start_matches("SIG"),
                pids.join(" ")
            );
            command(["sh", "-c", &kill])
        }
    };
    // T: stopped by a signal; see proc(5).
    let stopped = format!(
        "for pid in {}; do grep -qs '^State:.T' /proc/$pid/status && exit 0; done; exit 1",
        pids.join(" ")
    );
    Pair {
        inject: vec![OutageStep::Run(signal("SIGSTOP"))],
        undo: vec![signal("SIGCONT")],
        left: vec![command(["sh", "-c", &stopped])],
        ..Pair::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_given_back_by_its_own_opposite() {
        let pair = plan("redis-server.service", &[], Manager::Systemd);
        let text = format!("{pair:?}");
        assert!(text.contains("--signal=SIGSTOP") && text.contains("--signal=SIGCONT"));
        assert!(!text.contains("start") && !text.contains("restart"));
    }
}
