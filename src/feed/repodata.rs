//! The metadata of a repository of one package, or of none, in the order that createrepo writes it.
//!
//! Every value that is put into the XML is made by us from letters, digits and dashes, or is one
//! of the package's constants, so nothing needs to be escaped.

use std::fmt::Write as _;
use std::io::Write as _;

use anyhow::Result;
use flate2::{Compression, GzBuilder};

use super::{ARCH, File, LICENSE, Package, RELEASE, SUMMARY, VERSION, sha256};

/// Every file below `repodata/`, as of `at`, in seconds since the epoch.
pub(super) fn write(package: Option<&Package>, at: u32) -> Result<Vec<File>> {
    let mut files = Vec::new();
    let mut entries = String::new();
    for (kind, xml) in [
        ("primary", primary(package)),
        ("filelists", filelists(package)),
        ("other", other(package)),
    ] {
        let packed = gzip(xml.as_bytes())?;
        let path = format!("repodata/{kind}.xml.gz");
        writeln!(
            entries,
            r#"<data type="{kind}"><checksum type="sha256">{}</checksum><open-checksum type="sha256">{}</open-checksum><location href="{path}"/><timestamp>{}</timestamp><size>{}</size><open-size>{}</open-size></data>"#,
            sha256(&packed),
            sha256(xml.as_bytes()),
            at,
            packed.len(),
            xml.len(),
        )?;
        files.push(File {
            path,
            bytes: packed,
        });
    }
    let repomd = format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<repomd xmlns="http://linux.duke.edu/metadata/repo" xmlns:rpm="http://linux.duke.edu/metadata/rpm">
<revision>{at}</revision>
{entries}</repomd>
"#
    );
    files.push(File {
        path: "repodata/repomd.xml".to_owned(),
        bytes: repomd.into_bytes(),
    });
    Ok(files)
}

fn primary(package: Option<&Package>) -> String {
    document(
        "metadata",
        r#"xmlns="http://linux.duke.edu/metadata/common" xmlns:rpm="http://linux.duke.edu/metadata/rpm""#,
        package.map(primary_entry),
    )
}

fn primary_entry(package: &Package) -> String {
    let Package {
        name,
        filename,
        sha256,
        bytes,
        built_at,
        installed_size,
        header_range: (start, end),
    } = package;
    let size = bytes.len();
    format!(
        r#"<package type="rpm"><name>{name}</name><arch>{ARCH}</arch><version epoch="0" ver="{VERSION}" rel="{RELEASE}"/><checksum type="sha256" pkgid="YES">{sha256}</checksum><summary>{SUMMARY}</summary><description>{SUMMARY}</description><packager/><url/><time file="{built_at}" build="{built_at}"/><size package="{size}" installed="{installed_size}" archive="{installed_size}"/><location href="{filename}"/><format><rpm:license>{LICENSE}</rpm:license><rpm:vendor/><rpm:group>Unspecified</rpm:group><rpm:buildhost>localhost</rpm:buildhost><rpm:sourcerpm/><rpm:header-range start="{start}" end="{end}"/><rpm:provides><rpm:entry name="{name}" flags="EQ" epoch="0" ver="{VERSION}" rel="{RELEASE}"/></rpm:provides></format></package>
"#
    )
}

fn filelists(package: Option<&Package>) -> String {
    listing(package, "filelists", |package| {
        format!("<file>/usr/share/{}/nonce</file>", package.name)
    })
}

fn other(package: Option<&Package>) -> String {
    listing(package, "other", |_| String::new())
}

fn listing(package: Option<&Package>, kind: &str, inner: impl Fn(&Package) -> String) -> String {
    let entry = |package: &Package| {
        format!(
            r#"<package pkgid="{}" name="{}" arch="{ARCH}"><version epoch="0" ver="{VERSION}" rel="{RELEASE}"/>{}</package>
"#,
            package.sha256,
            package.name,
            inner(package)
        )
    };
    document(
        if kind == "other" { "otherdata" } else { kind },
        &format!(r#"xmlns="http://linux.duke.edu/metadata/{kind}""#),
        package.map(entry),
    )
}

fn document(tag: &str, names: &str, entry: Option<String>) -> String {
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<{tag} {names} packages="{}">
{}</{tag}>
"#,
        u8::from(entry.is_some()),
        entry.unwrap_or_default()
    )
}

fn gzip(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut writer = GzBuilder::new().write(Vec::new(), Compression::default());
    writer.write_all(bytes)?;
    Ok(writer.finish()?)
}

#[cfg(test)]
mod tests {
    use super::super::package;
    use super::*;

    #[test]
    fn repomd_names_each_file_with_its_true_checksum() {
        let package = package::build("pulp-broker-test-a", "1", 1_600_000_000).expect("package");
        let files = write(Some(&package), 1_600_000_000).expect("metadata");
        let repomd = files.iter().find(|f| f.path.ends_with("repomd.xml"));
        let text = String::from_utf8_lossy(&repomd.expect("repomd").bytes).into_owned();
        for file in files.iter().filter(|f| !f.path.ends_with("repomd.xml")) {
            assert!(
                text.contains(&format!(r#"href="{}""#, file.path)),
                "{}",
                file.path
            );
            assert!(text.contains(&sha256(&file.bytes)), "{}", file.path);
        }
        assert_eq!(files.len(), 4);
    }
}
