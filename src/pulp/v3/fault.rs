//! What an answer of Pulp 3 that is no success means, in words that say what to do.

use serde_json::Value;

use crate::pulp::Answer;

/// Why Pulp refused, with its own words where it gave some.
pub(super) fn explain(answer: &Answer, username: &str) -> String {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let said = words(&body);
    let answered = format!(
        "{} {} was answered with {}",
        answer.method, answer.url, answer.status
    );
    let told = |advice: &str| match &said {
        Some(said) => format!("{answered}: {said}; {advice}"),
        None => format!("{answered}: `{}`; {advice}", answer.beginning()),
    };
    match answer.status {
        401 => format!(
            "Pulp refused the user `{username}` (401{}); check username and password",
            said.map(|s| format!(", {s}")).unwrap_or_default()
        ),
        403 => told(&format!(
            "the user `{username}` may not do it; give it the role, or take another user"
        )),
        404 if body.is_null() => {
            told("is this the root of Pulp 3's API, and does the domain exist?")
        }
        // Pulp hides what a user may not see.
        404 => told(&format!(
            "it is gone, or the user `{username}` may not see it"
        )),
        500 => told("is Pulp's database running, and does the API reach it?"),
        502..=504 => told("is pulpcore-api running behind the web server?"),
        _ => match said {
            Some(said) => format!("{answered}: {said}"),
            None => format!("{answered}: `{}`", answer.beginning()),
        },
    }
}

/// `detail`, or what is wrong with each field.
fn words(body: &Value) -> Option<String> {
    if let Some(detail) = body["detail"].as_str() {
        return Some(detail.to_owned());
    }
    let fields = body.as_object()?.iter();
    let told: Vec<String> = fields
        .filter_map(|(field, why)| {
            let first = why.as_array()?.first()?.as_str()?;
            Some(format!("{field}: {first}"))
        })
        .collect();
    (!told.is_empty()).then(|| told.join("; "))
}
