//! `freeze`: SIGSTOP to all processes of the unit. The kernel still accepts connections for them and
//! nobody answers, as on a host that hangs. Given back by SIGCONT alone: nothing is restarted.

use super::{OutageStep, Pair, command};
use crate::host::processes::Process;
use crate::service::Manager;

pub(super) fn plan(unit: &str, processes: &[Process], manager: &dyn Manager) -> Pair {
    let pids: Vec<String> = processes.iter().map(|p| p.pid.to_string()).collect();
    let signal = |name: &str| manager.signal(name, unit, &pids);
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
    use crate::service::Systemd;

    #[test]
    fn it_is_given_back_by_its_own_opposite() {
        let pair = plan("redis-server.service", &[], &Systemd);
        let text = format!("{pair:?}");
        assert!(text.contains("--signal=SIGSTOP") && text.contains("--signal=SIGCONT"));
        assert!(!text.contains("start") && !text.contains("restart"));
    }
}
