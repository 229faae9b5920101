//! The report: the same judgement as a page for people, as `JUnit` XML for a pipeline, and as JSON for
//! whatever comes next, among it the run after this one.

mod compare;
mod document;
mod junit;
mod page;
#[cfg(test)]
mod tests;

use serde_json::Value as Json;

use super::judge;
use super::play;
use super::{Judgement, Wishes, run_of};
use compare::Comparison;

/// Everything that `pulp_report` returns.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) verdict: Json,
    /// The play's last line.
    pub(crate) line: String,
    pub(crate) html: String,
    pub(crate) junit: String,
    pub(crate) json: String,
    /// The verdict's sentence.
    pub(crate) sentence: String,
    /// The last lines of the play.
    pub(crate) lines: Vec<String>,
    /// Why the scenarios did not come to their end, as the play fails with it.
    pub(crate) cause: String,
    /// What the play fails with at its end; empty: it passes.
    pub(crate) failure: String,
    /// What each host's user reads of the restoring.
    pub(crate) restored: Json,
}

/// Judges the results and tells it in every form. `previous` is the JSON of the run before, `path` where
/// the report will stand.
pub(crate) fn make(results: &Json, previous: Option<&Json>, wishes: Wishes, path: &str) -> Report {
    let run = run_of(results);
    let judgement = judge::judge(&run);
    let comparison = previous.and_then(|previous| Comparison::with(&judgement, previous));
    let line = judgement.line(path);
    let document = document::of(&judgement, comparison.as_ref(), wishes, &line);
    let verdict = judgement.json(wishes);
    let read = |key: &str| verdict[key].as_str().unwrap_or_default().to_owned();
    Report {
        lines: vec![
            read("as_before"),
            read("sentence"),
            read("felt"),
            line.clone(),
        ],
        cause: run.cause_said.clone(),
        failure: judgement.failure(wishes),
        verdict,
        html: page::of(&judgement, comparison.as_ref(), &line),
        junit: junit::of(&judgement, wishes),
        json: format!("{document:#}\n"),
        sentence: judgement.sentence.clone(),
        line,
        restored: play::restored_lines(results),
    }
}

/// Rounded to milliseconds; more would be noise.
fn rounded(seconds: Option<f64>) -> Option<f64> {
    seconds.map(|s| (s * 1000.0).round() / 1000.0)
}

/// How long the broker was away, as the host that saw it longest says.
fn away(judgement: &Judgement<'_>, scenario: &str) -> Option<f64> {
    let watches = judgement
        .run
        .scenes(scenario)
        .filter_map(|(_, scene)| scene.watch.as_ref());
    let spans = watches.filter_map(|watch| Some(watch.up_at? - watch.down_at?));
    spans.max_by(f64::total_cmp)
}
