//! Picks our package out of Pulp's list of units that belong to no repository.

use anyhow::{Result, bail};
use serde_json::Value;

use crate::pulp::Orphan;

/// Finds the package with this name, which carries our nonce, and this checksum. An id that could
/// mean something else in a path is never used.
pub(super) fn find(list: &Value, name: &str, sha256: &str) -> Result<Option<Orphan>> {
    let Some(list) = list.as_array() else {
        bail!("failed to find package `{name}`: Pulp's list of orphans is no list");
    };
    let ours = |unit: &&Value| unit["name"] == name && unit["checksum"] == sha256;
    let Some(unit) = list.iter().find(ours) else {
        return Ok(None);
    };
    match unit["_id"].as_str() {
        Some(id) if is_plain(id) => Ok(Some(Orphan { id: id.to_owned() })),
        _ => bail!("failed to delete package `{name}`: Pulp lists it without a usable id"),
    }
}

/// An empty id would name the whole type, and so every orphaned package there is.
fn is_plain(id: &str) -> bool {
    !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_name_and_checksum_together_make_it_ours() {
        let list = json!([
            {"_id": "1", "name": "ours", "checksum": "bb"},
            {"_id": "2", "name": "theirs", "checksum": "aa"},
            {"_id": "3", "name": "ours", "checksum": "aa"},
        ]);
        let found = find(&list, "ours", "aa").expect("list").expect("found");
        assert_eq!(found.id, "3");
        assert!(find(&list, "ours", "cc").expect("list").is_none());
        assert!(find(&json!({}), "ours", "aa").is_err());
    }

    #[test]
    fn an_id_that_would_reach_further_is_refused() {
        for id in [
            json!(""),
            json!("x/../.."),
            json!(null),
            json!({"$oid": "1"}),
        ] {
            let list = json!([{"_id": id, "name": "ours", "checksum": "aa"}]);
            assert!(find(&list, "ours", "aa").is_err());
        }
    }
}
