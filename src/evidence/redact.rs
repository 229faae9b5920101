//! What looks like a password is masked, on top of what the reply masks because it is known to be one:
//! logs and command lines hold secrets that this process never learned.

use crate::ansible::secrets::{PART as MASK, is_named};

/// A header whose value has more than one word.
const AUTHORIZATION: &str = "authorization";

/// Masks the passwords in URLs, the values of settings that are named like secrets, and private keys.
pub(crate) fn text(text: &str) -> String {
    let mut lines = Vec::new();
    let mut is_open = false;
    for shown in text.split('\n') {
        let is_key = is_open || (shown.contains("-----BEGIN") && shown.contains("PRIVATE KEY"));
        lines.push(if is_key { MASK.to_owned() } else { line(shown) });
        is_open = is_key && !shown.contains("-----END");
    }
    lines.join("\n")
}

/// What the next word of a line is.
enum Next {
    Shown,
    /// A value if it follows a sign of equality: the last word is named like a secret.
    Sign,
    Value,
    /// More of a value, up to this quote.
    Quoted(char),
    /// A value with all that follows.
    Rest,
}

fn line(line: &str) -> String {
    let mut next = Next::Shown;
    let mut words = Vec::new();
    for word in line.split(' ') {
        let (shown, then) = match next {
            Next::Rest => break,
            Next::Quoted(quote) => (None, quoted(word, quote)),
            Next::Sign if matches!(word, "=" | ":" | "=>") => (Some(word.to_owned()), Next::Value),
            Next::Value if word.is_empty() => (Some(word.to_owned()), Next::Value),
            Next::Value => (Some(MASK.to_owned()), opened(word)),
            Next::Shown | Next::Sign => (Some(settings(&urls(word))), after(word)),
        };
        words.extend(shown);
        next = then;
    }
    words.join(" ")
}

/// What follows a word that is shown.
fn after(word: &str) -> Next {
    match named(word) {
        Some((name, _)) if name.to_ascii_lowercase().contains(AUTHORIZATION) => Next::Rest,
        Some((_, "")) => Next::Value,
        Some((_, value)) => opened(value),
        None if is_named(word) && !word.contains(['=', ':', '/']) => Next::Sign,
        None => Next::Shown,
    }
}

/// Whether a value is in quotes that do not end with its word.
fn opened(value: &str) -> Next {
    let value = value.trim_start_matches(['u', 'b', '[', '(']);
    match value.chars().next() {
        Some(quote @ ('"' | '\'')) => quoted(&value[1..], quote),
        _ => Next::Shown,
    }
}

fn quoted(word: &str, quote: char) -> Next {
    let mut characters = word.chars();
    while let Some(character) = characters.next() {
        if character == quote {
            return Next::Shown;
        }
        if character == '\\' {
            characters.next();
        }
    }
    Next::Quoted(quote)
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
        follows = is_option && is_named(argument) && !argument.contains('=');
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

/// `password=value`, `{"a":1,"password":"value"}`, `?token=value` and the like: what follows is masked.
fn settings(word: &str) -> String {
    match named(word) {
        Some((name, value)) if !value.is_empty() => format!("{name}{MASK}"),
        _ => word.to_owned(),
    }
}

/// What stands before the first value that is a secret, and that value with all that follows it.
fn named(word: &str) -> Option<(&str, &str)> {
    let mut begin = 0;
    while let Some(at) = word[begin..].find(['=', ':']).map(|at| begin + at) {
        let name = &word[begin..at];
        let (shown, value) = word.split_at(at + 1);
        if is_named(name.rsplit([',', '{', '&', '?', ';', '(', '[']).next()?)
            && !value.starts_with("//")
        {
            return Some((shown, value));
        }
        begin = at + 1;
    }
    None
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
    fn values_are_masked_however_a_setting_is_written() {
        for (said, expected) in [
            ("PASSWORD = hunter2 # x", "PASSWORD = ******** # x"),
            ("password: hunter2", "password: ********"),
            (
                "'PASSWORD': 'h 2 r', 'PORT': 1",
                "'PASSWORD': ******** 'PORT': 1",
            ),
            (
                r#"{"a": 1, "token": "h\" 2", "b": 2}"#,
                r#"{"a": 1, "token": ******** "b": 2}"#,
            ),
            (r#"{"a":1,"secret":"h,2"}"#, r#"{"a":1,"secret":********"#),
            (
                "GET /x?a=b&csrftoken=h HTTP/1.1",
                "GET /x?a=b&csrftoken=******** HTTP/1.1",
            ),
            ("Authorization: Basic aDI= x", "Authorization:"),
            (
                "Cookie: sessionid=h; csrftoken=i",
                "Cookie: ******** csrftoken=********",
            ),
            ("the password was wrong", "the password was wrong"),
        ] {
            assert_eq!(text(said), expected, "{said}");
        }
    }

    #[test]
    fn private_keys_are_masked() {
        let key = "a\n-----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY-----\nb";
        assert_eq!(text(key), format!("a\n{MASK}\n{MASK}\n{MASK}\nb"));
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
