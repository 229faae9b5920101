//! Documentations that are true, and one for each way in which one is not.

use super::*;
use crate::ansible::Outcome;

const MODULE: Module = Module {
    name: "sample",
    spec: &[
        Opt::new("state", Kind::Str)
            .required()
            .choices(&["up", "down"]),
        Opt::new("hold", Kind::Int).default(Default::Int(1)),
        Opt::new("password", Kind::Str).secret(),
        Opt::list_of("units", Kind::Str),
    ],
    work: |_| Ok(Outcome::default()),
};

const YAML: &str = r#"
DOCUMENTATION:
  module: sample
  short_description: Is an example
  description: [It does nothing., It is documented.]
  attributes:
    check_mode: {description: It predicts., support: full, details: [It does nothing.]}
    diff_mode: {description: It shows., support: none, details: Nothing changes.}
  options:
    state:
      description: The state.
      type: str
      required: true
      choices: {down: Not there., up: There.}
    hold: {description: Seconds., type: int, default: 1}
    password: {description: A secret., type: str}
    units: {description: [Names.], type: list, elements: str, required: false}
EXAMPLES: |
  - name: Play
    hosts: all
    tasks:
      - name: Block
        block:
          - name: Call it
            my.pulp.sample: {state: up, password: "{{ it }}"}
RETURN:
  outage:
    description: What happened.
    returned: always
    type: dict
    contains:
      seconds: {description: How long., type: int, sample: 8}
"#;

#[test]
fn a_true_documentation_has_no_differences() {
    assert_eq!(differences(&MODULE, YAML), Vec::<String>::new());
}

/// What the text says, what it says instead, and how that is told.
const WRONG: &[(&str, &str, &str)] = &[
    (
        "module: sample",
        "module: other",
        "DOCUMENTATION.module is not `sample`",
    ),
    (
        "Is an example",
        "''",
        "DOCUMENTATION.short_description is empty",
    ),
    (
        "It does nothing.",
        "''",
        "DOCUMENTATION.description is empty",
    ),
    (
        "support: full",
        "support: yes",
        "attributes.check_mode does not say what it does",
    ),
    (
        "Nothing changes.",
        "''",
        "attributes.diff_mode does not say what it does",
    ),
    (
        "    units: {desc",
        "    names: {desc",
        "options.names is not in the spec",
    ),
    (
        "    units: {desc",
        "    names: {desc",
        "options.units is missing",
    ),
    (
        "type: int, default",
        "type: float, default",
        r#"options.hold.type is "float", in the spec it is "int""#,
    ),
    (
        "elements: str",
        "elements: int",
        r#"options.units.elements is "int", in the spec it is "str""#,
    ),
    (
        "required: true",
        "required: false",
        "options.state.required is nothing, in the spec it is true",
    ),
    (
        "default: 1}",
        "default: 2}",
        "options.hold.default is 2, in the spec it is 1",
    ),
    (
        "up: There.",
        "off: There.",
        r#"options.state.choices is ["down","off"], in the spec it is ["up","down"]"#,
    ),
    ("The state.", "''", "options.state.description is empty"),
    (
        "A secret.",
        "A word.",
        "options.password.description does not say that the value is secret",
    ),
    (
        "sample: {state",
        "other: {state",
        "EXAMPLES never call the module",
    ),
    (
        "{state: up, password",
        "{state: up, pass",
        "EXAMPLES use `pass`, which is not in the spec",
    ),
    (
        "{state: up, password",
        "{password",
        "EXAMPLES leave out `state`, which is required",
    ),
    (
        "- name: Play",
        "- name: [Play",
        "EXAMPLES is no text with YAML",
    ),
    ("RETURN:", "RETURNS:", "RETURN is missing"),
    (
        "returned: always",
        "version_added: always",
        "RETURN.outage.returned is empty",
    ),
    (", sample: 8", "", "RETURN.outage shows no sample"),
    (
        "DOCUMENTATION:",
        "DOCUMENTATION: [",
        "it is no YAML mapping",
    ),
];

#[test]
fn every_kind_of_difference_is_found() {
    for (true_text, wrong, difference) in WRONG {
        assert!(YAML.contains(*true_text), "{true_text}");
        let found = differences(&MODULE, &YAML.replacen(*true_text, wrong, 1));
        assert!(
            found.contains(&(*difference).to_owned()),
            "{difference}: {found:?}"
        );
    }
}
