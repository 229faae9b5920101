//! `docs/verdicts.md` is made of the names' table. `BLESS=1 cargo test verdicts_md` writes it anew.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;

use super::{ALL, Grade, Name, NameEntry};
use crate::names::{Actor, resolved_for_play, with_commands};

const HEAD: &str = "\
<!-- Made of the table in src/names/verdict.rs; `BLESS=1 cargo test verdicts_md` writes it anew. -->

# Verdicts

Every run ends in one of four values:

| value | what it says | the play |
|---|---|---|
| `survived` | everything that has to be seen for it was seen: each worker and the resource manager met the outage, came back by itself and did a task, and Pulp does its job | passes |
| `survived_with_defects` | the same, and something is not as it should be | passes, unless `strict` |
| `failed` | Pulp did not survive, or is not as it was before | fails |
| `void` | the test cannot tell, and says why | fails, unless `void: pass` |

A verdict has one name: that of the cause. **Of several findings the one that stands first in this page is
the cause**, because those after it may be its symptoms: a worker that exited is missing too, and a Pulp
without it fails its health check. Where the outage itself was not proven, nothing is said of Pulp. A failure
that was seen counts more than what nobody could see on another host, unless a lost host may be its cause;
so `host_unreachable` stands between them. Everything else that was found is told beside the verdict.

What is missing is never taken for good: without an observation, a health check after the outage, or the
work of each worker, the verdict is `void`.

*Known failures that look like this* are ids of the catalogue of reported failures, for the search in the
trackers of Celery, kombu and Pulp.
";

fn section(entry: &NameEntry) -> String {
    let known = match entry.catalogue {
        [] => String::new(),
        ids => format!("- Known failures that look like this: {}\n", ids.join(", ")),
    };
    format!(
        "\n### `{}` ({})\n\n{}\n\n- Said when {}.\n- Next: {}\n{known}",
        entry.word,
        entry.grade.word(),
        entry.meaning,
        entry.evidence,
        resolved_for_play(&with_commands(
            &entry.next_step.replace("{unit}", "UNIT"),
            None
        )),
    )
}

fn page() -> String {
    let mut page = HEAD.to_owned();
    let parts = [
        (
            "Void and failed, in the order of precedence",
            [Grade::Void, Grade::Failed],
        ),
        ("Defects and what is told", [Grade::Defect, Grade::Told]),
    ];
    for (title, grades) in parts {
        let _ = write!(page, "\n## {title}\n");
        let entries = ALL.iter().filter(|e| grades.contains(&e.grade));
        page.extend(entries.map(section));
    }
    page
}

#[test]
fn verdicts_md_says_what_the_names_are() {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "docs", "verdicts.md"]
        .iter()
        .collect();
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, page()).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page(),
        "docs/verdicts.md is old: `BLESS=1 cargo test verdicts_md` writes it anew"
    );
}

#[test]
fn the_table_is_whole() {
    let words: BTreeSet<&str> = ALL.iter().map(|e| e.word).collect();
    assert_eq!(words.len(), ALL.len());
    for entry in ALL {
        assert_eq!(Name::of(entry.word), Some(entry.name));
        assert!(
            entry.meaning.ends_with('.') && entry.next_step.ends_with('.'),
            "{}",
            entry.word
        );
        assert!(!entry.evidence.ends_with('.'), "{}", entry.word);
    }
    // What decides stands before what does not: the order is the precedence.
    let first_defect = ALL.iter().position(|e| e.grade > Grade::Failed);
    let last_failure = ALL.iter().rposition(|e| e.grade <= Grade::Failed);
    assert!(first_defect > last_failure);
}

#[test]
fn the_next_step_names_the_unit() {
    for (actor, unit) in [
        (
            Some(Actor::of_unit("pulp_worker-1.service")),
            "systemctl restart pulp_worker-1.service",
        ),
        (
            Some(Actor::listed("reserved_resource_worker-3@h")),
            "systemctl restart pulp_worker-3.service",
        ),
        (
            Some(Actor::of_unit("pulpcore-worker@1.service")),
            "systemctl restart pulpcore-worker@1.service",
        ),
        (
            Some(Actor::listed("resource_manager@h")),
            "systemctl restart pulp_resource_manager.service",
        ),
        (None, "systemctl restart 'pulp*'"),
    ] {
        let step = Name::NotRecovered.next_step(actor.as_ref());
        assert!(step.contains(unit), "{actor:?}: {step}");
    }
}
