//! `stop`: the unit is stopped in order, as by a person. Given back by its start alone.

use super::{Manager, OutageStep, Pair, command};
use crate::service::sysv;

pub(super) fn plan(unit: &str, manager: Manager) -> Pair {
    let stop = match manager {
        Manager::Systemd => command(["systemctl", "stop", "--", unit]),
        Manager::Sysv => command(["service", sysv::script(unit), "stop"]),
    };
    Pair {
        inject: vec![OutageStep::Run(stop)],
        ..Pair::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_the_unit_is_touched() {
        let pair = plan("qpidd.service", Manager::Systemd);
        assert_eq!(
            pair.inject,
            [OutageStep::Run(command([
                "systemctl",
                "stop",
                "--",
                "qpidd.service"
            ]))]
        );
        assert!(pair.undo.is_empty() && pair.left.is_empty());
        let stop = command(["service", "qpidd", "stop"]);
        assert_eq!(
            plan("qpidd.service", Manager::Sysv).inject,
            [OutageStep::Run(stop)]
        );
    }
}
