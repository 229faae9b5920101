//! What is asked of Pulp 3, as plain requests. Paths are made here, below the API's own; the reference of
//! an object, which only an answer can tell, is checked before it becomes a path.

use serde_json::{Value, json};

use crate::pulp::Ask;

/// The largest answer.
const CAP: u64 = 16 * 1024 * 1024;

pub(super) const REMOTES: &str = "remotes/rpm/rpm/";
pub(super) const REPOSITORIES: &str = "repositories/rpm/rpm/";
pub(super) const PUBLICATIONS: &str = "publications/rpm/rpm/";
pub(super) const DISTRIBUTIONS: &str = "distributions/rpm/rpm/";
pub(super) const PACKAGES: &str = "content/rpm/packages/";

/// What a reference may lead to is one object of ours, below the API.
pub(super) fn href(value: &Value, api: &str) -> Option<String> {
    let href = value.as_str()?;
    let rest = href.strip_prefix(api)?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'/');
    let is_one = rest.ends_with('/') && rest.split('/').count() > 2 && rest.bytes().all(plain);
    is_one.then(|| href.to_owned())
}

/// The part of a reference that is the same in every way to name the object.
pub(super) fn key(href: &str) -> &str {
    let mut parts = href.trim_end_matches('/').rsplit('/');
    parts.next().unwrap_or_default()
}

pub(super) fn remote(name: &str, feed: &str) -> Value {
    json!({"name": name, "url": feed, "policy": "immediate"})
}

pub(super) fn repository(name: &str) -> Value {
    json!({"name": name, "description": "Made by pulp_health, which deletes it again"})
}

pub(super) fn distribution(name: &str, publication: &str) -> Value {
    json!({"name": name, "base_path": name, "publication": publication})
}

pub(super) fn cleanup(href: &str) -> Value {
    json!({"content_hrefs": [href], "orphan_protection_time": 0})
}

pub(super) fn get(path: &str) -> Ask {
    ask("GET", path, None)
}

pub(super) fn post(path: &str, body: Value) -> Ask {
    ask("POST", path, Some(body))
}

pub(super) fn delete(path: &str) -> Ask {
    ask("DELETE", path, None)
}

pub(super) fn cancel(task: &str) -> Ask {
    ask("PATCH", task, Some(json!({"state": "canceled"})))
}

fn ask(method: &'static str, path: &str, body: Option<Value>) -> Ask {
    Ask {
        method,
        path: path.to_owned(),
        body,
        cap: CAP,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const API: &str = "/pulp/api/v3/";

    #[test]
    fn a_reference_leads_to_one_object_below_the_api() {
        let good = "/pulp/api/v3/tasks/01a20bb7-f4cd-7038/";
        assert_eq!(href(&json!(good), API).as_deref(), Some(good));
        assert_eq!(key(good), "01a20bb7-f4cd-7038");
        for bad in [
            json!("https://evil.example.com/pulp/api/v3/tasks/1/"),
            json!("//evil.example.com/pulp/api/v3/tasks/1/"),
            json!("/pulp/api/v3/../../x/"),
            json!("/pulp/api/v3/tasks/"),
            json!("/pulp/api/v3/tasks/1/?x=1"),
            json!("/other/tasks/1/"),
            json!(null),
        ] {
            assert_eq!(href(&bad, API), None, "{bad}");
        }
    }

    #[test]
    fn a_clean_up_names_what_it_cleans() {
        assert_eq!(cleanup("/x/")["content_hrefs"], json!(["/x/"]));
    }
}
