//! What an answer of Pulp 3 that is no success means, in words that say what to do.

use serde_json::Value;

use crate::names::{Generation, Role, option};
use crate::pulp::Answer;

/// What Django REST framework says of somebody whom it does not know (`BasicAuthentication` and its `AuthenticationFailed` and
/// `NotAuthenticated`). Where the first of Pulp's ways to log in has no challenge to answer with, that is a 403 too.
const UNKNOWN: [&str; 4] = [
    "Invalid username/password.",
    "User inactive or deleted.",
    "Incorrect authentication credentials.",
    "Authentication credentials were not provided.",
];

/// Why Pulp refused, with its own words where it gave some.
pub(super) fn explain(answer: &Answer, username: &str, domain: &str) -> String {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let said = words(&body);
    let with = said.as_ref().map(|s| format!(", {s}")).unwrap_or_default();
    let answered = format!(
        "{} {} was answered with {}",
        answer.method, answer.url, answer.status
    );
    let unknown = said.as_deref().is_some_and(|said| UNKNOWN.contains(&said));
    match answer.status {
        status if status == 401 || status == 403 && unknown => format!(
            "Pulp refused the user `{username}` ({status}{with}); check {} and {}, or \
             {} and {}",
            option("username"),
            option("password"),
            option("user_cert"),
            option("user_key")
        ),
        403 => format!(
            "the user `{username}` is known to Pulp and may not do it (403{with}); give it the \
             permission, or use an administrator"
        ),
        404 if body.is_null() && domain != "default" => {
            format!("{answered}; does the domain `{domain}` exist in this Pulp?")
        }
        404 if body.is_null() => {
            format!(
                "{answered}, not in Pulp's words; is {} right, and the plugin pulp_rpm installed?",
                option("pulp_api_root")
            )
        }
        404 => format!(
            "{answered}{with}; it does not exist, or the user `{username}` may not see it: Pulp 3 \
             answers both with 404"
        ),
        500.. if body.is_null() => format!("{answered}: {}", broken(answer)),
        _ => match said {
            Some(said) => format!("{answered}: {said}"),
            None => format!("{answered}: `{}`", answer.beginning()),
        },
    }
}

/// A page instead of JSON: Pulp itself fell over, or the web server did not reach it.
pub(super) fn broken(answer: &Answer) -> String {
    let what = match answer.status {
        500 => {
            "Pulp's API runs and failed; is its database down? See that PostgreSQL runs and \
                lets Pulp in"
        }
        502..=504 => "the web server does not reach Pulp's API; see that it runs",
        _ => "it is no answer of Pulp's",
    };
    format!(
        "{what}, and {} (it began with `{}`)",
        Generation::Three.log_of(Role::Web),
        answer.beginning()
    )
}

/// Pulp's `detail`, or what it says of each field.
fn words(body: &Value) -> Option<String> {
    if let Some(detail) = body["detail"].as_str() {
        return Some(detail.to_owned());
    }
    let fields = body.as_object()?.iter().map(|(field, said)| match said {
        Value::Array(list) => {
            let list: Vec<_> = list.iter().filter_map(Value::as_str).collect();
            format!("{field}: {}", list.join(" "))
        }
        other => format!("{field}: {other}"),
    });
    let fields: Vec<_> = fields.take(5).collect();
    (!fields.is_empty()).then(|| fields.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(status: u16, body: &str, domain: &str) -> String {
        let answer = Answer {
            method: "POST",
            url: "https://p/x".to_owned(),
            status,
            location: None,
            cookies: Vec::new(),
            date: None,
            body: body.as_bytes().to_vec(),
        };
        explain(&answer, "admin", domain)
    }

    #[test]
    fn who_one_is_and_what_one_may_are_two_things() {
        let text = said(401, r#"{"detail":"Invalid username/password."}"#, "default");
        assert!(
            text.contains("refused the user `admin` (401, Invalid"),
            "{text}"
        );
        let text = said(403, r#"{"detail":"Invalid username/password."}"#, "default");
        assert!(
            text.contains("refused the user `admin` (403, Invalid"),
            "{text}"
        );
        let text = said(403, r#"{"detail":"You do not have permission"}"#, "default");
        assert!(text.contains("may not do it (403, You do"), "{text}");
        let text = said(404, r#"{"detail":"No RpmRepository matches"}"#, "default");
        assert!(text.contains("may not see it"), "{text}");
    }

    #[test]
    fn a_page_is_no_answer_of_pulp() {
        assert!(said(404, "<html>", "lost").contains("does the domain `lost` exist"));
        assert!(said(404, "<html>", "default").contains("pulp_api_root"));
        assert!(said(500, "<h1>Server Error (500)</h1>", "default").contains("database down?"));
        assert!(
            said(502, "<h1>Bad Gateway</h1>", "default").contains("`journalctl -u pulpcore-api")
        );
    }

    #[test]
    fn each_field_is_told() {
        assert_eq!(
            said(400, r#"{"name":["This field must be unique."]}"#, "default"),
            "POST https://p/x was answered with 400: name: This field must be unique."
        );
    }
}
