//! The only door to subprocesses: a fixed locale, no standard input, a deadline, output with a cap.

use std::os::unix::process::CommandExt as _;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

/// How much of a command's output an error quotes.
const QUOTED_BYTES: usize = 600;

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
    let shown = argv.join(" ");
    let Some((program, rest)) = argv.split_first() else {
        bail!("failed to run an empty command");
    };
    let handle = duct::cmd(*program, rest)
        .env("LC_ALL", "C")
        .env("SYSTEMD_COLORS", "0")
        .env("SYSTEMD_PAGER", "")
        .stdin_null()
        .stderr_to_stdout()
        .stdout_capture()
        .unchecked()
        // A Ctrl-C on the terminal is for the module, which ends in order; not for its commands.
        .before_spawn(|command| {
            command.process_group(0);
            Ok(())
        })
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
    Ok(Output {
        code: output.status.code().unwrap_or(-1),
        text: String::from_utf8_lossy(&output.stdout).into_owned(),
    })
}

/// Runs a command that has to succeed and returns what it printed.
///
/// # Errors
/// As [`run`]; also any exit code but 0, with the end of the output.
pub(crate) fn run_ok(argv: &[&str], limit: Duration) -> Result<String> {
    let output = run(argv, limit)?;
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
