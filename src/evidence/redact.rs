//! What looks like a password is masked, on top of what the reply masks because it is known to be one:
//! logs and command lines hold secrets that this process never learned.

/// What stands for it.
const MASK: &str = "********";

/// What the name of an option or setting contains whose value is a secret. Erlang's cookie is one.
const NAMES: &[&str] = &["passw", "secret", "token", "cookie"];

/// Masks the passwords in URLs, and the values of settings that are named like secrets.
pub(super) fn text(text: &str) -> String {
    let lines: Vec<String> = text.split('\n').map(line).collect();
    lines.join("\n")
}

fn line(line: &str) -> String {
    let words: Vec<String> = line.split(' ').map(|word| settings(&urls(word))).collect();
    words.join(" ")
}

/// Masks the values among the arguments of a command, then puts them together.
pub(super) fn command(arguments: &[String]) -> String {
    let mut masked = Vec::new();
    let mut follows = false;
    for argument in arguments {
        let is_option = argument.starts_with('-');
        masked.push(if follows && !is_option {
            MASK.to_owned()
        } else {
            settings(&urls(argument))
        });
        follows = is_option && is_secret(argument) && !argument.contains('=');
    }
    masked.join(" ")
}

/// `scheme://user:password@host`, wherever it stands.
fn urls(word: &str) -> String {
    let Some((before, after)) = word.split_once("://") else {
        return word.to_owned();
    };
    // A password may hold an `@` that is not encoded, and even a slash.
    let url = after.split(['"', '\'', ',']).next().unwrap_or_default();
    let end = url.rfind('@');
    let masked = match end.map(|end| after.split_at(end)) {
        Some((user, host)) if user.contains(':') => {
            let user = user.split(':').next().unwrap_or_default();
            format!("{user}:{MASK}{}", urls(host))
        }
        _ => urls(after),
    };
    format!("{before}://{masked}")
}

/// `password=value`, `"password":value` and the like.
fn settings(word: &str) -> String {
    let Some(at) = word.find(['=', ':']) else {
        return word.to_owned();
    };
    let (name, value) = word.split_at(at);
    let value = &value[1..];
    if !is_secret(name) || value.is_empty() || value.starts_with("//") {
        return word.to_owned();
    }
    format!("{name}{}{MASK}", &word[at..=at])
}

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    NAMES.iter().any(|secret| name.contains(secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_in_urls_are_masked() {
        for (said, expected) in [
            (
                "Cannot connect to amqp://pulp:hunter2@mq:5672//: refused",
                "Cannot connect to amqp://pulp:********@mq:5672//: refused",
            ),
            ("amqp://pulp:h@ter/2@mq//", "amqp://pulp:********@mq//"),
            (
                "'redis://:hunter2@r/0','amqp://u:x@y'",
                "'redis://:********@r/0','amqp://u:********@y'",
            ),
            (
                "https://pulp.example.com/a?b=c",
                "https://pulp.example.com/a?b=c",
            ),
            ("mongodb://db:27017", "mongodb://db:27017"),
        ] {
            assert_eq!(text(said), expected);
        }
    }

    #[test]
    fn values_of_settings_that_are_named_like_secrets_are_masked() {
        assert_eq!(
            text("default_password=hunter2 log_level=INFO\nAPI_TOKEN:abc x:y"),
            "default_password=******** log_level=INFO\nAPI_TOKEN:******** x:y"
        );
    }

    #[test]
    fn values_after_options_are_masked() {
        let words = [
            "beam.smp",
            "-setcookie",
            "MONSTER",
            "--password=x",
            "-sname",
            "rabbit@h",
        ];
        let words = words.map(str::to_owned);
        assert_eq!(
            command(&words),
            "beam.smp -setcookie ******** --password=******** -sname rabbit@h"
        );
    }
}
