//! Makes a call in slow motion: the args file is a pipe, so that the module waits for its parameters until it was seen and, if
//! that is wanted, interrupted; then looks at everything that came of it.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::fs::{FileType, Mode, OFlags};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Map, Value};
use tempfile::TempDir;

use super::canary::Canary;
use super::common::Call;
use super::sampler::Sampler;

/// How long a module may take to do anything.
const PATIENCE: Duration = Duration::from_secs(30);

/// How a call ends.
pub(crate) enum End {
    Itself,
    /// As `Itself`, with a file of parameters that is one.
    Plain,
    /// No thread of it can be started any more.
    WithoutThreads,
    /// A signal before the parameters are there.
    Signal(Signal),
    /// Nobody reads the reply.
    NobodyReads,
    /// A signal when it asks here, where it gets no answer.
    WhenItAsks(TcpListener, Signal),
}

/// A call that is ready to be carried out, and what it needs for as long.
pub(crate) struct Made {
    pub(crate) call: Call,
    pub(crate) end: End,
    /// What the reply has to hold: without it the call did not come to where a secret could be told.
    pub(crate) tells: &'static str,
    pub(crate) needs: Vec<Box<dyn std::any::Any>>,
}

/// What could be seen of a call.
#[derive(Debug)]
pub(crate) struct Seen {
    /// Nothing where nobody read it, or it was killed.
    pub(crate) reply: Option<Map<String, Value>>,
    pub(crate) line: String,
    pub(crate) signal: Option<i32>,
    pub(crate) args_left: bool,
    /// Names in the directory that Ansible would have made.
    pub(crate) left: Vec<String>,
    pub(crate) leaks: Vec<String>,
}

impl Made {
    pub(crate) fn new(call: Call) -> Self {
        Self {
            call,
            end: End::Itself,
            tells: "",
            needs: Vec::new(),
        }
    }

    pub(crate) fn needing(mut self, need: impl std::any::Any) -> Self {
        self.needs.push(Box::new(need));
        self
    }

    pub(crate) fn carry_out(self, canary: &Canary) -> Seen {
        let home = TempDir::new().unwrap();
        let args = self.call.args_file();
        let mut command = self.command(home.path());
        let text = std::fs::read(&args).unwrap();
        let directory = self.call.directory().to_string_lossy().into_owned();
        let sampler = Sampler::start(canary, &directory);
        let child = if matches!(self.end, End::Plain) {
            command.spawn().unwrap()
        } else {
            std::fs::remove_file(&args).unwrap();
            make_pipe(&args);
            let mut child = command.spawn().unwrap();
            let mut pipe = pipe_to(&args);
            sampler.wait_until_seen(0);
            if let End::Signal(signal) = &self.end {
                kill_process(Pid::from_child(&child), *signal).unwrap();
            }
            if matches!(self.end, End::NobodyReads) {
                drop(child.stdout.take());
            }
            pipe.write_all(&text).unwrap();
            child
        };
        if let End::WhenItAsks(listener, signal) = &self.end {
            let asked = accepted(listener);
            let seen = sampler.seen();
            sampler.wait_until_seen(seen);
            kill_process(Pid::from_child(&child), *signal).unwrap();
            wait(child, &self, canary, sampler, asked)
        } else {
            wait(child, &self, canary, sampler, ())
        }
        .with_files(canary, &[self.call.directory(), home.path()])
    }

    fn command(&self, home: &Path) -> Command {
        let own = self.call.command();
        let mut command = if matches!(self.end, End::WithoutThreads) {
            // Root may start as many as it likes; a user who is root in effect only, and may not raise limits, may not.
            let mut command = Command::new("prlimit");
            command.arg(format!("--nproc={0}:{0}", threads_at_start(&own)));
            command.args(["setpriv", "--ruid=54321", "--clear-groups"]);
            command.args(["--bounding-set=-sys_resource,-sys_admin", "--"]);
            command.arg(own.get_program()).args(own.get_args());
            command
        } else {
            own
        };
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .env("TMPDIR", home)
            .env("HOME", home);
        command
    }
}

fn make_pipe(args: &Path) {
    let mode = Mode::RUSR | Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, args, FileType::Fifo, mode, 0).unwrap();
}

/// Opens the pipe as soon as the module has opened its end, which it does when it hears signals already.
fn pipe_to(args: &Path) -> std::fs::File {
    let end = Instant::now() + PATIENCE;
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap();
    loop {
        let opened = OpenOptions::new()
            .write(true)
            .custom_flags(flags)
            .open(args);
        match opened {
            Ok(pipe) => return pipe,
            Err(error) => assert!(Instant::now() < end, "the module reads nothing: {error}"),
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// How many a module has when it waits for its parameters: one, and those of an emulator that runs it.
fn threads_at_start(own: &Command) -> usize {
    let directory = TempDir::new().unwrap();
    let args = directory.path().join("args");
    make_pipe(&args);
    let mut module = Command::new(own.get_program());
    let mut child = module.arg(&args).stdin(Stdio::null()).spawn().unwrap();
    let pipe = pipe_to(&args);
    let tasks = format!("/proc/{}/task", child.id());
    let threads = std::fs::read_dir(tasks).unwrap().count();
    child.kill().unwrap();
    child.wait().unwrap();
    drop(pipe);
    threads
}

fn accepted(listener: &TcpListener) -> std::net::TcpStream {
    let end = Instant::now() + PATIENCE;
    listener.set_nonblocking(true).unwrap();
    loop {
        match listener.accept() {
            Ok((stream, _)) => return stream,
            Err(error) => assert!(Instant::now() < end, "the module asks nothing: {error}"),
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// `asked` is held open until the module has ended.
fn wait<T>(child: Child, made: &Made, canary: &Canary, mut sampler: Sampler, asked: T) -> Seen {
    let output = child.wait_with_output().unwrap();
    drop(asked);
    let mut leaks = sampler.end();
    for (name, bytes) in [
        ("standard output", &output.stdout),
        ("standard error", &output.stderr),
    ] {
        leaks.extend(
            canary
                .found_in(bytes)
                .map(|found| format!("{name}: {found}")),
        );
    }
    if !output.stderr.is_empty() {
        leaks.push("it wrote to standard error".to_owned());
    }
    let line = String::from_utf8_lossy(&output.stdout).into_owned();
    // A secret may be whole again for whoever reads the reply: `\u0041` is an A.
    let reply: Option<Map<String, Value>> = serde_json::from_str(&line).ok();
    let mut texts = Vec::new();
    reply
        .iter()
        .flat_map(Map::values)
        .for_each(|value| strings(value, &mut texts));
    let told = texts
        .iter()
        .filter_map(|text| canary.found_in(text.as_bytes()));
    leaks.extend(told.map(|found| format!("reply: {found}")));
    Seen {
        signal: output.status.signal(),
        args_left: made.call.args_file().exists(),
        reply,
        line,
        left: Vec::new(),
        leaks,
    }
}

fn strings<'a>(value: &'a Value, texts: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => texts.push(text),
        Value::Array(items) => items.iter().for_each(|item| strings(item, texts)),
        Value::Object(map) => map.values().for_each(|item| strings(item, texts)),
        _ => {}
    }
}

impl Seen {
    /// Looks at the files, too: where Ansible put the module, where it was at home, and where it keeps things.
    fn with_files(mut self, canary: &Canary, folders: &[&Path]) -> Self {
        if let Ok(entries) = std::fs::read_dir(folders[0]) {
            let names = entries
                .flatten()
                .map(|e| e.file_name().to_string_lossy().into_owned());
            self.left = names.collect();
        }
        let runs = std::fs::read_dir("/run").into_iter().flatten().flatten();
        let ours = runs.map(|entry| entry.path()).filter(|path| {
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            name.starts_with("pulp_broker")
        });
        let mut folders: Vec<_> = folders.iter().map(|folder| folder.to_path_buf()).collect();
        folders.extend(ours);
        while let Some(path) = folders.pop() {
            let Ok(about) = path.symlink_metadata() else {
                continue;
            };
            if about.is_dir() {
                let entries = std::fs::read_dir(&path).into_iter().flatten().flatten();
                folders.extend(entries.map(|entry| entry.path()));
            } else if about.is_file()
                && let Some(found) = std::fs::read(&path).ok().and_then(|b| canary.found_in(&b))
            {
                self.leaks.push(format!("file {}: {found}", path.display()));
            }
        }
        self
    }
}
