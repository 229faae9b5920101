//! What a broker's URL says beyond its address: whether it names one broker at all, and the virtual host.

/// Whether it names several brokers, as kombu writes a list to fail over through.
pub(crate) fn names_several(url: &str) -> bool {
    url.contains(';')
}

/// Whether the broker is reached at a file and not over the network.
pub(crate) fn is_unix_socket(url: &str) -> bool {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.starts_with('/');
    };
    let (authority, query) = rest.split_once('?').unwrap_or((rest, ""));
    let host = authority.rsplit('@').next().unwrap_or_default();
    let is_file =
        |value: &str| value.starts_with('/') || value.to_ascii_lowercase().starts_with("%2f");
    scheme.ends_with("+socket")
        || scheme == "unix"
        || host.to_ascii_lowercase().starts_with("%2f")
        || query
            .split('&')
            .any(|pair| pair.strip_prefix("host=").is_some_and(is_file))
}

/// The virtual host, `/` where none is named; as kombu reads it.
pub(crate) fn virtual_host(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    // A password may hold what ends a path elsewhere; a virtual host may not hold an `@` unescaped.
    let rest = rest.rsplit('@').next().unwrap_or_default();
    let path = rest.split('?').next().unwrap_or_default();
    let name = path.split_once('/').map_or("", |(_, name)| name);
    let name = percent_encoding::percent_decode_str(name).decode_utf8_lossy();
    if name.is_empty() {
        "/".to_owned()
    } else {
        name.into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_brokers_is_told_from_one() {
        assert!(names_several("amqp://a:5672//;amqp://b:5672//"));
        assert!(!names_several("amqp://u:p@a:5672//"));
    }

    #[test]
    fn a_broker_that_is_a_file_is_told_from_one_on_the_network() {
        for url in [
            "redis+socket:///run/redis.sock?virtual_host=1",
            "unix:///run/redis.sock",
            "postgresql:///pulp?host=/var/run/postgresql",
            "postgresql://pulp@%2Fvar%2Frun%2Fpostgresql/pulp",
        ] {
            assert!(is_unix_socket(url), "{url}");
        }
        for url in [
            "amqp://localhost//",
            "redis://localhost/0",
            "qpid://localhost/",
        ] {
            assert!(!is_unix_socket(url), "{url}");
        }
    }

    #[test]
    fn the_virtual_host_is_read_as_kombu_does() {
        for (url, expected) in [
            ("amqp://u:p@h:5672//", "/"),
            ("amqp://u:p@h:5672/", "/"),
            ("amqp://u:p@h", "/"),
            ("amqp://u:p@h/pulp", "pulp"),
            ("amqp://u:p/q@h/pulp?ssl=true", "pulp"),
            ("amqp://u:p@h/%2fpulp", "/pulp"),
        ] {
            assert_eq!(virtual_host(url), expected, "{url}");
        }
    }
}
