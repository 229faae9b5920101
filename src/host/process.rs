//! The only door to subprocesses: a fixed locale, no standard input, a deadline, output with a cap.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

/// The variable by which what a command started is known.
const MARK: &str = "PULP_BROKER_STARTED";

/// How much of a command's output an error quotes.
const QUOTED_BYTES: usize = 600;

/// How much of what a command left in a file is read.
const LEFT_BYTES: u64 = 64 * 1024;

/// What a finished command said.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) code: i32,
    /// Standard output and standard error, in the order they were written.
    pub(crate) text: String,
}

/// Runs a command to its end, whatever its exit code.
///
/// # Errors
/// The program does not exist, or it did not end within `limit` (it is then killed).
pub(crate) fn run(argv: &[&str], limit: Duration) -> Result<Output> {
    run_marked(argv, None, limit)
}

fn run_marked(argv: &[&str], mark: Option<&str>, limit: Duration) -> Result<Output> {
    let mut command = expression(argv)?.stdout_capture();
    if let Some(mark) = mark {
        command = command.env(MARK, mark);
    }
    let ended = finish(&command, &argv.join(" "), limit)?;
    Ok(Output {
        code: ended.status.code().unwrap_or(-1),
        text: String::from_utf8_lossy(&ended.stdout).into_owned(),
    })
}

/// As [`run_ok`], of a command that leaves daemons behind: they may keep what it writes to open for as long
/// as they live, so that is a file that has no name any more, and not a pipe whose end would be waited for.
///
/// # Errors
/// As [`run_ok`]; also when there is no place for the file.
pub(crate) fn run_ok_leaving(argv: &[&str], limit: Duration) -> Result<String> {
    let shown = argv.join(" ");
    let mut file = nameless().with_context(|| format!("failed to run `{shown}`"))?;
    let command = expression(argv)?.stdout_file(file.try_clone()?);
    let ended = finish(&command, &shown, limit)?;
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.take(LEFT_BYTES).read_to_end(&mut bytes)?;
    let output = Output {
        code: ended.status.code().unwrap_or(-1),
        text: String::from_utf8_lossy(&bytes).into_owned(),
    };
    succeeded(argv, output)
}

/// A file that is gone when the last who has it open ends.
fn nameless() -> Result<File> {
    let path = PathBuf::from(format!(
        "/var/run/pulp_broker-output-{}",
        std::process::id()
    ));
    let _ = std::fs::remove_file(&path);
    let file = OpenOptions::new()
        .read(true)
        .append(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)
        .with_context(|| format!("failed to write `{}`", path.display()))?;
    std::fs::remove_file(&path)?;
    Ok(file)
}

fn expression(argv: &[&str]) -> Result<duct::Expression> {
    let Some((program, rest)) = argv.split_first() else {
        bail!("failed to run an empty command");
    };
    Ok(duct::cmd(*program, rest)
        .env("LC_ALL", "C")
        .env("SYSTEMD_COLORS", "0")
        .env("SYSTEMD_PAGER", "")
        .stdin_null()
        .stderr_to_stdout()
        .unchecked()
        // A Ctrl-C on the terminal is for the module, which ends in order; not for its commands.
        .before_spawn(|command| {
            command.process_group(0);
            Ok(())
        }))
}

fn finish(
    command: &duct::Expression,
    shown: &str,
    limit: Duration,
) -> Result<std::process::Output> {
    let handle = command
        .start()
        .with_context(|| format!("failed to run `{shown}`"))?;
    let finished = handle
        .wait_timeout(limit)
        .with_context(|| format!("failed to wait for `{shown}`"))?;
    let Some(output) = finished else {
        let _ = handle.kill();
        bail!(
            "failed to run `{shown}`: it did not end within {} s and was killed",
            limit.as_secs()
        );
    };
    Ok(output.clone())
}

/// Runs a command that has to succeed and returns what it printed.
///
/// # Errors
/// As [`run`]; also any exit code but 0, with the end of the output.
pub(crate) fn run_ok(argv: &[&str], limit: Duration) -> Result<String> {
    succeeded(argv, run(argv, limit)?)
}

fn succeeded(argv: &[&str], output: Output) -> Result<String> {
    if output.code == 0 {
        return Ok(output.text);
    }
    bail!(
        "failed to run `{}`: exit code {}: {}",
        argv.join(" "),
        output.code,
        tail(&output.text)
    )
}

/// As [`run_ok`], of a command that goes on as another user or in another session, as `su` does: if it does
/// not end in time, everything that it started is killed with it, wherever it went.
///
/// # Errors
/// As [`run_ok`].
pub(crate) fn run_ok_or_end_all(argv: &[&str], mark: &str, limit: Duration) -> Result<String> {
    // Processes inherit it, whatever their parent, session or user.
    let said = run_marked(argv, Some(mark), limit);
    if said.is_err() {
        end_marked(format!("{MARK}={mark}").as_bytes());
    }
    succeeded(argv, said?)
}

/// Kills every process that has the mark in its environment.
fn end_marked(mark: &[u8]) {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    for entry in entries {
        let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        if !environment.split(|byte| *byte == 0).any(|v| v == mark) {
            continue;
        }
        let name = entry.file_name();
        let pid = name.to_str().and_then(|name| name.parse().ok());
        if let Some(pid) = pid.and_then(rustix::process::Pid::from_raw) {
            // It may have ended meanwhile.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    }
}

/// A process that goes on when this one has ended.
#[derive(Debug)]
pub(crate) struct Detached(duct::Handle);

impl Detached {
    /// Whether it has ended already.
    pub(crate) fn has_ended(&self) -> bool {
        !matches!(self.0.try_wait(), Ok(None))
    }
}

/// Starts this program once more and does not wait for it: nothing of ours is open in it but what `input`
/// is read from. It leads no process group, so that it can begin a session of its own.
///
/// # Errors
/// It cannot be started.
pub(crate) fn start_self_detached(arguments: &[&str], input: &str) -> Result<Detached> {
    let program = std::env::current_exe().context("failed to find this program's own file")?;
    let handle = duct::cmd(&program, arguments)
        .dir("/")
        .stdin_bytes(input)
        .stdout_null()
        .stderr_null()
        .unchecked()
        .start()
        .with_context(|| format!("failed to run `{}`", program.display()))?;
    Ok(Detached(handle))
}

/// This program once more, whose standard output is read while it runs.
#[derive(Debug)]
pub(crate) struct Piped {
    handle: duct::Handle,
    output: Option<std::io::PipeReader>,
}

/// Starts this program once more, as [`start_self_detached`] does, with a pipe for what it writes.
///
/// # Errors
/// It cannot be started.
pub(crate) fn start_self_piped(arguments: &[&str], input: &str) -> Result<Piped> {
    let program = std::env::current_exe().context("failed to find this program's own file")?;
    let (output, writer) = std::io::pipe().context("failed to make a pipe")?;
    let handle = duct::cmd(&program, arguments)
        .dir("/")
        .stdin_bytes(input)
        .stdout_file(writer)
        .stderr_null()
        .unchecked()
        .start()
        .with_context(|| format!("failed to run `{}`", program.display()))?;
    Ok(Piped {
        handle,
        output: Some(output),
    })
}

impl Piped {
    /// What it writes; once.
    pub(crate) fn output(&mut self) -> Option<std::io::PipeReader> {
        self.output.take()
    }

    /// Its number, which is also its session's once it has called [`detach`].
    pub(crate) fn pid(&self) -> Option<i32> {
        let pid = self.handle.pids().first().copied();
        pid.and_then(|pid| i32::try_from(pid).ok())
    }

    /// How it ended; none while it runs.
    pub(crate) fn ended(&self) -> Option<std::process::ExitStatus> {
        let ended = self.handle.try_wait().ok().flatten();
        ended.map(|output| output.status)
    }

    /// Kills it and waits for its end.
    pub(crate) fn kill(&self) {
        let _ = self.handle.kill();
    }
}

/// Becomes another program, which has nothing of this one's environment. Returns only when that fails.
pub(crate) fn become_program(
    program: &std::path::Path,
    arguments: &[String],
    environment: Vec<(std::ffi::OsString, std::ffi::OsString)>,
) -> std::io::Error {
    std::process::Command::new(program)
        .args(arguments)
        .env_clear()
        .envs(environment)
        .exec()
}

/// Makes this process the only one of a new session, without a terminal, and forgets what it was started
/// with: it outlives whoever started it.
///
/// # Errors
/// It leads a process group, or there is no `/dev/null`.
pub(crate) fn detach() -> Result<()> {
    rustix::process::setsid().context("failed to begin a session")?;
    let nothing = File::open("/dev/null").context("failed to read `/dev/null`")?;
    rustix::stdio::dup2_stdin(nothing).context("failed to close the standard input")
}

/// A word of the shell that stands for itself.
pub(crate) fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// The last bytes of a text, cut at a character.
fn tail(text: &str) -> &str {
    let text = text.trim();
    let start = text.len().saturating_sub(QUOTED_BYTES);
    let start = (start..=text.len())
        .find(|&i| text.is_char_boundary(i))
        .unwrap_or(start);
    &text[start..]
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(20);

    #[test]
    fn a_failing_command_is_quoted_with_its_exit_code() {
        let error = run_ok(&["sh", "-c", "echo no such unit >&2; exit 4"], LIMIT).unwrap_err();
        let text = error.to_string();
        assert!(text.ends_with("exit code 4: no such unit"), "{text}");
    }

    #[test]
    fn a_command_that_does_not_end_is_killed_and_named() {
        let error = run(&["sleep", "60"], Duration::from_millis(50)).unwrap_err();
        assert!(error.to_string().contains("`sleep 60`: it did not end"));
    }

    #[test]
    fn what_a_command_started_in_another_session_ends_with_it() {
        let mark = format!("test-{}", std::process::id());
        let script = ["setsid", "sh", "-c", "sleep 61; true"];
        let error = run_ok_or_end_all(&script, &mark, Duration::from_millis(300)).unwrap_err();
        assert!(error.to_string().contains("did not end"), "{error}");
        let variable = format!("{MARK}={mark}");
        let left = || {
            let entries = std::fs::read_dir("/proc").unwrap().flatten();
            let environments = entries.filter_map(|e| std::fs::read(e.path().join("environ")).ok());
            environments
                .filter(|e| e.split(|b| *b == 0).any(|v| v == variable.as_bytes()))
                .count()
        };
        let end = std::time::Instant::now() + LIMIT;
        while left() > 0 {
            assert!(std::time::Instant::now() < end, "something was left behind");
        }
    }

    #[test]
    fn a_daemon_that_keeps_its_output_open_is_not_waited_for() {
        // Who waits for it waits for longer than the limit.
        let argv = ["sh", "-c", "echo started; sleep 25 & exit 3"];
        let error = format!("{:#}", run_ok_leaving(&argv, LIMIT).unwrap_err());
        // Only root may write where the file is made.
        assert!(
            error.ends_with("3: started") || error.contains("/var/run"),
            "{error}"
        );
    }

    #[test]
    fn a_program_that_does_not_exist_is_named() {
        let error = run(&["no-such-program"], LIMIT).unwrap_err();
        assert_eq!(error.to_string(), "failed to run `no-such-program`");
    }

    #[test]
    fn long_output_is_cut_at_a_character() {
        let text = "é".repeat(QUOTED_BYTES);
        assert!(tail(&text).len() <= QUOTED_BYTES);
    }
}
