//! Paths: `$NAME` and `${NAME}` from the environment, then `~` and `~user`, as Python's `os.path`
//! expands them. What cannot be expanded stays as it is written.

/// Expands a path for this process.
pub(super) fn expand(path: &str) -> Result<String, String> {
    let variable = |name: &str| std::env::var_os(name).map(|v| v.to_string_lossy().into_owned());
    let path = expand_variables(path, variable);
    // No user can have such a name, and Python tells so.
    let user = path
        .strip_prefix('~')
        .and_then(|tail| tail.split('/').next());
    if user.is_some_and(|user| user.contains('\0')) {
        return Err("embedded null byte".to_owned());
    }
    Ok(expand_user(&path, |user| home_of(user, variable)))
}

fn expand_variables(path: &str, variable: impl Fn(&str) -> Option<String>) -> String {
    let mut expanded = String::new();
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('$') {
        expanded.push_str(before);
        let (written, name) = reference(after);
        match variable(name).filter(|_| !name.is_empty()) {
            Some(value) => expanded.push_str(&value),
            None => expanded.extend(["$", written]),
        }
        rest = &after[written.len()..];
    }
    expanded + rest
}

/// What stands after a `$`: as it is written, and the name in it; both empty if there is none.
fn reference(after: &str) -> (&str, &str) {
    if let Some((name, _)) = after
        .strip_prefix('{')
        .and_then(|inner| inner.split_once('}'))
    {
        return (&after[..name.len() + 2], name);
    }
    let end = after
        .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .unwrap_or(after.len());
    (&after[..end], &after[..end])
}

fn expand_user(path: &str, home: impl Fn(&str) -> Option<String>) -> String {
    let Some(tail) = path.strip_prefix('~') else {
        return path.to_owned();
    };
    let user = tail.split('/').next().unwrap_or_default();
    match home(user) {
        Some(home) => {
            let expanded = format!("{}{}", home.trim_end_matches('/'), &tail[user.len()..]);
            if expanded.is_empty() {
                "/".to_owned()
            } else {
                expanded
            }
        }
        None => path.to_owned(),
    }
}

/// The home directory of a user, of this process's own for the empty name.
fn home_of(user: &str, variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    if user.is_empty() {
        let own = || std::env::home_dir().map(|home| home.to_string_lossy().into_owned());
        return variable("HOME").or_else(own);
    }
    let users = std::fs::read_to_string("/etc/passwd").ok()?;
    let entry = users
        .lines()
        .find(|line| line.split(':').next() == Some(user))?;
    entry.split(':').nth(5).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variable(name: &str) -> Option<String> {
        match name {
            "HOME" => Some("/home/me/".to_owned()),
            "X" => Some("$Y".to_owned()),
            "" => Some("never".to_owned()),
            _ => None,
        }
    }

    #[test]
    fn variables() {
        for (path, expanded) in [
            ("/a/$X/b", "/a/$Y/b"),
            ("${X}$X_", "$Y$X_"),
            ("$NO/${NO}/$/${/$", "$NO/${NO}/$/${/$"),
            ("${}", "${}"),
            ("$Xé", "$Yé"),
            ("", ""),
        ] {
            assert_eq!(expand_variables(path, variable), expanded, "{path}");
        }
    }

    #[test]
    fn a_user_without_a_possible_name_is_refused_and_a_file_is_not() {
        assert_eq!(expand("~a\0/x"), Err("embedded null byte".to_owned()));
        assert_eq!(expand("/a\0/x"), Ok("/a\0/x".to_owned()));
    }

    #[test]
    fn homes() {
        let home = |user: &str| match user {
            "" => Some("/home/me/".to_owned()),
            "root" => Some("/".to_owned()),
            _ => None,
        };
        for (path, expanded) in [
            ("~", "/home/me"),
            ("~/x", "/home/me/x"),
            ("~root", "/"),
            ("~root/x", "/x"),
            ("~nobody-such/x", "~nobody-such/x"),
            ("a~", "a~"),
            ("", ""),
        ] {
            assert_eq!(expand_user(path, home), expanded, "{path}");
        }
    }
}
