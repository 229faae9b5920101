//! `stop`: the unit is stopped in order, as by a person. Given back by its start alone.

use super::{OutageStep, Pair};
use crate::service::{Manager, Verb};

pub(super) fn plan(unit: &str, manager: &dyn Manager) -> Pair {
    let stop = manager.commands(Verb::Stop, &[unit.to_owned()]);
    Pair {
        inject: stop.into_iter().map(OutageStep::Run).collect(),
        ..Pair::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outage::methods::command;
    use crate::service::{Systemd, Sysv};

    #[test]
    fn nothing_but_the_unit_is_touched() {
        let pair = plan("qpidd.service", &Systemd);
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
        assert_eq!(plan("qpidd.service", &Sysv).inject, [OutageStep::Run(stop)]);
    }
}
