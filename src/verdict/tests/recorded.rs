//! Runs on Pulps that are broken in a known way, as the lab's plays handed them over: judged again, each
//! gets the name that it got live. `make detection-table RECORD=1` writes them anew.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use serde_json::Value as Json;

use crate::names::verdict::{ALL, Grade};
use crate::verdict::judge;
use crate::verdict::run_of;

fn files() -> impl Iterator<Item = PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/verdict/tests/recorded");
    let files = fs::read_dir(folder).unwrap();
    files.map(|file| file.unwrap().path())
}

fn read(file: &Path) -> Json {
    let mut text = String::new();
    GzDecoder::new(File::open(file).unwrap())
        .read_to_string(&mut text)
        .unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn a_recorded_run_gets_the_name_that_it_got_live() {
    let mut others = Vec::new();
    for file in files() {
        let told = read(&file);
        let run = run_of(&told["results"]);
        let judgement = judge::judge(&run);
        let first = judgement.first();
        let seen = (
            first.map_or(judgement.value.word(), |f| f.name.word()),
            first
                .map(super::super::Finding::actor_word)
                .filter(|actor| !actor.is_empty())
                .unwrap_or("-"),
        );
        let expected = (
            told["name"].as_str().unwrap(),
            told["actor"].as_str().unwrap(),
        );
        if seen != expected {
            others.push(format!(
                "{}: {seen:?} and not {expected:?}",
                told["subject"]
            ));
        }
    }
    assert!(others.is_empty(), "{others:#?}");
}

/// A host that is lost hands nothing over to be judged: the play names it by itself.
const NAMED_BY_THE_PLAY: &str = "host_unreachable";

#[test]
fn each_name_that_a_run_may_end_in_was_recorded() {
    let recorded: BTreeSet<String> = files()
        .map(|file| read(&file)["name"].as_str().unwrap().to_owned())
        .collect();
    let decides = |grade| matches!(grade, Grade::Void | Grade::Failed | Grade::Defect);
    let names = ALL.iter().filter(|e| decides(e.name.grade()));
    let missing: Vec<&str> = names
        .map(|e| e.word)
        .chain(["survived"])
        .filter(|word| *word != NAMED_BY_THE_PLAY && !recorded.contains(*word))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}
