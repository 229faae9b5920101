//! How what the test makes in Pulp is called, and known again: only what is ours is deleted.

/// What each name of ours begins with.
const PREFIX: &str = "pulp-broker-test-";

/// What a task's tags say of a repository, up to its name.
const REPOSITORY_TAG: &str = "pulp:repository:";

/// The name of what one call makes; a nonce makes it one of a kind.
pub(crate) fn own_name(nonce: &str) -> String {
    format!("{PREFIX}{nonce}")
}

/// Whether a name is one of ours.
pub(crate) fn is_own_name(name: &str) -> bool {
    name.starts_with(PREFIX)
}

/// What a Pulp 2 tags a task with that works on this repository.
pub(crate) fn repository_tag(name: &str) -> String {
    format!("{REPOSITORY_TAG}{name}")
}

/// Whether a task's tag says that it works on a repository of ours.
pub(crate) fn is_own_tag(tag: &str) -> bool {
    tag.strip_prefix(REPOSITORY_TAG).is_some_and(is_own_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_is_known_again_and_nothing_else() {
        let name = own_name("1a2b");
        assert!(is_own_name(&name) && is_own_tag(&repository_tag(&name)));
        assert!(!is_own_name("rhel-7") && !is_own_tag("pulp:repository:rhel-7"));
        assert!(!is_own_tag(&name) && !is_own_tag("pulp:action:sync"));
    }
}
