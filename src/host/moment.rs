//! An instant that a later process on this host can tell the age of: the kernel's clock since the boot, and
//! which boot that was. A wall clock may be set between two calls; this one only goes forward, and says
//! itself when it is another host's or another boot's.

use std::fmt;
use std::time::Duration;

use anyhow::{Context as _, Result};
use rustix::time::{ClockId, DynamicClockId, clock_gettime, clock_gettime_dynamic};

const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// An instant of one boot of one host. Its text is what one call tells the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Moment {
    boot: String,
    uptime: Duration,
}

impl Moment {
    /// Now, here.
    ///
    /// # Errors
    /// The kernel does not tell which boot this is.
    pub(crate) fn now() -> Result<Self> {
        let boot = std::fs::read_to_string(BOOT_ID)
            .with_context(|| format!("failed to read `{BOOT_ID}`"))?;
        Ok(Self {
            boot: boot.trim().to_owned(),
            uptime: uptime(),
        })
    }

    /// What `Display` wrote; `None`: it did not write that.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (boot, seconds) = text.split_once('@')?;
        let seconds = seconds.parse().ok()?;
        Some(Self {
            boot: boot.to_owned(),
            uptime: Duration::try_from_secs_f64(seconds).ok()?,
        })
    }

    /// The clock when this was, if it is of the same boot as the other one.
    pub(crate) fn uptime_of(&self, other: &Self) -> Option<Duration> {
        (self.boot == other.boot).then_some(self.uptime)
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{:.3}", self.boot, self.uptime.as_secs_f64())
    }
}

/// How long this host runs, its sleep included. EL6's kernel has no clock that counts the sleep.
pub(crate) fn uptime() -> Duration {
    let now = clock_gettime_dynamic(DynamicClockId::Boottime)
        .unwrap_or_else(|_| clock_gettime(ClockId::Monotonic));
    Duration::try_from(now).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_told_and_read_again() {
        let told = "7c0e0c1e-2b4f@4711.250";
        let moment = Moment::parse(told).unwrap();
        assert_eq!(moment.to_string(), told);
        assert_eq!(
            moment.uptime_of(&Moment::parse("7c0e0c1e-2b4f@1").unwrap()),
            Some(Duration::from_millis(4_711_250))
        );
        assert_eq!(moment.uptime_of(&Moment::parse("other@1").unwrap()), None);
        for nonsense in ["", "4711", "a@", "a@b", "a@-1", "a@inf", "a@nan"] {
            assert_eq!(Moment::parse(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn the_clock_goes_forward_and_is_the_kernels() {
        let text = std::fs::read_to_string("/proc/uptime").unwrap();
        let kernels: f64 = text.split(' ').next().unwrap().parse().unwrap();
        let ours = uptime().as_secs_f64();
        assert!(
            ours >= kernels - 0.02 && ours < kernels + 10.0,
            "{ours} {kernels}"
        );
    }
}
