//! The report as `JUnit` XML: a scenario is a suite, a service or a step a case. What failed is a failure,
//! what nobody can tell an error, a defect stands in the case's output.

use std::collections::BTreeMap;
use std::io;

use quick_xml::Writer;
use quick_xml::events::BytesText;

use crate::names::verdict::Grade;
use crate::verdict::results::Scene;
use crate::verdict::{Finding, Judgement, Wishes};

/// The suite of what belongs to no scenario.
const RUN: &str = "run";

/// One case.
#[derive(Default)]
struct Case<'a> {
    class: String,
    name: String,
    seconds: f64,
    findings: Vec<&'a Finding>,
    /// Why nobody tried it.
    skipped: String,
}

/// How a finding counts in this run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Weight {
    Failure,
    Error,
    Skipped,
    Output,
}

pub(super) fn of(judgement: &Judgement<'_>, wishes: Wishes) -> String {
    let mut bytes = Vec::new();
    // Writing to a vector does not fail.
    let _ = write(
        &mut Writer::new_with_indent(&mut bytes, b' ', 2),
        judgement,
        wishes,
    );
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{}\n",
        String::from_utf8_lossy(&bytes)
    )
}

fn write(
    writer: &mut Writer<&mut Vec<u8>>,
    judgement: &Judgement<'_>,
    wishes: Wishes,
) -> io::Result<()> {
    let suites = suites(judgement);
    let all = || suites.values().flatten();
    let count = |weight| {
        all()
            .filter(|case| case.weight(wishes) == Some(weight))
            .count()
    };
    writer
        .create_element("testsuites")
        .with_attribute(("name", "pulp_broker_test"))
        .with_attribute(("tests", all().count().to_string().as_str()))
        .with_attribute(("failures", count(Weight::Failure).to_string().as_str()))
        .with_attribute(("errors", count(Weight::Error).to_string().as_str()))
        .write_inner_content(|writer| {
            suites
                .iter()
                .try_for_each(|(name, cases)| suite(writer, judgement, name, cases, wishes))
        })?;
    Ok(())
}

fn suites<'a>(judgement: &'a Judgement<'a>) -> BTreeMap<&'a str, Vec<Case<'a>>> {
    let mut suites: BTreeMap<&str, Vec<Case<'_>>> = BTreeMap::new();
    let mut told: Vec<&Finding> = Vec::new();
    for service in &judgement.services {
        let findings: Vec<&Finding> = judgement
            .findings
            .iter()
            .filter(|f| f.is_of(service))
            .collect();
        told.extend(&findings);
        let silent = findings.is_empty() && service.name.is_some();
        let skipped = if silent {
            service.words.clone()
        } else {
            String::new()
        };
        suites.entry(service.scenario).or_default().push(Case {
            class: service.host.name.clone(),
            name: service.actor.name.clone(),
            seconds: service.recovery().unwrap_or_default().max(0.0),
            findings,
            skipped,
        });
    }
    for scenario in judgement.run.outages() {
        let cases = suites.entry(scenario).or_default();
        for (host, scene) in judgement.run.scenes(scenario) {
            cases.extend(steps(&host.name, scene));
        }
    }
    // Each finding stands somewhere.
    for finding in judgement.findings.iter().filter(|f| !told.contains(f)) {
        let suite = match finding.scenario.as_str() {
            "" => RUN,
            scenario => scenario,
        };
        suites.entry(suite).or_default().push(Case {
            class: finding.host.clone(),
            name: finding.name.word().to_owned(),
            findings: vec![finding],
            ..Case::default()
        });
    }
    suites.entry(RUN).or_default().push(Case {
        name: judgement.as_before.clone(),
        ..Case::default()
    });
    suites
}

/// The steps that went well; one that failed is a finding.
fn steps<'a>(host: &str, scene: &Scene) -> Vec<Case<'a>> {
    let mut cases = Vec::new();
    for (name, reply) in scene.replies() {
        if reply.failed || reply.unreachable || reply.healthy == Some(false) {
            continue;
        }
        cases.push(Case {
            class: host.to_owned(),
            name: name.to_owned(),
            seconds: reply.seconds.unwrap_or_default(),
            ..Case::default()
        });
        for step in reply.steps.iter().filter(|step| step.ok) {
            cases.push(Case {
                class: host.to_owned(),
                name: format!("{name}: {}", step.name),
                seconds: step.seconds,
                ..Case::default()
            });
        }
    }
    cases
}

fn weight(finding: &Finding, wishes: Wishes) -> Weight {
    match finding.grade() {
        Grade::Failed => Weight::Failure,
        Grade::Void if wishes.void_passes => Weight::Skipped,
        Grade::Void => Weight::Error,
        Grade::Defect if wishes.strict => Weight::Failure,
        Grade::Defect | Grade::Told => Weight::Output,
    }
}

impl Case<'_> {
    /// What the case counts as; None: it passed.
    fn weight(&self, wishes: Wishes) -> Option<Weight> {
        self.gravest(wishes).map(|(_, weight)| weight)
    }

    /// A case has one outcome.
    fn gravest(&self, wishes: Wishes) -> Option<(&Finding, Weight)> {
        let weighed = self.findings.iter().map(|f| (*f, weight(f, wishes)));
        weighed
            .into_iter()
            .find(|(_, weight)| *weight != Weight::Output)
    }
}

fn suite(
    writer: &mut Writer<&mut Vec<u8>>,
    judgement: &Judgement<'_>,
    name: &str,
    cases: &[Case<'_>],
    wishes: Wishes,
) -> io::Result<()> {
    let count = |weight| {
        let counted = cases
            .iter()
            .filter(|case| case.weight(wishes) == Some(weight));
        counted.count().to_string()
    };
    let seconds: f64 = cases.iter().map(|case| case.seconds).sum();
    writer
        .create_element("testsuite")
        .with_attribute(("name", name))
        .with_attribute(("tests", cases.len().to_string().as_str()))
        .with_attribute(("failures", count(Weight::Failure).as_str()))
        .with_attribute(("errors", count(Weight::Error).as_str()))
        .with_attribute(("time", format!("{seconds:.3}").as_str()))
        .with_attribute(("timestamp", judgement.run.began.as_str()))
        .write_inner_content(|writer| cases.iter().try_for_each(|c| case(writer, c, wishes)))?;
    Ok(())
}

fn case(writer: &mut Writer<&mut Vec<u8>>, case: &Case<'_>, wishes: Wishes) -> io::Result<()> {
    let class = if case.class.is_empty() {
        "pulp"
    } else {
        &case.class
    };
    let element = writer
        .create_element("testcase")
        .with_attribute(("classname", class))
        .with_attribute(("name", case.name.as_str()))
        .with_attribute(("time", format!("{:.3}", case.seconds).as_str()));
    if case.findings.is_empty() && case.skipped.is_empty() {
        element.write_empty()?;
        return Ok(());
    }
    element.write_inner_content(|writer| {
        if !case.skipped.is_empty() {
            let skipped = writer.create_element("skipped");
            skipped
                .with_attribute(("message", case.skipped.as_str()))
                .write_empty()?;
        }
        let gravest = case.gravest(wishes);
        if let Some((finding, weight)) = gravest {
            let tag = match weight {
                Weight::Failure => "failure",
                Weight::Error => "error",
                Weight::Skipped | Weight::Output => "skipped",
            };
            writer
                .create_element(tag)
                .with_attribute(("type", finding.name.word()))
                .with_attribute(("message", finding.what.as_str()))
                .write_text_content(BytesText::new(&told(finding)))?;
        }
        let rest: Vec<String> = case
            .findings
            .iter()
            .filter(|f| gravest.is_none_or(|(first, _)| first != **f))
            .map(|f| format!("{} {}: {}\n{}", f.grade().word(), f.name, f.what, told(f)))
            .collect();
        if !rest.is_empty() {
            let output = writer.create_element("system-out");
            output.write_text_content(BytesText::new(&rest.join("\n")))?;
        }
        Ok(())
    })?;
    Ok(())
}

fn told(finding: &Finding) -> String {
    let mut lines = finding.evidence.clone();
    lines.push(format!("Next: {}", finding.next_step()));
    lines.join("\n")
}
