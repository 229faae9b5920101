//! `stop`: the unit is stopped in order, as by a person. Given back by its start alone.

use super::{Pair, Step, command};

pub(super) fn plan(unit: &str) -> Pair {
    Pair {
        inject: vec![Step::Run(command(["systemctl", "stop", "--", unit]))],
        ..Pair::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_the_unit_is_touched() {
        let pair = plan("qpidd.service");
        assert_eq!(
            pair.inject,
            [Step::Run(command([
                "systemctl",
                "stop",
                "--",
                "qpidd.service"
            ]))]
        );
        assert!(pair.undo.is_empty() && pair.left.is_empty());
    }
}
