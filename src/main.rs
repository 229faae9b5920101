//! One binary, several Ansible modules: read the call, run the module, print the reply, exit.

mod ansible;
mod broker;
mod host;
mod modules;
mod service;

use std::process::ExitCode;

fn main() -> ExitCode {
    ansible::reply::answer_panics();
    host::interrupt::watch();
    let reply = match ansible::call::read(modules::ALL) {
        Ok(call) => {
            let outcome = call.module.run(&call);
            ansible::reply::Reply::of(&call, outcome)
        }
        Err(refused) => refused,
    };
    reply.print()
}
