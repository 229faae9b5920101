//! Where `scripts/argspec` asks what the specs make of parameters: it names a file of cases and one for the answers,
//! and runs this test alone. In process, so that fifty thousand cases a module take seconds; as a test, so that
//! nothing of it is in the binary that ships.

use std::fs::File;
use std::io::{BufWriter, Write as _};

use super::super::ALL;
use crate::ansible::spec::{Default, Kind, Opt, conformance};
use crate::ansible::{Module, Outcome};

/// Each word of the spec's vocabulary, so that each combination is tried. Its documentation is `scripts/argspec/vocabulary.yml`.
const VOCABULARY: Module = Module {
    name: "vocabulary",
    spec: &[
        Opt::new("text", Kind::Str).required(),
        Opt::new("count", Kind::Int).default(Default::Int(3)),
        Opt::new("share", Kind::Float),
        Opt::new("flag", Kind::Bool),
        Opt::new("switch", Kind::Str).choices(&["on", "off", "auto"]),
        Opt::new("key", Kind::Str).secret(),
        Opt::new("keys", Kind::Dict).secret(),
        Opt::new("code", Kind::Int).secret(),
        Opt::new("place", Kind::Path),
        Opt::list_of("names", Kind::Str),
        Opt::list_of("tables", Kind::Dict),
        Opt::new("table", Kind::Dict).bulky(),
    ],
    work: |_| Ok(Outcome::default()),
};

#[test]
#[ignore = "scripts/argspec runs it, with cases"]
fn answers_what_the_specs_make_of_the_cases() {
    let file =
        |name: &str| std::env::var_os(name).unwrap_or_else(|| panic!("{name} names no file"));
    let cases = std::fs::read_to_string(file("ARGSPEC_CASES")).unwrap();
    let mut answers = BufWriter::new(File::create(file("ARGSPEC_ANSWERS")).unwrap());
    for case in cases.lines() {
        let (name, params) = case.split_once('\t').unwrap();
        let mut modules = ALL.iter().chain([&VOCABULARY]);
        let module = modules.find(|module| module.name == name).unwrap();
        writeln!(answers, "{}", conformance::verdict(module, params)).unwrap();
    }
    answers.flush().unwrap();
}
