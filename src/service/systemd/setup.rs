//! How systemd would start a unit that is stopped: the interpreter of its program, its user and its environment.
//! Only what is plain is read; where systemd's own rules would be needed, that is said instead.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::host::process;

/// What systemd is asked for.
pub(super) const PROPERTIES: &str = "--property=Id,LoadState,ExecStart,Environment,EnvironmentFiles,User,Group,\
    RootDirectory,RootImage,DynamicUser,PassEnvironment,UnsetEnvironment";

/// What systemd gives to each service, unless its environment says otherwise.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin";

/// How long the name of a user may take to be found.
const NAME_LIMIT: Duration = Duration::from_secs(10);

/// How a unit is started, or why that cannot be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Setup {
    pub(crate) unit: String,
    /// What its own settings put into its environment, whatever it starts.
    pub(crate) variables: Result<BTreeMap<String, String>, String>,
    pub(crate) start: Result<Start, String>,
}

/// The interpreter of a unit's program, and as whom it runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Start {
    pub(crate) interpreter: PathBuf,
    pub(crate) options: Vec<String>,
    pub(crate) user: (u32, u32, Vec<u32>),
    pub(crate) variables: BTreeMap<String, String>,
}

/// The units that are there, in the order of `prefixes`.
pub(super) fn all(text: &str, prefixes: &[&str]) -> Vec<Setup> {
    let place = |id: &str| {
        let is_of = |prefix: &&str| id.starts_with(prefix.trim_end_matches("*.service"));
        prefixes.iter().position(is_of).unwrap_or(prefixes.len())
    };
    let mut all: Vec<(usize, Setup)> = text
        .split("\n\n")
        .filter(|block| value(block, "LoadState") == "loaded")
        .map(|block| {
            let id = value(block, "Id");
            let variables = own_variables(block);
            let setup = Setup {
                unit: id.to_owned(),
                start: start(block, variables.clone()),
                variables,
            };
            (place(id), setup)
        })
        .collect();
    all.sort_by_key(|(place, _)| *place);
    all.into_iter().map(|(_, setup)| setup).collect()
}

fn start(block: &str, own: Result<BTreeMap<String, String>, String>) -> Result<Start, String> {
    for key in [
        "RootDirectory",
        "RootImage",
        "PassEnvironment",
        "UnsetEnvironment",
    ] {
        if !value(block, key).is_empty() {
            return Err(format!("its unit has {key}="));
        }
    }
    if value(block, "DynamicUser") == "yes" {
        return Err("its unit has DynamicUser=".to_owned());
    }
    let commands: Vec<&str> = values(block, "ExecStart").collect();
    let [command] = commands[..] else {
        return Err("its unit starts not exactly one program".to_owned());
    };
    let program = program(command).ok_or("its unit names no program")?;
    let mut variables = BTreeMap::from([("PATH".to_owned(), PATH.to_owned())]);
    let user = user(value(block, "User"), value(block, "Group"), &mut variables)?;
    variables.extend(own?);
    let path = variables.get("PATH").map_or(PATH, String::as_str);
    let (interpreter, options) = interpreter(&program, path)?;
    Ok(Start {
        interpreter,
        options,
        user,
        variables,
    })
}

/// Of `Environment=` and `EnvironmentFile=`.
fn own_variables(block: &str) -> Result<BTreeMap<String, String>, String> {
    let mut variables = BTreeMap::new();
    for word in words(value(block, "Environment"))? {
        let (name, value) = word
            .split_once('=')
            .ok_or("its Environment= is not plain")?;
        variables.insert(name.to_owned(), value.to_owned());
    }
    for file in values(block, "EnvironmentFiles") {
        variables.extend(environment_file(file)?);
    }
    Ok(variables)
}

fn values<'a>(block: &'a str, key: &'a str) -> impl Iterator<Item = &'a str> {
    let lines = block.lines();
    lines.filter_map(move |line| line.strip_prefix(key)?.strip_prefix('='))
}

fn value<'a>(block: &'a str, key: &'a str) -> &'a str {
    values(block, key).next().unwrap_or_default()
}

/// Of `{ path=/usr/bin/x ; argv[]=… ; … }`.
fn program(command: &str) -> Option<PathBuf> {
    let (_, after) = command.split_once("path=")?;
    Some(PathBuf::from(after.split(" ;").next()?))
}

/// The numbers of a user and its groups as this host resolves them, and the variables that systemd sets for it.
fn user(
    name: &str,
    group: &str,
    variables: &mut BTreeMap<String, String>,
) -> Result<(u32, u32, Vec<u32>), String> {
    if name.is_empty() && group.is_empty() {
        return Ok((0, 0, vec![0]));
    }
    let name = if name.is_empty() { "root" } else { name };
    let look = |argv: &[&str]| {
        let said = process::run_ok(argv, NAME_LIMIT);
        said.map_err(|error| format!("its user is not known: {error:#}"))
    };
    let entry = look(&["getent", "passwd", name])?;
    let fields: Vec<&str> = entry.trim().split(':').collect();
    let [user, _, uid, gid, _, home, shell] = fields[..] else {
        return Err(format!("user `{name}` is not known"));
    };
    for (variable, value) in [
        ("USER", user),
        ("LOGNAME", user),
        ("HOME", home),
        ("SHELL", shell),
    ] {
        variables.insert(variable.to_owned(), value.to_owned());
    }
    let number = |text: &str| text.trim().parse::<u32>();
    let wrong = |_| format!("the numbers of user `{name}` are not known");
    let groups = look(&["id", "-G", name])?;
    let groups: Result<Vec<u32>, _> = groups.split_whitespace().map(number).collect();
    let gid = if group.is_empty() {
        gid.to_owned()
    } else {
        let entry = look(&["getent", "group", group])?;
        entry.split(':').nth(2).unwrap_or_default().to_owned()
    };
    Ok((
        number(uid).map_err(wrong)?,
        number(&gid).map_err(wrong)?,
        groups.map_err(wrong)?,
    ))
}

/// Words with blanks between them, the whole of a word perhaps in double quotes. Releases of systemd differ in how
/// they write anything else.
fn words(text: &str) -> Result<Vec<String>, String> {
    let (mut words, mut rest) = (Vec::new(), text.trim_start());
    while !rest.is_empty() {
        let (word, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or(("'", "")),
            None => rest.split_once(' ').unwrap_or((rest, "")),
        };
        if word.contains(['\\', '"'])
            || (!rest.starts_with('"') && word.contains('\''))
            || word == "'"
        {
            return Err("its Environment= is not plain".to_owned());
        }
        words.push(word.to_owned());
        rest = after.trim_start();
    }
    Ok(words)
}

/// The variables of `/path (ignore_errors=yes)`.
fn environment_file(shown: &str) -> Result<Vec<(String, String)>, String> {
    let (path, flags) = shown.split_once(" (").unwrap_or((shown, ""));
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(_) if flags.starts_with("ignore_errors=yes") && !path.contains(['*', '?', '[']) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(format!("`{path}` cannot be read: {error}")),
    };
    let lines = text.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with(['#', ';']));
    lines
        .map(|line| {
            let plain = line.split_once('=').and_then(|(name, value)| {
                Some((name.trim().to_owned(), unquoted(value.trim())?.to_owned()))
            });
            plain.ok_or_else(|| format!("`{path}` holds more than plain variables"))
        })
        .collect()
}

/// A value without its quotes; none where they, or a backslash, ask for systemd's own rules.
fn unquoted(value: &str) -> Option<&str> {
    let inner = ['"', '\'']
        .iter()
        .find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote))
        .unwrap_or(value);
    (!inner.contains(['"', '\'', '\\'])).then_some(inner)
}

/// The interpreter that a script names in its first line, and its options.
fn interpreter(program: &Path, path: &str) -> Result<(PathBuf, Vec<String>), String> {
    let shown = program.display();
    let is_python = |file: &str| {
        file.rsplit('/')
            .next()
            .is_some_and(|n| n.contains("python"))
    };
    let bytes = std::fs::read(program).map_err(|e| format!("`{shown}` cannot be read: {e}"))?;
    let unknown = || format!("`{shown}` does not say which Python runs it");
    if !bytes.starts_with(b"#!") {
        let is_own = is_python(&shown.to_string());
        return is_own
            .then(|| (program.to_path_buf(), Vec::new()))
            .ok_or_else(unknown);
    }
    let head = String::from_utf8_lossy(&bytes[2..bytes.len().min(2048)]).into_owned();
    let mut lines = head.lines();
    let first = lines.next().unwrap_or_default().trim();
    let (file, option) = first.split_once(' ').unwrap_or((first, ""));
    let option = option.trim();
    if file.ends_with("/env") && is_python(option) && !option.contains(' ') {
        let mut found = path.split(':').map(|folder| Path::new(folder).join(option));
        let found = found.find(|file| file.exists()).ok_or_else(unknown)?;
        return Ok((found, Vec::new()));
    }
    if is_python(file) {
        let options = Some(option.to_owned()).filter(|option| !option.is_empty());
        return Ok((PathBuf::from(file), options.into_iter().collect()));
    }
    // pip writes this where the path is too long for a first line.
    let second = lines.next().unwrap_or_default().strip_prefix("'''exec' ");
    let long = second.and_then(|second| match second.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next(),
        None => second.split(' ').next(),
    });
    let long = long.filter(|long| is_python(long)).ok_or_else(unknown)?;
    Ok((PathBuf::from(long), Vec::new()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(text: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("pulpcore-worker");
        std::fs::write(&program, text).unwrap();
        (folder, program)
    }

    #[test]
    fn a_stopped_unit_is_told_in_the_order_of_what_is_wanted() {
        let (folder, program) = script("#!/opt/p/bin/python3 -s\n");
        let file = folder.path().join("env");
        std::fs::write(&file, "# no\nPULP_REDIS_URL=\"redis://h\"\n").unwrap();
        let shown = format!(
            "Id=pulpcore-api.service\nLoadState=loaded\nEnvironment=A=1\n\n\
             ExecStart={{ path={} ; argv[]=x ; }}\nEnvironment=\"A=b c\" PULP_X=d\nUser=root\nGroup=\n\
             EnvironmentFiles={} (ignore_errors=yes)\nId=pulpcore-worker@1.service\nLoadState=loaded\n\n\
             Id=x.service\nLoadState=not-found\n",
            program.display(),
            file.display()
        );
        let found = all(
            &shown,
            &["pulpcore-worker@*.service", "pulpcore-api.service"],
        );
        let names: Vec<&str> = found.iter().map(|setup| setup.unit.as_str()).collect();
        assert_eq!(names, ["pulpcore-worker@1.service", "pulpcore-api.service"]);
        let start = found[0].start.as_ref().unwrap();
        assert_eq!(start.interpreter, Path::new("/opt/p/bin/python3"));
        assert_eq!(start.options, ["-s"]);
        assert_eq!((start.user.0, start.user.1), (0, 0));
        for (name, value) in [
            ("A", "b c"),
            ("PULP_REDIS_URL", "redis://h"),
            ("USER", "root"),
        ] {
            assert_eq!(start.variables[name], value);
        }
        assert!(found[1].start.is_err());
    }

    #[test]
    fn what_systemd_alone_understands_is_not_guessed() {
        for environment in ["A=b\\x20c", "$'A=b\\nc'", "A=\"b\"", "\"A=b"] {
            assert!(words(environment).is_err(), "{environment}");
        }
        for value in ["a\"b", "'a'b'", "a\\", "\"a"] {
            assert_eq!(unquoted(value), None, "{value}");
        }
        assert!(environment_file("/no/such/file (ignore_errors=no)").is_err());
        assert_eq!(
            environment_file("/no/such/file (ignore_errors=yes)"),
            Ok(Vec::new())
        );
        let text = "ExecStart={ path=/bin/x ; }\nDynamicUser=yes\n";
        assert_eq!(
            start(text, own_variables(text)),
            Err("its unit has DynamicUser=".to_owned())
        );
    }

    #[test]
    fn the_interpreter_is_that_of_the_first_line() {
        for (text, expected) in [
            ("#!/opt/p/bin/python3.11\n", Some("/opt/p/bin/python3.11")),
            (
                "#!/bin/sh\n'''exec' \"/a b/python\" \"$0\"\n",
                Some("/a b/python"),
            ),
            (
                "#!/bin/sh\n'''exec' /long/python3 \"$0\"\n",
                Some("/long/python3"),
            ),
            ("#!/bin/bash\nexec scl enable x\n", None),
            ("\x7fELF", None),
        ] {
            let (_folder, program) = script(text);
            let found = interpreter(&program, "/usr/bin").ok();
            assert_eq!(
                found.map(|(file, _)| file),
                expected.map(PathBuf::from),
                "{text}"
            );
        }
    }
}
