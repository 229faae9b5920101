//! What a user writes to have something otherwise. When our play calls, that is a variable of the play;
//! else it is the module's option. Messages name the one that helps, by [`option`]. This is the one table.

use std::sync::OnceLock;

/// Each option that a message names, and the variable of the play that sets it.
const VARIABLES: &[(&str, &str)] = &[
    ("accept_shared", "pulp_broker_test_accept_shared"),
    ("accept_task_loss", "pulp_broker_test_accept_task_loss"),
    ("apply_at", "pulp_broker_test_apply_at"),
    ("ask_pulp", "pulp_broker_test_ask_pulp"),
    ("broker_unit", "pulp_broker_test_broker_unit"),
    ("broker_url", "pulp_broker_test_broker_url"),
    ("ca_path", "pulp_broker_test_ca_path"),
    ("domain", "pulp_broker_test_domain"),
    ("drain", "pulp_broker_test_drain"),
    ("feed", "pulp_broker_test_feed"),
    ("feed_host", "pulp_broker_test_feed_host"),
    ("feed_port", "pulp_broker_test_feed_port"),
    ("hold", "pulp_broker_test_reconnect_hold"),
    ("hosts", "pulp_broker_test_hosts"),
    ("keep", "pulp_broker_test_keep"),
    ("method", "pulp_broker_test_method"),
    ("password", "pulp_broker_test_password"),
    ("pulp", "pulp_broker_test_pulp"),
    ("pulp_api_root", "pulp_broker_test_api_root"),
    ("pulp_url", "pulp_broker_test_url"),
    ("request_timeout", "pulp_broker_test_request_timeout"),
    ("restore_after", "pulp_broker_test_restore_after"),
    ("target", "pulp_broker_test_target"),
    // Only the health check asks for more time.
    ("timeout", "pulp_broker_test_health_timeout"),
    ("tls_minimum", "pulp_broker_test_tls_minimum"),
    ("user_cert", "pulp_broker_test_user_cert"),
    ("user_key", "pulp_broker_test_user_key"),
    ("username", "pulp_broker_test_username"),
    ("validate_certs", "pulp_broker_test_validate_certs"),
];

/// The module that sees a variable of the broker as the user wrote it. Later calls get what it found.
const FIRST: &str = "pulp_facts";

/// The module that our play calls. Without: a person, or another play.
static PLAY_CALLS: OnceLock<&'static str> = OnceLock::new();

/// From here on messages name the play's variables.
pub(crate) fn play_calls(module: &'static str) {
    // A process is one call.
    let _ = PLAY_CALLS.set(module);
}

/// The option as the user of this call knows it.
pub(crate) fn option(name: &'static str) -> &'static str {
    match PLAY_CALLS.get() {
        Some(_) => variable(name),
        None => name,
    }
}

/// A text in which options stand in braces, such as `{broker_url}`, for the user of this call.
pub(crate) fn resolved(text: &str) -> String {
    with_options(text, option)
}

/// Whether our play calls: then nobody can leave out an option.
pub(crate) fn is_play() -> bool {
    PLAY_CALLS.get().is_some()
}

/// The same as [`resolved`] for users of the play, whoever calls.
#[cfg(test)]
pub(crate) fn resolved_for_play(text: &str) -> String {
    with_options(text, variable)
}

/// What says where the broker is, when the call does.
pub(crate) fn source_of_url() -> &'static str {
    source(PLAY_CALLS.get().copied())
}

fn source(play_calls: Option<&str>) -> &'static str {
    match play_calls {
        None => "parameter `broker_url`",
        Some(FIRST) => "`pulp_broker_test_broker_url`",
        Some(_) => "what was found first, or `pulp_broker_test_broker_url`",
    }
}

fn variable(name: &'static str) -> &'static str {
    let known = VARIABLES.iter().find(|(option, _)| *option == name);
    known.map_or(name, |(_, variable)| variable)
}

fn with_options(text: &str, called: fn(&'static str) -> &'static str) -> String {
    let mut text = text.to_owned();
    for (option, _) in VARIABLES {
        text = text.replace(&format!("{{{option}}}"), called(option));
    }
    text
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::*;

    fn root() -> &'static Path {
        Path::new(env!("CARGO_MANIFEST_DIR"))
    }

    /// Each file of the program, and its text.
    fn sources() -> Vec<(PathBuf, String)> {
        let mut found = Vec::new();
        let mut folders = vec![root().join("src")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|e| e == "rs") {
                    let text = fs::read_to_string(&path).unwrap();
                    found.push((path, text));
                }
            }
        }
        found
    }

    #[test]
    fn each_variable_is_one_of_the_role() {
        let read = |path: &str| fs::read_to_string(root().join("playbooks").join(path)).unwrap();
        let defaults = read("roles/pulp_broker_test/defaults/main.yml");
        let play = read("broker_test.yml");
        for (option, variable) in VARIABLES {
            let line = format!("{variable}:");
            let is_the_plays = play.contains(&format!("{{{{ {variable} "));
            assert!(
                is_the_plays || defaults.lines().any(|l| l.starts_with(&line)),
                "{option}"
            );
        }
    }

    /// The role gives the variable as that option.
    #[test]
    fn each_option_is_given_by_the_role_as_that_variable() {
        let play = root().join("playbooks/broker_test.yml");
        let mut given = fs::read_to_string(play).unwrap();
        for folder in ["tasks", "vars/main"] {
            let folder = root().join("playbooks/roles/pulp_broker_test").join(folder);
            for entry in fs::read_dir(folder).unwrap() {
                given.push_str(&fs::read_to_string(entry.unwrap().path()).unwrap());
            }
        }
        for (option, variable) in VARIABLES {
            let passes = |line: &str| {
                let value = line.trim().strip_prefix(&format!("{option}: "))?;
                // By way of a variable of the role's own.
                Some(
                    value.contains(variable)
                        || value.contains("__pulp_broker_test")
                        || value.contains("pulp_deployment"),
                )
            };
            // Or among those that are called as their option.
            let is_listed = |line: &str| {
                let items = line.split_once('[').map_or(line, |(_, items)| items);
                let mut items = items.trim_end_matches(']').split(',').map(str::trim);
                variable.ends_with(&format!("_{option}")) && items.any(|item| item == *option)
            };
            assert!(
                given
                    .lines()
                    .any(|line| passes(line) == Some(true) || is_listed(line)),
                "{option}: {variable}"
            );
        }
    }

    #[test]
    fn no_message_names_a_variable_but_by_the_table() {
        let prefix = ["pulp_broker", "_test_"].concat();
        for (path, text) in sources() {
            if path.ends_with("names/options.rs") {
                continue;
            }
            let named = text.lines().find(|line| line.contains(&prefix));
            assert_eq!(named, None, "{}", path.display());
        }
    }

    #[test]
    fn each_option_that_a_message_names_is_in_the_table() {
        let call = ["option", "(\""].concat();
        let mut count = 0;
        for (path, text) in sources() {
            for (at, _) in text.match_indices(&call) {
                let name = text[at + call.len()..].split('"').next().unwrap();
                let is_known = VARIABLES.iter().any(|(option, _)| *option == name);
                assert!(is_known, "{name} in {}", path.display());
                count += 1;
            }
        }
        assert!(count > 30, "{count}");
    }

    #[test]
    fn a_person_reads_options_and_the_play_s_user_variables() {
        let text = "set `{broker_url}`, or `{method}: kill`; {unit}";
        assert_eq!(
            resolved(text),
            "set `broker_url`, or `method: kill`; {unit}"
        );
        assert_eq!(
            resolved_for_play(text),
            "set `pulp_broker_test_broker_url`, or `pulp_broker_test_method: kill`; {unit}"
        );
        assert_eq!(variable("pulp_url"), "pulp_broker_test_url");
        assert_eq!(source(None), "parameter `broker_url`");
        assert_ne!(source(Some(FIRST)), source(Some("pulp_broker")));
    }
}
