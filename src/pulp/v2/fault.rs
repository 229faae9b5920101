//! What an answer that is no success means, in words that say what to do.

use serde_json::Value;

use crate::names::option;
use crate::pulp::Answer;

/// Why Pulp refused, with its own words where it gave some.
pub(super) fn explain(answer: &Answer, username: &str) -> String {
    let Answer {
        method,
        url,
        status,
        ..
    } = answer;
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let said = words(&body);
    let answered = format!("{method} {url} was answered with {status}");
    match status {
        401 => format!(
            "Pulp refused the user `{username}` (401{}); check {} and {}",
            said.map(|s| format!(", {s}")).unwrap_or_default(),
            option("username"),
            option("password")
        ),
        403 if body.is_null() => format!(
            "{answered} by the web server, not by Pulp; the API is served over https:// only"
        ),
        404 if body.is_null() => {
            format!("{answered}, not in Pulp's words; is this address a Pulp 2 server?")
        }
        _ => match said {
            Some(said) => format!("{answered}: {said}"),
            None => format!("{answered}: `{}`", answer.beginning()),
        },
    }
}

/// Pulp could not hand a task to its broker: an internal error without Pulp's own `error`.
pub(super) fn is_undispatched(answer: &Answer) -> bool {
    answer.status == 500
        && serde_json::from_slice::<Value>(&answer.body)
            .is_ok_and(|body| body.is_object() && body.get("error").is_none_or(Value::is_null))
}

fn words(body: &Value) -> Option<String> {
    let described = body["error"]["description"].as_str();
    let message = described.or(body["error_message"].as_str())?.trim();
    if message.is_empty() {
        return None;
    }
    Some(match body["error"]["code"].as_str() {
        Some(code) => format!("{message} ({code})"),
        None => message.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer {
            method: "POST",
            url: "https://p/x".to_owned(),
            status,
            location: None,
            cookies: Vec::new(),
            date: None,
            body: body.as_bytes().to_vec(),
        }
    }

    #[test]
    fn a_wrong_password_names_the_user() {
        let body = r#"{"error":{"code":"PLP0030","description":"Invalid username or password"},
            "auth_error_code":"invalid_username_or_password"}"#;
        assert_eq!(
            explain(&answer(401, body), "admin"),
            "Pulp refused the user `admin` (401, Invalid username or password (PLP0030)); check \
             username and password"
        );
    }

    #[test]
    fn an_answer_that_is_not_pulps_is_named_so() {
        assert!(explain(&answer(404, "null"), "a").contains("is this address a Pulp 2"));
        assert!(explain(&answer(404, "<html>no</html>"), "a").contains("is this address a Pulp 2"));
        assert!(explain(&answer(403, "<html>no</html>"), "a").contains("https://"));
        assert!(explain(&answer(502, "<h1>Bad\nGateway"), "a").contains("<h1>Bad Gateway"));
    }

    #[test]
    fn only_an_error_that_is_not_pulps_own_means_undispatched() {
        let refused = r#"{"error_message":"[Errno 111] Connection refused","exception":["x"]}"#;
        assert!(is_undispatched(&answer(500, refused)));
        assert!(!is_undispatched(&answer(
            500,
            r#"{"error":{"code":"PLP0000","description":"x"}}"#
        )));
        assert!(!is_undispatched(&answer(500, "<html>")));
        assert!(!is_undispatched(&answer(400, refused)));
    }
}
