//! How systemd starts a unit: its program, and the environment that it gets. Of a unit that runs the
//! process itself tells the latter, whatever was changed on the disk since.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use procfs::process::Process;

/// The program of a unit and its environment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Setup {
    pub(crate) program: Option<PathBuf>,
    pub(crate) variables: BTreeMap<String, String>,
}

/// What systemd is asked for.
pub(super) const PROPERTIES: &str =
    "--property=Id,LoadState,MainPID,ExecStart,Environment,EnvironmentFiles";

/// The setup of the unit that runs, or else of the first that is there; the units in the order of `prefixes`.
pub(super) fn first(text: &str, prefixes: &[&str]) -> Setup {
    let mut blocks: Vec<(bool, usize, &str)> = text
        .split("\n\n")
        .filter(|block| value(block, "LoadState") == "loaded")
        .map(|block| {
            let id = value(block, "Id");
            let is_of = |prefix: &&str| id.starts_with(prefix.trim_end_matches("*.service"));
            let place = prefixes.iter().position(is_of).unwrap_or(prefixes.len());
            (value(block, "MainPID") == "0", place, block)
        })
        .collect();
    blocks.sort_unstable();
    blocks
        .first()
        .map_or_else(Setup::default, |(_, _, block)| Setup {
            program: program(value(block, "ExecStart")),
            variables: variables(block),
        })
}

fn value<'a>(block: &'a str, key: &str) -> &'a str {
    let line = |line: &'a str| line.strip_prefix(key)?.strip_prefix('=');
    block.lines().find_map(line).unwrap_or_default()
}

/// Of `{ path=/usr/bin/x ; argv[]=… ; … }`.
fn program(command: &str) -> Option<PathBuf> {
    let (_, after) = command.split_once("path=")?;
    Some(PathBuf::from(after.split(" ;").next()?))
}

fn variables(block: &str) -> BTreeMap<String, String> {
    let pid: i32 = value(block, "MainPID").parse().unwrap_or_default();
    let running = Process::new(pid).and_then(|process| process.environ());
    if let Ok(environment) = running.as_ref()
        && pid > 0
    {
        let text = |text: &std::ffi::OsString| text.to_string_lossy().into_owned();
        return environment
            .iter()
            .map(|(k, v)| (text(k), text(v)))
            .collect();
    }
    let mut all: BTreeMap<String, String> = words(value(block, "Environment"))
        .iter()
        .filter_map(|word| assignment(word))
        .collect();
    let files = block
        .lines()
        .filter_map(|l| l.strip_prefix("EnvironmentFiles="));
    for file in files {
        let path = file.split(" (").next().unwrap_or_default();
        let text = std::fs::read_to_string(Path::new(path)).unwrap_or_default();
        let lines = text
            .lines()
            .map(str::trim)
            .filter(|l| !l.starts_with(['#', ';']));
        all.extend(lines.filter_map(|line| assignment(&words(line).join(" "))));
    }
    all
}

fn assignment(word: &str) -> Option<(String, String)> {
    let (name, value) = word.split_once('=')?;
    Some((name.trim().to_owned(), value.to_owned()))
}

/// Words with blanks between them, or within quotes.
fn words(text: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, quote) {
            (c, Some(open)) if c == open => quote = None,
            ('"' | '\'', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            ('\\', _) => word.get_or_insert_default().extend(chars.next()),
            (c, None) if c.is_whitespace() => words.extend(word.take()),
            (c, _) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_that_is_wanted_first_tells_its_program_and_environment() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("env");
        std::fs::write(&file, "# no\nPULP_REDIS_URL=\"redis://h\"\n").unwrap();
        let shown = format!(
            "Id=pulpcore-api.service\nLoadState=loaded\nMainPID=0\nEnvironment=A=1\n\n\
             ExecStart={{ path=/opt/p/bin/pulpcore-worker ; argv[]=x ; }}\nEnvironment=\"A=b c\" PULP_X=d\n\
             EnvironmentFiles={} (ignore_errors=yes)\nMainPID=0\nId=pulpcore-worker@1.service\n\
             LoadState=loaded\n\nId=x.service\nLoadState=not-found\nMainPID=0\n",
            file.display()
        );
        let found = first(
            &shown,
            &["pulpcore-worker@*.service", "pulpcore-api.service"],
        );
        assert_eq!(
            found.program.as_deref(),
            Some(Path::new("/opt/p/bin/pulpcore-worker"))
        );
        let said = [
            ("A", "b c"),
            ("PULP_REDIS_URL", "redis://h"),
            ("PULP_X", "d"),
        ];
        let said = said.map(|(k, v)| (k.to_owned(), v.to_owned()));
        assert_eq!(found.variables, BTreeMap::from(said));
        assert_eq!(first("", &[]), Setup::default());
    }

    #[test]
    fn a_unit_that_runs_tells_by_its_process() {
        let shown = format!(
            "Id=a.service\nLoadState=loaded\nMainPID={}\n",
            std::process::id()
        );
        let found = first(&shown, &["a.service"]);
        assert_eq!(
            found.variables.get("PATH"),
            std::env::var("PATH").ok().as_ref()
        );
    }
}
