//! What a broker's URL says beyond its address: whether it names one broker at all, and the virtual host.

/// Whether it names several brokers, as kombu writes a list to fail over through.
pub(crate) fn names_several(url: &str) -> bool {
    url.contains(';')
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
