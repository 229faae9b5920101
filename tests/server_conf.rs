//! Whatever the form of Pulp 2's `server.conf`: what the binary finds is what Pulp 2 takes, or it is refused. `server_conf.jsonl`
//! is what Python 2.7, Celery, kombu and pymongo take of each form: `scripts/server-conf-forms` asked them.
//!
//! Each call sees a `/etc` of its own, with the form and some names of hosts, and no network and processes but its own.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot be set up has to fail"
)]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use common::binary;

/// A form: its kind, the bytes of the file as Latin-1, and what Pulp takes.
type Form = (String, String, Value);

const HOSTS: &str = "127.0.0.1 localhost h h_x d db1 db2 h.example.com mq.example.com pulp.example.com\n::1 localhost\n";

/// Nobody answers there, and nobody is waited for.
const RESOLVER: &str = "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n";

/// Runs in namespaces of its own, in a folder of the test's. Each number is the folder of a call.
const CALLS: &str = "mount --bind etc /etc || exit
for call in $(seq \"$1\"); do rm -rf etc/pulp; cp -r \"$call/pulp\" etc; \"$call/pulp_facts\" \"$call/args\"; done";

/// The columns of the table.
const EQUAL: &str = "equal";
const RAISED: &str = "raised, refused";
const REFUSED: &str = "refused";
const WRONG: &str = "wrong";

#[test]
fn what_is_found_is_what_pulp_2_takes_or_it_is_refused() {
    // Others than those that are kept here.
    let forms = match std::env::var_os("SERVER_CONF_FORMS") {
        Some(path) => fs::read_to_string(path).unwrap(),
        None => include_str!("server_conf.jsonl").to_owned(),
    };
    let forms: Vec<Form> = forms
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(forms.len() > 300);
    let bytes = |text: &str| text.chars().map(|c| u8::try_from(c).unwrap()).collect();
    let files: Vec<Vec<u8>> = forms.iter().map(|(_, text, _)| bytes(text)).collect();
    let replies = call_each(files.len(), |folder, index| {
        fs::write(folder.join("server.conf"), &files[index]).unwrap();
        false
    });
    assert_eq!(replies.len(), forms.len());
    let mut table: Vec<(&str, BTreeMap<&str, usize>)> = Vec::new();
    let mut wrong = Vec::new();
    for ((kind, text, taken), reply) in forms.iter().zip(&replies) {
        let judged = judge(reply, taken);
        if let Err(why) = &judged {
            wrong.push(format!(
                "{why}: {kind}: {text:?}: found {reply}; Pulp takes {taken}"
            ));
        }
        let row = match table.iter_mut().find(|(name, _)| name == kind) {
            Some((_, row)) => row,
            None => &mut table.push_mut((kind, BTreeMap::new())).1,
        };
        *row.entry(judged.unwrap_or(WRONG)).or_default() += 1;
    }
    let (shown, refused) = shown(&table);
    if let Some(path) = std::env::var_os("SERVER_CONF_TABLE") {
        fs::write(path, &shown).unwrap();
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(refused < forms.len() / 10, "{shown}");
}

/// Pulp's own default is what Pulp takes at its next start, where the whole file was read; and the page says whose word that is.
#[test]
fn the_page_says_that_a_default_counts_and_that_nobody_was_asked() {
    let replies = call_each(2, |folder, index| {
        let path = folder.join("server.conf");
        if index == 0 {
            fs::write(path, "# [tasks]\n# broker_url: amqp://h//\n").unwrap();
        } else {
            fs::create_dir(path).unwrap();
        }
        true
    });
    let page = |reply: &Value| reply["ansible_facts"]["pulp_deployment"]["preflight"].to_string();
    let [default, folder] = [&replies[0], &replies[1]].map(page);
    for line in [
        "SETTINGS read /etc/pulp/server.conf: Pulp was not asked, because `ask_pulp` is false",
        "(Pulp 2's default, because /etc/pulp/server.conf has no [tasks] broker_url)",
    ] {
        assert!(default.contains(line), "{default}");
    }
    for words in [
        "broker_uncertain",
        "/etc/pulp/server.conf: Is a directory (os error 21); set `broker_url`",
    ] {
        assert!(folder.contains(words), "{folder}");
    }
    assert!(!folder.contains("default"), "{folder}");
}

/// What the shipped binary answers to each. `prepare` fills `/etc/pulp` of a call, and says whether it is the pre-flight.
fn call_each(count: usize, prepare: impl Fn(&Path, usize) -> bool) -> Vec<Value> {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    fs::create_dir(place("etc")).unwrap();
    fs::write(place("etc/hosts"), HOSTS).unwrap();
    fs::write(place("etc/resolv.conf"), RESOLVER).unwrap();
    for index in 0..count {
        let call = place(&(index + 1).to_string());
        fs::create_dir_all(call.join("pulp")).unwrap();
        let preflight = prepare(&call.join("pulp"), index);
        let arguments = json!({"ask_pulp": false, "preflight": preflight, "_ansible_module_name": "pulp_facts"});
        fs::write(call.join("args"), arguments.to_string()).unwrap();
        std::os::unix::fs::symlink(binary(), call.join("pulp_facts")).unwrap();
    }
    let output = Command::new("unshare")
        .args(["--mount", "--net", "--pid", "--fork", "--mount-proc"])
        .args(["sh", "-c", CALLS, "sh", &count.to_string()])
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let lines = String::from_utf8(output.stdout).unwrap();
    let replies = lines.lines().map(|line| {
        assert!(!line.contains("Sesame"), "a password is shown: {line}");
        Value::Object(common::reply(&format!("{line}\n")))
    });
    replies.collect()
}

/// The column; or what is wrong.
fn judge(reply: &Value, taken: &Value) -> Result<&'static str, &'static str> {
    let column = if taken["broker"].is_object() {
        REFUSED
    } else {
        RAISED
    };
    if reply["failed"] == true {
        return Ok(column);
    }
    let found = &reply["ansible_facts"]["pulp_deployment"];
    let seeds = found["database"]["seeds"].as_array().unwrap().iter();
    let seeds: Vec<Value> = seeds.map(|s| json!([s["host"], s["port"]])).collect();
    if !seeds.is_empty() && taken["seeds"] != json!([found["database"]["name"], seeds]) {
        return Err("another database");
    }
    // Pulp's default is known to whoever asks.
    let timeout = &found["worker_timeout"];
    if *timeout != taken["worker_timeout"] && !(timeout.is_null() && taken["worker_timeout"] == 30)
    {
        return Err("another worker_timeout");
    }
    let name = taken["server_name"]
        .as_str()
        .filter(|name| !name.is_empty());
    let url = name.map(|name| json!(format!("https://{name}")));
    if found["pulp_url"] != own_name() && url.as_ref() != Some(&found["pulp_url"]) {
        return Err("another server_name");
    }
    match (&found["broker"], &taken["broker"]) {
        (Value::Null, _) => Ok(column),
        (_, Value::Null | Value::String(_)) => Err("found where Pulp itself gets nowhere"),
        (broker, kombus) if in_kombus_words(broker, kombus) == *kombus => Ok(EQUAL),
        _ => Err("another broker"),
    }
}

/// Where no server's name is known, it is the host's own.
fn own_name() -> Value {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    format!("https://{}", name.trim()).into()
}

/// The broker as kombu shows it; what is left to kombu's own word is its password, and the one of two words for a transport.
fn in_kombus_words(broker: &Value, kombus: &Value) -> Value {
    let url = broker["url"].as_str().unwrap();
    let (scheme, rest) = url.split_once("://").unwrap();
    let virtual_host = rest.split_once('/').unwrap().1;
    let virtual_host = percent_decode_str(virtual_host).decode_utf8().unwrap();
    let is_same = match kombus["transport"].as_str().unwrap() {
        "amqp" | "amqps" | "pyamqp" => scheme.starts_with("amqp"),
        other => scheme.starts_with(other),
    };
    let mut found = json!({
        "hostname": broker["host"], "port": broker["port"], "ssl": broker["tls"], "virtual_host": virtual_host,
        "password": kombus["password"],
    });
    if is_same {
        found["transport"] = kombus["transport"].clone();
    }
    // A Redis has no virtual hosts.
    if scheme.starts_with("redis") {
        found["virtual_host"] = kombus["virtual_host"].clone();
    }
    found
}

/// In Markdown; and how many were refused which Pulp reads.
fn shown(table: &[(&str, BTreeMap<&str, usize>)]) -> (String, usize) {
    let columns = [EQUAL, RAISED, REFUSED, WRONG];
    let heads = "| form | as Pulp takes it | Pulp cannot take it: refused | else refused | wrong |\n| --- | --- | --- | --- | --- |\n";
    let row = |name: &str, counts: [usize; 4]| {
        format!(
            "| {name} | {} |\n",
            counts.map(|n| n.to_string()).join(" | ")
        )
    };
    let of = |column: &str| {
        table
            .iter()
            .map(move |(_, row)| row.get(column).unwrap_or(&0))
            .sum()
    };
    let rows = table.iter().map(|(name, counts)| {
        let counts = columns.map(|column| *counts.get(column).unwrap_or(&0));
        row(name, counts)
    });
    let rows: String = rows.collect();
    let sums = columns.map(of);
    (format!("{heads}{rows}{}", row("**all**", sums)), sums[2])
}
