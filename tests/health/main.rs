//! `pulp_health`, the built binary, against a stand-in. What a real Pulp does is tested in the lab.
#![allow(
    clippy::expect_used,
    reason = "a test that cannot go on says so by panicking"
)]

mod answers;
mod certificates;
mod pulp3;
mod recovered;
mod states;
mod support;
mod working;
