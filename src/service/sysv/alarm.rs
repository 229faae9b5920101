//! A timer where there is no systemd: a shell in a session of its own, which nobody's end reaches. It
//! counts the seconds since the boot, so that a clock that is set back does not delay it, and writes a
//! heartbeat each second. It ends by itself within a second once its alarm is no longer wanted, and runs
//! the command when its time has come, again a second after each of its ends, as long as it is wanted.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use super::{ANSWER_LIMIT, detach};
use crate::host::wait::{Deadline, Pace, until};
use crate::host::{files, process, processes};
use crate::service::Alarm;

/// How long, in seconds, an alarm may take to be wanted: its watcher is started before that.
const GRACE_SECONDS: u64 = 30;

/// Starts the alarm's watcher, in a session of its own. It is armed only when it has written its
/// heartbeat, which it does once its alarm is wanted.
///
/// # Errors
/// It cannot be started.
pub(super) fn schedule(alarm: &Alarm, delay: Duration) -> Result<()> {
    let text = text(alarm, delay);
    // What follows the text says in a list of processes what this is.
    detach(&["/bin/sh", "-c", &text, &alarm.script, "wait", &alarm.name])
}

/// Waits until the watcher has written that it waits.
///
/// # Errors
/// It has not by the deadline.
pub(super) fn wait_armed(alarm: &Alarm, deadline: Deadline) -> Result<()> {
    let what = format!(
        "the watcher of the undo to write its heartbeat to `{}`",
        alarm.heartbeat
    );
    until(&what, deadline, Pace::QUICK, || {
        let beat = files::read_if_present(Path::new(&alarm.heartbeat))?;
        Ok(beat.filter(|b| b.starts_with(&alarm.name)).map(drop))
    })
}

/// Whether the alarm's command runs by now.
///
/// # Errors
/// `/proc` cannot be read.
pub(super) fn fires(alarm: &Alarm) -> Result<bool> {
    let ours = processes::started_with(&alarm.name)?;
    Ok(ours.iter().any(|(_, words)| !waits(words)))
}

/// Ends the watcher, and what it runs.
pub(super) fn unschedule(alarm: &Alarm) {
    let pids: Vec<String> = processes::started_with(&alarm.name)
        .unwrap_or_default()
        .iter()
        .map(|(process, _)| process.pid.to_string())
        .collect();
    if !pids.is_empty() {
        let kill = format!("kill -KILL {}", pids.join(" "));
        let _ = process::run(&["/bin/sh", "-c", &kill], ANSWER_LIMIT);
    }
}

fn waits(words: &[String]) -> bool {
    words.iter().any(|w| w == "wait")
}

/// The watcher's text.
fn text(alarm: &Alarm, delay: Duration) -> String {
    let Alarm {
        name,
        command,
        wanted,
        heartbeat,
        ..
    } = alarm;
    // Whole seconds are counted: rather a little later than too early.
    let seconds = delay.as_secs() + u64::from(delay.subsec_nanos() > 0);
    format!(
        "umask 077\n\
         wanted() {{ {wanted}; }}\n\
         look() {{ read -r now rest </proc/uptime; now=${{now%.*}}; }}\n\
         look; begun=$now; seen=; pause=0.1\n\
         while [ $((now - begun)) -lt {seconds} ]; do\n\
         \x20   if wanted; then\n\
         \x20       seen=1; pause=1\n\
         \x20       echo \"{name} $$ $now\" 2>/dev/null >{heartbeat}\n\
         \x20   elif [ -n \"$seen\" ] || [ $((now - begun)) -ge {GRACE_SECONDS} ]; then\n\
         \x20       exit\n\
         \x20   fi\n\
         \x20   sleep $pause 2>/dev/null || sleep 1\n\
         \x20   look\n\
         done\n\
         while wanted; do\n\
         \x20   ( {command} )\n\
         \x20   sleep 1\n\
         done\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(30);

    fn alarm(dir: &str, command: &str) -> Alarm {
        Alarm {
            name: "alarm-1".to_owned(),
            script: "heal".to_owned(),
            wanted: format!("test -e {dir}/record"),
            command: command.to_owned(),
            heartbeat: format!("{dir}/heartbeat"),
        }
    }

    fn run(what: &str, wanted: bool, command: &str, delay: u64) -> (String, String) {
        let name = format!("pulp_broker-{what}-{}", std::process::id());
        let dir = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&dir).unwrap();
        let shown = dir.display().to_string();
        if wanted {
            std::fs::write(dir.join("record"), "").unwrap();
        }
        let command = command.replace("DIR", &shown);
        let text = text(&alarm(&shown, &command), Duration::from_secs(delay));
        let output = process::run(&["/bin/sh", "-c", &text], LIMIT).unwrap();
        let beat = std::fs::read_to_string(dir.join("heartbeat")).unwrap_or_default();
        std::fs::remove_dir_all(&dir).unwrap();
        (output.text, beat)
    }

    #[test]
    fn the_command_runs_when_its_time_has_come_and_again_until_it_is_not_wanted() {
        let command = "echo now; test -e DIR/once && rm DIR/record; touch DIR/once";
        let (said, beat) = run("fires", true, command, 1);
        assert_eq!(said, "now\nnow\n");
        assert!(beat.starts_with("alarm-1 "), "{beat}");
    }

    #[test]
    fn a_watcher_that_is_wanted_no_more_ends_and_runs_nothing() {
        // The second look does not find the record. Its time would come after the limit.
        let name = format!("pulp_broker-ends-{}", std::process::id());
        let dir = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&dir).unwrap();
        let shown = dir.display().to_string();
        let mut alarm = alarm(&shown, "echo fired");
        alarm.wanted = format!("mkdir {shown}/first 2>/dev/null");
        let text = text(&alarm, Duration::from_mins(1));
        let output = process::run(&["/bin/sh", "-c", &text], LIMIT).unwrap();
        std::fs::remove_dir_all(&dir).unwrap();
        assert_eq!(output.text, "");
    }
}
