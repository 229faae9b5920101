//! The package: made at run time, because a package that comes with the binary would be in Pulp
//! after the first run.

use anyhow::{Context as _, Result};
use rpm::{BuildConfig, CompressionType, FileOptions, PackageBuilder};

use super::{ARCH, LICENSE, Package, RELEASE, SUMMARY, VERSION, sha256};

/// Builds the package; only the nonce and the time make it differ from another one.
pub(super) fn build(name: &str, nonce: &str, built_at: u32) -> Result<Package> {
    let text = format!("{SUMMARY}\n{nonce}\n");
    // The oldest format that the rpm of an EL6 host reads.
    let config = BuildConfig::v4()
        .compression(CompressionType::Gzip)
        .reserved_space(None)
        .source_date(built_at);
    let file = FileOptions::new(format!("/usr/share/{name}/nonce"));
    let package = PackageBuilder::new(name, VERSION, LICENSE, ARCH, SUMMARY)
        .using_config(config)
        .release(RELEASE)
        .description(SUMMARY)
        .with_file_contents(text.as_bytes(), file)
        .and_then(PackageBuilder::build)
        .with_context(|| format!("failed to build the package `{name}`"))?;
    let mut bytes = Vec::new();
    package
        .write(&mut bytes)
        .with_context(|| format!("failed to write the package `{name}`"))?;
    let offsets = package.metadata.get_package_segment_offsets();
    let header_range = (
        usize::try_from(offsets.header)?,
        usize::try_from(offsets.payload)?,
    );
    Ok(Package {
        name: name.to_owned(),
        filename: format!("{name}-{VERSION}-{RELEASE}.{ARCH}.rpm"),
        sha256: sha256(&bytes),
        bytes,
        built_at,
        installed_size: text.len(),
        header_range,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_nonce_is_another_package() {
        let one = build("pulp-broker-test-a", "1", 1_600_000_000).expect("package");
        let two = build("pulp-broker-test-a", "2", 1_600_000_000).expect("package");
        assert_ne!(one.sha256, two.sha256);
    }

    #[test]
    fn it_can_be_read_back_and_is_small() {
        let made = build("pulp-broker-test-a", "1", 1_600_000_000).expect("package");
        let read = rpm::Package::parse(&mut made.bytes.as_slice()).expect("valid");
        assert_eq!(read.metadata.get_name().ok(), Some("pulp-broker-test-a"));
        assert_eq!(read.metadata.get_build_time().ok(), Some(1_600_000_000));
        read.verify_digests().expect("digests");
        assert!(made.bytes.len() < 8192, "{}", made.bytes.len());
        assert_eq!(made.filename, "pulp-broker-test-a-1.0-1.noarch.rpm");
    }
}
