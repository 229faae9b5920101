//! Another process's interpreter, asked as that process would run it: this program once more takes the
//! process's groups, user, root and working directory, and becomes the interpreter. It comes back with one
//! marked line of JSON, within a deadline. Whatever was started for it ends with it.

use std::ffi::OsString;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use procfs::process::Process as Entry;
use rustix::fs::{Gid, Uid};
use rustix::process::{Resource, Rlimit, chroot, fchdir, setrlimit};
use rustix::thread::{set_no_new_privs, set_thread_groups, set_thread_res_gid, set_thread_res_uid};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::process::{self, Piped};
use super::wait::{Deadline, Pace, until};

/// The argument by which this program knows that it is to ask.
const ASK: &str = "--ask-interpreter";

/// How this program is started to ask; where it is a program of tests, one of these does the same.
#[cfg(not(test))]
const ARGUMENTS: &[&str] = &[ASK];
#[cfg(test)]
const ARGUMENTS: &[&str] = &[
    "--exact",
    "host::interpreter::tests::the_second_process",
    "--nocapture",
    "--test-threads=1",
];

/// What the line with the answer begins with.
const MARK: &str = "pulp-broker-test-answer:";

/// How much the interpreter may print, its answer included.
const LONGEST: u64 = 256 * 1024;

/// How long what has closed its output may take to end by itself.
const GRACE: Duration = Duration::from_millis(500);

/// How long what was started for it may take to go.
const LAST_BREATH: Duration = Duration::from_secs(5);

/// Variables by which systemd speaks with the one process that it has started.
const OF_SYSTEMD: &[&str] = &[
    "NOTIFY_SOCKET",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
    "LISTEN_PID",
    "LISTEN_FDS",
    "LISTEN_FDNAMES",
    "MAINPID",
    "MANAGERPID",
    "JOURNAL_STREAM",
    "INVOCATION_ID",
    "SYSTEMD_EXEC_PID",
    "SERVICE_RESULT",
    "EXIT_CODE",
    "EXIT_STATUS",
    "MEMORY_PRESSURE_WATCH",
    "MEMORY_PRESSURE_WRITE",
];

/// An interpreter, and as whom it is run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Interpreter {
    /// The process whose root and working directory count, and its start. None: those of this host.
    process: Option<(i32, u64)>,
    /// The files that may be it; the first that is counts.
    programs: Vec<PathBuf>,
    /// The file that the process runs, as device and inode.
    file: Option<(u64, u64)>,
    /// The options with which the process runs it.
    options: Vec<String>,
    uid: u32,
    gid: u32,
    groups: Vec<u32>,
    environment: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Interpreter {
    /// That of a process which runs. None where it is no Python's.
    ///
    /// # Errors
    /// It has ended, the kernel does not show it, or it has written over its own name and environment.
    pub(crate) fn of_process(pid: i32) -> Result<Option<Self>> {
        let gone = || format!("failed to look at process {pid}: it ended, or /proc hides it");
        let entry = Entry::new(pid).with_context(gone)?;
        let start = entry.stat().with_context(gone)?.starttime;
        let exe = std::fs::read_link(format!("/proc/{pid}/exe")).with_context(gone)?;
        let name = exe.file_name().unwrap_or_default().to_string_lossy();
        if !name.contains("python") {
            return Ok(None);
        }
        let is_deleted = name.ends_with(" (deleted)");
        let file = std::fs::metadata(format!("/proc/{pid}/exe")).with_context(gone)?;
        let arguments = entry.cmdline().with_context(gone)?;
        let environment = std::fs::read(format!("/proc/{pid}/environ")).with_context(gone)?;
        let environment = variables(&environment);
        let status = entry.status().with_context(gone)?;
        let Some(programs) = programs(pid, &arguments, &environment) else {
            bail!(
                "failed to ask process {pid}: it has written over its own name and environment, so neither is known"
            );
        };
        Ok(Some(Self {
            process: Some((pid, start)),
            programs,
            file: Some((file.dev(), file.ino())).filter(|_| !is_deleted),
            options: options(&arguments),
            uid: status.euid,
            gid: status.egid,
            groups: status.groups,
            environment,
        }))
    }

    /// That of a service which is stopped, as it would be started.
    pub(crate) fn of_service(
        program: PathBuf,
        options: Vec<String>,
        (uid, gid, groups): (u32, u32, Vec<u32>),
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Self {
        let environment = environment.into_iter();
        Self {
            process: None,
            programs: vec![program],
            file: None,
            options,
            uid,
            gid,
            groups,
            environment: environment
                .map(|(name, value)| (name.into_bytes(), value.into_bytes()))
                .collect(),
        }
    }

    /// The user, by its name where this host knows one.
    pub(crate) fn user(&self) -> String {
        let text = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        let uid = self.uid.to_string();
        let named = text.lines().find_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?;
            (fields.nth(1)? == uid).then(|| name.to_owned())
        });
        named.unwrap_or_else(|| format!("of uid {uid}"))
    }

    /// Has it run a text of Python, and returns what that answers.
    ///
    /// # Errors
    /// The user cannot be taken, the interpreter is missing, does not answer in time, prints too much or ends
    /// without an answer; or the text's own reason why there is none.
    pub(crate) fn ask(&self, text: &str, argument: &str, limit: Duration) -> Result<Value> {
        let order = Order {
            interpreter: self.clone(),
            text: text.to_owned(),
            argument: argument.to_owned(),
        };
        let mut child = process::start_self_piped(ARGUMENTS, &serde_json::to_string(&order)?)?;
        let said = answer(&mut child, limit);
        let ended = child.ended();
        end(&child);
        match said? {
            Said::Answer(Answer {
                value: Some(value), ..
            }) => Ok(value),
            Said::Answer(Answer { cannot, .. }) => bail!("{}", cannot.unwrap_or_default()),
            Said::TooMuch => bail!("it printed more than {} KiB and was killed", LONGEST / 1024),
            Said::Nothing => match ended {
                Some(status) => bail!("it ended without an answer ({status})"),
                None => bail!("it closed its output without an answer and was killed"),
            },
        }
    }
}

/// What this program's second process is told, on its standard input.
#[derive(Debug, Serialize, Deserialize)]
struct Order {
    interpreter: Interpreter,
    text: String,
    argument: String,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Answer {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cannot: Option<String>,
}

enum Said {
    Answer(Answer),
    TooMuch,
    Nothing,
}

/// Waits for the marked line, for the end of the output, or for too much of it.
fn answer(child: &mut Piped, limit: Duration) -> Result<Said> {
    let Some(output) = child.output() else {
        return Ok(Said::Nothing);
    };
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut output = output.take(LONGEST + 1);
        let mut piece = [0; 8192];
        // Whoever listens no longer has what was wanted.
        while let Ok(length) = output.read(&mut piece) {
            if length == 0 || sender.send(piece[..length].to_vec()).is_err() {
                break;
            }
        }
    });
    let mut seen = Vec::new();
    let answered = until("an answer", Deadline::after(limit), Pace::QUICK, || {
        Ok(collect(&receiver, &mut seen))
    });
    if let Ok(Said::Nothing) = answered {
        // The pipe is closed a moment before the process is gone.
        let _ = until("its end", Deadline::for_cleanup(GRACE), Pace::QUICK, || {
            Ok(child.ended())
        });
    }
    answered
}

/// None while nothing is decided.
fn collect(receiver: &Receiver<Vec<u8>>, seen: &mut Vec<u8>) -> Option<Said> {
    loop {
        match receiver.try_recv() {
            Ok(piece) => seen.extend(piece),
            Err(TryRecvError::Empty) => return line(seen).map(Said::Answer),
            Err(TryRecvError::Disconnected) => {
                let is_long = u64::try_from(seen.len()).is_ok_and(|length| length > LONGEST);
                let end = if is_long {
                    Said::TooMuch
                } else {
                    Said::Nothing
                };
                return Some(line(seen).map_or(end, Said::Answer));
            }
        }
    }
}

/// The marked line, when it is whole.
fn line(seen: &[u8]) -> Option<Answer> {
    let lines = seen.split_inclusive(|byte| *byte == b'\n');
    let mut whole = lines.filter_map(|line| line.strip_suffix(b"\n"));
    whole.find_map(|line| serde_json::from_slice(line.strip_prefix(MARK.as_bytes())?).ok())
}

/// Kills the process and whatever is in its session, until nothing of it is left.
fn end(child: &Piped) {
    child.kill();
    let Some(session) = child.pid() else { return };
    let _ = until(
        "the interpreter's session to end",
        Deadline::for_cleanup(LAST_BREATH),
        Pace::QUICK,
        || Ok((!kill_session(session)).then_some(())),
    );
}

/// Whether there was anything to kill.
fn kill_session(session: i32) -> bool {
    let all = procfs::process::all_processes().into_iter().flatten();
    let stats = all.flatten().filter_map(|entry| entry.stat().ok());
    let mut found = false;
    for stat in stats.filter(|stat| stat.session == session && !matches!(stat.state, 'Z' | 'X')) {
        found = true;
        if let Some(pid) = rustix::process::Pid::from_raw(stat.pid) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    }
    found
}

/// Whether this process was started to become an interpreter.
pub(crate) fn is_asked() -> bool {
    std::env::args_os().nth(1).is_some_and(|first| first == ASK)
}

/// Becomes the interpreter. What goes wrong before is the answer.
pub(crate) fn run() -> ExitCode {
    let Err(error) = become_interpreter();
    let answer = Answer {
        value: None,
        cannot: Some(format!("{error:#}")),
    };
    let line = serde_json::to_string(&answer).unwrap_or_default();
    // A pipe to the module that started this process; nobody else reads it.
    let _ = writeln!(std::io::stdout(), "\n{MARK}{line}");
    ExitCode::FAILURE
}

fn become_interpreter() -> Result<std::convert::Infallible> {
    let mut input = String::new();
    std::io::stdin().read_to_string(&mut input)?;
    let order: Order = serde_json::from_str(&input).context("failed to read what is asked")?;
    let own = order.interpreter;
    process::detach()?;
    enter(own.process)?;
    take_user(&own)?;
    // A core file would hold what the interpreter knows.
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    setrlimit(Resource::Core, none).context("failed to forbid a core file")?;
    set_no_new_privs(true).context("failed to give up new privileges")?;
    let program = own
        .programs
        .iter()
        .find(|program| is_file(program, own.file))
        .with_context(|| {
            let shown: Vec<_> = own
                .programs
                .iter()
                .map(|p| format!("`{}`", p.display()))
                .collect();
            format!(
                "failed to find the interpreter: {} is not what the process runs",
                shown.join(", ")
            )
        })?;
    let mut arguments = own.options;
    arguments.extend(["-B", "-c"].map(str::to_owned));
    arguments.extend([order.text, order.argument]);
    let pairs = own.environment.into_iter();
    let environment = pairs
        .map(|(name, value)| (OsString::from_vec(name), OsString::from_vec(value)))
        .collect();
    let error = process::become_program(program, &arguments, environment);
    Err(error).with_context(|| format!("failed to start `{}`", program.display()))
}

/// Takes the process's root and working directory; else this host's root.
fn enter(process: Option<(i32, u64)>) -> Result<()> {
    let Some((pid, start)) = process else {
        return std::env::set_current_dir("/").context("failed to enter `/`");
    };
    let gone = || format!("process {pid} ended while it was asked");
    let folder = File::open(format!("/proc/{pid}/cwd")).with_context(gone)?;
    let root = File::open(format!("/proc/{pid}/root")).with_context(gone)?;
    let found = Entry::new(pid)
        .and_then(|entry| entry.stat())
        .with_context(gone)?;
    if found.starttime != start {
        bail!(gone());
    }
    let (theirs, ours) = (root.metadata()?, std::fs::metadata("/")?);
    let is_ours = (theirs.dev(), theirs.ino()) == (ours.dev(), ours.ino());
    fchdir(&root).with_context(gone)?;
    match chroot(".") {
        // Somebody without that right sees the same, but for what systemd hides from the service.
        Err(_) if is_ours => {}
        done => done.with_context(|| format!("failed to take the root of process {pid}"))?,
    }
    fchdir(&folder).with_context(gone)
}

/// Groups first: only root may take them.
fn take_user(own: &Interpreter) -> Result<()> {
    let now = Entry::myself().and_then(|entry| entry.status())?;
    let why = || format!("failed to become user {} (uid {})", own.user(), own.uid);
    let (uid, gid) = (Uid::from_raw(own.uid), Gid::from_raw(own.gid));
    let mut groups = now.groups;
    groups.sort_unstable();
    let mut wanted = own.groups.clone();
    wanted.sort_unstable();
    if groups != wanted {
        let all: Vec<Gid> = wanted.into_iter().map(Gid::from_raw).collect();
        set_thread_groups(&all).with_context(why)?;
    }
    if [now.rgid, now.egid, now.sgid] != [own.gid; 3] {
        set_thread_res_gid(gid, gid, gid).with_context(why)?;
    }
    if [now.ruid, now.euid, now.suid] != [own.uid; 3] {
        set_thread_res_uid(uid, uid, uid).with_context(why)?;
    }
    Ok(())
}

fn is_file(program: &Path, file: Option<(u64, u64)>) -> bool {
    let found = std::fs::metadata(program);
    found.is_ok_and(|found| file.is_none_or(|file| (found.dev(), found.ino()) == file))
}

/// The variables of an environment, less those of systemd.
fn variables(environment: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let pairs = environment.split(|byte| *byte == 0);
    pairs
        .filter_map(|pair| {
            let at = pair.iter().position(|byte| *byte == b'=')?;
            Some((pair[..at].to_vec(), pair[at + 1..].to_vec()))
        })
        .filter(|(name, _)| !OF_SYSTEMD.iter().any(|own| own.as_bytes() == name))
        .collect()
}

/// Where the interpreter may be, as the process was started: a venv is known by the path alone. None where the
/// first argument is no program.
fn programs(
    pid: i32,
    arguments: &[String],
    environment: &[(Vec<u8>, Vec<u8>)],
) -> Option<Vec<PathBuf>> {
    let first = arguments.first()?;
    if first.starts_with('/') {
        let path = Path::new(first);
        let inside = Path::new("/proc").join(pid.to_string()).join("root");
        // A link of another root leads elsewhere when it is followed from here.
        let there = std::fs::symlink_metadata(inside.join(path.strip_prefix("/").ok()?));
        return there.is_ok().then(|| vec![path.to_path_buf()]);
    }
    let is_name = !first.contains(['/', ' ', ':']) && first.contains("python");
    let path = environment.iter().find(|(name, _)| name == b"PATH");
    let folders = std::env::split_paths(std::ffi::OsStr::from_bytes(&path?.1));
    is_name.then(|| folders.map(|folder| folder.join(first)).collect())
}

/// The interpreter's options that decide where it finds modules, as `-s` in what a package of a system starts.
fn options(arguments: &[String]) -> Vec<String> {
    let given = arguments
        .iter()
        .skip(1)
        .take_while(|word| word.starts_with('-'));
    given
        .filter(|word| word.len() > 1 && word[1..].chars().all(|c| "sSEIPuO".contains(c)))
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests;
