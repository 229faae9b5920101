//! The commands that a next step names. `pulp-admin` is Pulp 2's; `pulp` is Pulp 3's, which pulp-cli brings.

use super::Generation;

/// How a next step has it in braces, Pulp 2's command, and Pulp 3's.
const COMMANDS: &[(&str, &str, &str)] = &[
    (
        "cancel_task",
        "pulp-admin tasks cancel --task-id ID",
        "pulp task cancel --href HREF",
    ),
    (
        "show_task",
        "pulp-admin tasks details --task-id ID",
        "pulp task show --href HREF",
    ),
    (
        "status",
        "curl https://HOST/pulp/api/v2/status/",
        "curl https://HOST/pulp/api/v3/status/",
    ),
];

/// What a next step says of one Pulp alone: how it has it in braces, of which, and the words.
const OF_ONE: &[(&str, Generation, &str)] = &[
    (
        "restart_always",
        Generation::Three,
        ". Pulp 3's services exit when they lose their database: give their units `Restart=always` (`on-failure` leaves out exit \
         status 0)",
    ),
    (
        "restart_manager",
        Generation::Two,
        ", and restart Pulp 2's resource manager if its worker is null",
    ),
];

/// The text with the commands of that Pulp, or of both where nobody knows which one it is.
pub(crate) fn with_commands(text: &str, generation: Option<Generation>) -> String {
    let mut text = text.to_owned();
    for (name, two, three) in COMMANDS {
        let command = match generation {
            Some(Generation::Two) => (*two).to_owned(),
            Some(Generation::Three) => (*three).to_owned(),
            None => format!("{two}`, or with Pulp 3 `{three}"),
        };
        text = text.replace(&format!("{{{name}}}"), &command);
    }
    for (name, of, words) in OF_ONE {
        let words = if generation.is_none_or(|is| is == *of) {
            words
        } else {
            ""
        };
        text = text.replace(&format!("{{{name}}}"), words);
    }
    text
}

impl Generation {
    /// How a person deletes what the health check left under this name.
    pub(crate) fn deletion(self, kind: &str, name: &str) -> String {
        match (self, kind) {
            (_, "tasks") => format!(
                "`pulp task purge` deletes old records of tasks; these have the logging_cid {name}"
            ),
            (Self::Two, "repository") => {
                format!("delete it with `pulp-admin rpm repo delete --repo-id {name}`")
            }
            (Self::Three, "repository") => format!(
                "delete it with `pulp rpm distribution destroy --name {name}`, `pulp rpm repository destroy --name \
                 {name}` and `pulp rpm remote destroy --name {name}`"
            ),
            (Self::Two, _) => format!(
                "find its unit id by its name {name} with `pulp-admin orphan list --type rpm --details` and delete \
                 it with `pulp-admin orphan remove --type rpm --unit-id ID`"
            ),
            (Self::Three, _) => {
                "Pulp's next orphan clean-up deletes it (`pulp orphan cleanup`)".to_owned()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_is_one_of_that_pulp() {
        for kind in ["repository", "package"] {
            let [two, three] =
                [Generation::Two, Generation::Three].map(|pulp| pulp.deletion(kind, "NAME"));
            assert!(!two.contains("`pulp "), "{two}");
            assert!(!three.contains("pulp-admin"), "{three}");
        }
        for (name, two, three) in COMMANDS {
            assert!(!two.starts_with("pulp ") && !two.contains("/v3/"), "{name}");
            assert!(
                !three.starts_with("pulp-admin") && !three.contains("/v2/"),
                "{name}"
            );
        }
    }

    #[test]
    fn what_is_said_of_one_pulp_is_not_said_of_the_other() {
        for (name, of, _) in OF_ONE {
            let told = |generation| with_commands(&format!("x{{{name}}}"), generation);
            assert_eq!(told(Some(of.other())), "x");
            assert!(told(Some(*of)).len() > 10 && told(None) == told(Some(*of)));
        }
    }

    #[test]
    fn where_nobody_knows_which_pulp_it_is_both_commands_stand_there() {
        assert_eq!(
            with_commands("Cancel it (`{cancel_task}`).", None),
            "Cancel it (`pulp-admin tasks cancel --task-id ID`, or with Pulp 3 `pulp task cancel --href HREF`)."
        );
        assert_eq!(
            with_commands(
                "Cancel it (`{cancel_task}`).",
                Generation::of_unit("pulpcore-worker@1.service")
            ),
            "Cancel it (`pulp task cancel --href HREF`)."
        );
    }
}
