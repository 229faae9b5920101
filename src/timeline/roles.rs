//! What a unit is to Pulp, by its name, and under which name Pulp lists it.

/// What a unit of this name is to Pulp.
pub(super) fn role_of(unit: &str) -> &'static str {
    const ROLES: [(&str, &str); 10] = [
        ("pulp_worker-", "worker"),
        ("pulpcore-worker@", "worker"),
        ("pulp_resource_manager.", "resource_manager"),
        ("pulpcore-resource-manager.", "resource_manager"),
        ("pulp_celerybeat.", "scheduler"),
        ("pulpcore-content.", "content"),
        ("pulpcore-api.", "web"),
        ("httpd.", "web"),
        ("apache2.", "web"),
        ("nginx.", "web"),
    ];
    ROLES
        .iter()
        .find(|(prefix, _)| unit.starts_with(prefix))
        .map_or("broker_user", |(_, role)| role)
}

/// The same where workers have nothing to do with what is taken away.
pub(super) fn role_beside(unit: &str, caches_only: bool) -> &'static str {
    match role_of(unit) {
        "worker" | "resource_manager" if caches_only => "bystander",
        role => role,
    }
}

/// What Pulp's name for a unit begins with, up to the host's name.
pub(super) fn listed_as(unit: &str) -> Option<String> {
    let number = |prefix| {
        let rest: &str = unit.strip_prefix(prefix)?;
        rest.strip_suffix(".service")
    };
    match role_of(unit) {
        "worker" => number("pulp_worker-").map(|n| format!("reserved_resource_worker-{n}@")),
        "resource_manager" => Some("resource_manager@".to_owned()),
        "scheduler" => Some("scheduler@".to_owned()),
        _ => None,
    }
}

/// One of them may be the short form of the other.
pub(super) fn same_host(a: &str, b: &str) -> bool {
    let short = |name: &str| name.split('.').next().unwrap_or_default().to_owned();
    a.eq_ignore_ascii_case(b)
        || ((!a.contains('.') || !b.contains('.')) && short(a).eq_ignore_ascii_case(&short(b)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_of_both_pulps_are_known_by_their_names() {
        for (unit, role) in [
            ("pulp_worker-11.service", "worker"),
            ("pulpcore-worker@2.service", "worker"),
            ("pulp_resource_manager.service", "resource_manager"),
            ("pulp_celerybeat.service", "scheduler"),
            ("httpd.service", "web"),
            ("pulpcore-content.service", "content"),
            ("goferd.service", "broker_user"),
        ] {
            assert_eq!(role_of(unit), role, "{unit}");
        }
        let listed = listed_as("pulp_worker-11.service");
        assert_eq!(listed.as_deref(), Some("reserved_resource_worker-11@"));
        assert_eq!(listed_as("httpd.service"), None);
    }

    #[test]
    fn a_host_is_known_by_its_short_name_too() {
        assert!(same_host("a", "a.example.com") && same_host("A.b", "a.b"));
        assert!(!same_host("a.b", "a.c") && !same_host("a", "b"));
    }
}
