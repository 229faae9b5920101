//! The Ansible modules of this binary, one file each, all of the same shape: what it may be asked,
//! what it does. This is the only list of them.

mod health;

use crate::ansible::Module;

/// Every module, by the name that playbooks use.
pub(crate) const ALL: &[Module] = &[health::MODULE];
