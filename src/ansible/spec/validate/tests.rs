//! What a user gets for what is given: every line of the table of coercions, the wording of each error,
//! and which of several errors is told.

use serde_json::{Map, Value, json};

use super::*;

const SPEC: &[Opt] = &[
    Opt::new("url", Kind::Str).required(),
    Opt::new("state", Kind::Str)
        .default(Default::Str("up"))
        .choices(&["up", "down"]),
    Opt::new("timeout", Kind::Int).default(Default::Int(30)),
    Opt::new("certs", Kind::Bool),
    Opt::list_of("ports", Kind::Int),
    Opt::new("headers", Kind::Dict),
    Opt::new("pw", Kind::Str).secret(),
];

fn check(spec: &[Opt], given: &str) -> Result<Valid, String> {
    validate(
        spec,
        Given::parse_object(given).unwrap(),
        "my.pulp.sample",
        false,
        &mut |_| {},
    )
}

fn msg(given: &str) -> String {
    check(SPEC, given).unwrap_err()
}

fn params(given: &str) -> Map<String, Value> {
    check(SPEC, given).unwrap().params
}

fn opt_of(kind: &str) -> Opt {
    let kinds = [
        Kind::Str,
        Kind::Int,
        Kind::Float,
        Kind::Bool,
        Kind::List,
        Kind::Dict,
        Kind::Path,
    ];
    let named = |name: &str| *kinds.iter().find(|kind| kind.name() == name).unwrap();
    match kind
        .strip_prefix("list[")
        .and_then(|rest| rest.strip_suffix(']'))
    {
        Some(elements) => Opt::list_of("p", named(elements)),
        None => Opt::new("p", named(kind)),
    }
}

#[test]
fn every_line_of_the_table() {
    let home = std::env::var("HOME").unwrap();
    let table = include_str!("coercions.txt");
    for line in table.lines().filter(|line| !line.starts_with('#')) {
        let columns: Vec<_> = line.split('\t').collect();
        let [kind, given, result] = columns[..] else {
            panic!("{line}");
        };
        let valid = check(&[opt_of(kind)], &format!("{{\"p\": {given}}}"));
        let got = valid.map(|valid| valid.module_args["p"].clone()).ok();
        let expected = result.replace("<HOME>", &home);
        assert_eq!(got, serde_json::from_str(&expected).ok(), "{line}");
    }
}

#[test]
fn errors_are_worded_as_ansible_words_them() {
    for (given, expected) in [
        ("{}", "missing required arguments: url"),
        (
            r#"{"url": "u", "x": 1, "bogus": 2}"#,
            "Unsupported parameters for (my.pulp.sample) module: bogus, x. Supported parameters include: certs, headers, ports, pw, state, timeout, url.",
        ),
        (
            r#"{"url": "u", "state": "sideways"}"#,
            "value of state must be one of: up, down, got: sideways",
        ),
        (
            r#"{"url": "u", "state": true}"#,
            "value of state must be one of: up, down, got: True",
        ),
        (
            r#"{"url": "u", "timeout": "abc"}"#,
            "argument 'timeout' is of type str and we were unable to convert to int: \"'abc'\" cannot be converted to an int",
        ),
        (
            r#"{"url": "u", "timeout": 100000000000000000000}"#,
            "argument 'timeout' is of type int and we were unable to convert to int: \"100000000000000000000\" cannot be converted to an int",
        ),
        (
            r#"{"url": "u", "certs": "maybe"}"#,
            "argument 'certs' is of type str and we were unable to convert to bool: The value 'maybe' is not a valid boolean. Valid booleans include: 'y', 'yes', 'on', '1', 'true', 't', 1, 'n', 'no', 'off', '0', 'false', 'f', 0",
        ),
        (
            r#"{"url": "u", "ports": ["1", "x"]}"#,
            "Elements value for option 'ports' is of type str and we were unable to convert to int: \"'x'\" cannot be converted to an int",
        ),
        (
            r#"{"url": "u", "ports": {"a": 1}}"#,
            "argument 'ports' is of type dict and we were unable to convert to list: <class 'dict'> cannot be converted to a list",
        ),
        (
            r#"{"url": "u", "headers": "x"}"#,
            "argument 'headers' is of type str and we were unable to convert to dict: dictionary requested, could not parse JSON or key=value",
        ),
        (
            r#"{"url": "u", "headers": "{x"}"#,
            "argument 'headers' is of type str and we were unable to convert to dict: unable to evaluate string as dictionary",
        ),
        (
            r#"{"url": "u", "headers": "a=b"}"#,
            "argument 'headers' is of type str and we were unable to convert to dict: dictionary requested, could not parse JSON or key=value",
        ),
        (r#"{"url": ""}"#, "missing required arguments: url"),
    ] {
        assert_eq!(msg(given), expected);
    }
}

#[test]
fn of_several_errors_the_first_check_is_told_and_unknown_options_last() {
    let all = r#"{"bogus": 1, "state": "x", "timeout": "x", "certs": "x"}"#;
    assert_eq!(msg(all), "missing required arguments: url");
    let all = all.replacen('{', "{\"url\": \"u\", ", 1);
    assert!(msg(&all).starts_with("argument 'timeout'"), "{}", msg(&all));
    let rest = r#"{"bogus": 1, "state": "x", "url": "u"}"#;
    assert!(msg(rest).starts_with("value of state"), "{}", msg(rest));
}

#[test]
fn every_option_is_there_and_no_other_key() {
    let expected = json!({
        "url": "u", "state": "up", "timeout": 30, "certs": null, "ports": null,
        "headers": null, "pw": null,
    });
    assert_eq!(Value::Object(params(r#"{"url": "u"}"#)), expected);
}

#[test]
fn what_is_blank_is_not_given() {
    for blank in ["\"\"", "null"] {
        let given = format!(
            r#"{{"url": "u", "state": {blank}, "timeout": {blank}, "ports": {blank}, "headers": {blank}, "pw": {blank}}}"#
        );
        assert_eq!(params(&given), params(r#"{"url": "u"}"#), "{given}");
        assert!(msg(&format!(r#"{{"url": {blank}}}"#)).starts_with("missing required"));
        let unknown = msg(&format!(r#"{{"url": "u", "bogus": {blank}}}"#));
        assert!(unknown.starts_with("Unsupported parameters"), "{unknown}");
    }
}

#[test]
fn a_boolean_that_yaml_made_of_a_choice_is_that_choice() {
    let mode = |choices| Opt::new("mode", Kind::Str).choices(choices);
    let chosen = |choices| {
        check(&[mode(choices)], r#"{"mode": false}"#).map(|valid| valid.params["mode"].clone())
    };
    assert_eq!(chosen(&["on", "off"]), Ok(json!("off")));
    assert_eq!(
        chosen(&["no", "off"]),
        Err("value of mode must be one of: no, off, got: False".to_owned())
    );
}

#[test]
fn a_module_reads_a_number_where_python_leaves_a_boolean() {
    let valid = check(SPEC, r#"{"url": "u", "timeout": true}"#).unwrap();
    assert_eq!(valid.params["timeout"], 1);
    assert_eq!(valid.module_args["timeout"], true);
}

#[test]
fn unknown_options_are_left_out_when_ansible_says_so() {
    let given = Given::parse_object(r#"{"url": "u", "bogus": 1}"#).unwrap();
    let valid = validate(SPEC, given, "sample", true, &mut |_| {}).unwrap();
    assert!(!valid.params.contains_key("bogus") && !valid.module_args.contains_key("bogus"));
}

#[test]
fn secrets_are_told_before_anything_can_fail() {
    let told = |spec: &[Opt], given: &str| {
        let mut told = Vec::new();
        let given = Given::parse_object(given).unwrap();
        let _ = validate(spec, given, "sample", false, &mut |secret| {
            told.push(secret.to_owned());
        });
        told
    };
    assert_eq!(told(SPEC, r#"{"pw": "hunter2", "bogus": 1}"#), ["hunter2"]);
    let all = Opt::new("all", Kind::Dict).secret();
    let given = r#"{"all": {"a": ["x", 12, 1.5, true, null], "b": {"c": "y"}}}"#;
    assert_eq!(told(&[all], given), ["x", "12", "1.5", "y"]);
    assert!(told(&[all], r#"{"all": 0}"#).is_empty());
    let default = Opt::new("key", Kind::Str)
        .secret()
        .default(Default::Str("changeme"));
    assert_eq!(told(&[default], "{}"), ["changeme"]);
}
