//! URLs: what `pulp_url` and `feed` may be, and where a reference leads.

use std::net::IpAddr;

use anyhow::{Result, bail};
use ureq::http::Uri;

use crate::names::option;

/// Checks `pulp_url` and returns it as `scheme://host[:port]`.
pub(super) fn base(url: &str) -> Result<String> {
    let uri = parse(option("pulp_url"), url)?;
    if uri.path() != "/" || uri.query().is_some() {
        bail!(
            "failed to use {} `{url}`: it is the address of the server alone, such as \
             https://pulp.example.com; the path is added by the module",
            option("pulp_url")
        );
    }
    let origin = origin(&uri);
    if uri.scheme_str() == Some("http") && !is_loopback(uri.host().unwrap_or_default()) {
        bail!(
            "failed to use {} `{url}`: the password would cross the network unencrypted; \
             use https://",
            option("pulp_url")
        );
    }
    Ok(origin)
}

/// The host of an address that was checked, as a certificate would name it.
pub(super) fn host(base: &str) -> Result<String> {
    let uri = parse("address", base)?;
    let host = uri.host().unwrap_or_default();
    Ok(host.trim_matches(['[', ']']).to_owned())
}

/// Checks a feed's address.
pub(super) fn check_feed(url: &str) -> Result<()> {
    parse(option("feed"), url).map(|_| ())
}

/// Where `reference`, met in the answer of `base`, leads.
pub(super) fn resolve(base: &str, reference: &str) -> Result<String> {
    let uri = parse("address", base)?;
    let scheme = uri.scheme_str().unwrap_or("https");
    let target = if reference.contains("://") {
        reference.to_owned()
    } else if let Some(rest) = reference.strip_prefix("//") {
        format!("{scheme}://{rest}")
    } else if reference.starts_with('/') {
        format!("{}{reference}", origin(&uri))
    } else {
        let folder = uri.path().rsplit_once('/').map_or("", |(folder, _)| folder);
        format!("{}{folder}/{reference}", origin(&uri))
    };
    parse("address", &target)?;
    Ok(target)
}

fn origin(uri: &Uri) -> String {
    format!(
        "{}://{}",
        uri.scheme_str().unwrap_or("https"),
        uri.authority().map_or("", |a| a.as_str())
    )
}

fn parse(what: &str, url: &str) -> Result<Uri> {
    // The URL is not repeated: what stands before the `@` is a secret.
    if url.split('/').nth(2).is_some_and(|host| host.contains('@')) {
        bail!("failed to use {what}: it holds a user name or password, which belong into options");
    }
    let wrong = |why: &str| {
        format!("failed to use {what} `{url}`: {why}; write https://pulp.example.com or similar")
    };
    let uri: Uri = match url.parse() {
        Ok(uri) => uri,
        Err(cause) => bail!(wrong(&format!("{cause}"))),
    };
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        bail!(wrong("it begins neither with https:// nor with http://"));
    }
    if uri.host().is_none_or(str::is_empty) {
        bail!(wrong("it names no host"));
    }
    Ok(uri)
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(url: &str) -> String {
        format!("{:#}", base(url).expect_err(url))
    }

    #[test]
    fn pulp_url_is_an_origin() {
        assert_eq!(
            base("https://pulp.example.com/").ok().as_deref(),
            Some("https://pulp.example.com")
        );
        assert_eq!(
            base("https://[::1]:8443").ok().as_deref(),
            Some("https://[::1]:8443")
        );
        assert!(refused("https://pulp.example.com/pulp/api/v2").contains("path is added"));
        assert!(refused("pulp.example.com").contains("https://"));
        assert!(refused("ftp://pulp.example.com").contains("begins neither"));
    }

    #[test]
    fn a_password_never_leaves_in_clear_text() {
        assert!(refused("http://pulp.example.com").contains("unencrypted"));
        assert!(refused("http://localhost.example.com").contains("unencrypted"));
        for own in ["http://127.0.0.1:8080", "http://localhost", "http://[::1]"] {
            assert!(base(own).is_ok(), "{own}");
        }
    }

    #[test]
    fn a_password_in_a_url_is_refused_and_not_repeated() {
        let text = refused("https://admin:hunter2@pulp.example.com");
        assert!(!text.contains("hunter2"), "{text}");
        assert!(check_feed("https://me:hunter2@feed.example.com/").is_err());
    }

    #[test]
    fn references_lead_where_a_browser_would_go() {
        let base = "https://pulp.example.com:8443/pulp/repos/x/";
        for (reference, target) in [
            (
                "Packages/a/a.rpm",
                "https://pulp.example.com:8443/pulp/repos/x/Packages/a/a.rpm",
            ),
            (
                "/streamer/a.rpm",
                "https://pulp.example.com:8443/streamer/a.rpm",
            ),
            ("//b.example.com/a", "https://b.example.com/a"),
            ("http://b.example.com/a", "http://b.example.com/a"),
        ] {
            assert_eq!(resolve(base, reference).ok().as_deref(), Some(target));
        }
        assert!(resolve(base, "file:///etc/passwd").is_err());
    }
}
