//! One binary, several Ansible modules: read the call, run the module, print the reply, exit. Some of
//! them start the binary once more, to observe or to ask another process's interpreter.

mod ansible;
mod broker;
mod evidence;
mod feed;
mod host;
mod modules;
mod names;
mod observe;
mod outage;
mod pulp;
mod service;
mod timeline;
mod verdict;

use std::process::ExitCode;

fn main() -> ExitCode {
    if host::interpreter::is_asked() {
        return host::interpreter::run();
    }
    ansible::answer_panics();
    host::wait::interrupt::watch();
    if observe::is_asked() {
        return observe::run();
    }
    let reply = match ansible::read(modules::ALL) {
        Ok(call) => {
            if call.is_without_terminal() {
                host::wait::interrupt::watch_readers();
            }
            let outcome = modules::run(&call);
            if host::wait::interrupt::pending().is_some() {
                call.leave_nothing();
            }
            ansible::reply(&call, outcome)
        }
        Err(refused) => refused,
    };
    reply.print()
}
