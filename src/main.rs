//! One binary, several Ansible modules: read the call, run the module, print the reply, exit.

mod ansible;
mod broker;
#[allow(
    dead_code,
    reason = "called by the module that ends an observation, which follows"
)]
mod evidence;
mod feed;
mod host;
mod modules;
mod pulp;
mod service;
#[allow(dead_code, reason = "read by the rooms that follow")]
mod timeline;

use std::process::ExitCode;

fn main() -> ExitCode {
    ansible::answer_panics();
    host::wait::interrupt::watch();
    let reply = match ansible::read(modules::ALL) {
        Ok(call) => {
            let outcome = call.module.run(&call);
            if host::wait::interrupt::pending().is_some() {
                call.leave_nothing();
            }
            ansible::reply(&call, outcome)
        }
        Err(refused) => refused,
    };
    reply.print()
}
