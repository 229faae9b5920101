//! Runs a command some times and prints what each run cost: CPU microseconds and peak memory in KiB, children included.
//!
//! Only the kernel's account of a child that was waited for holds both. The starter must be small itself, because a
//! child counts the memory of the process that it was forked from; a Python one would hide a module of a few MB.

use std::os::raw::{c_int, c_long};
use std::process::{Command, Stdio, exit};

/// `struct rusage` of 64-bit Linux.
#[repr(C)]
#[derive(Default)]
struct Usage {
    user: [c_long; 2],
    system: [c_long; 2],
    max_rss: c_long,
    rest: [c_long; 13],
}

unsafe extern "C" {
    fn wait4(pid: c_int, status: *mut c_int, options: c_int, usage: *mut Usage) -> c_int;
}

fn main() {
    let mut words = std::env::args().skip(1);
    let (Some(runs), Some(program)) = (
        words.next().and_then(|n| n.parse::<u32>().ok()),
        words.next(),
    ) else {
        eprintln!("usage: rusage RUNS PROGRAM [ARGUMENT...]");
        exit(2);
    };
    let arguments: Vec<String> = words.collect();
    for _ in 0..runs {
        let mut command = Command::new(&program);
        command
            .args(&arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let child = match command.spawn() {
            Ok(child) => child,
            Err(error) => {
                eprintln!("failed to run `{program}`: {error}");
                exit(1);
            }
        };
        let (mut status, mut usage) = (0, Usage::default());
        // SAFETY: the child is ours and waited for by nobody else; both pointers lead to live values of the right layout.
        let waited = unsafe { wait4(child.id().cast_signed(), &raw mut status, 0, &raw mut usage) };
        if waited != child.id().cast_signed() || status != 0 {
            eprintln!("failed to run `{program}`: wait status {status}");
            exit(1);
        }
        let microseconds =
            (usage.user[0] + usage.system[0]) * 1_000_000 + usage.user[1] + usage.system[1];
        println!("{microseconds} {}", usage.max_rss);
    }
}
