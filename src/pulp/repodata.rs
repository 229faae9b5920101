//! Reads published metadata: where primary.xml is, and where each package lies. The layout of a
//! repository is not fixed (before Pulp 2.12 packages lay in its root), so only
//! `<location href>` counts.

use std::io::{BufRead, BufReader, Read as _};

use anyhow::{Context as _, Result, bail};
use flate2::read::MultiGzDecoder;
use quick_xml::Reader;
use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
use sha2::{Digest as _, Sha256};

/// The largest primary.xml that is read, in bytes, once decompressed.
const PRIMARY_CAP: u64 = 1024 * 1024 * 1024;

/// What repomd.xml says about primary.xml.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Primary {
    pub(crate) href: String,
    pub(crate) sha256: Option<String>,
}

/// One package as primary.xml lists it.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) name: String,
    pub(crate) href: String,
    pub(crate) sha256: Option<String>,
    pub(crate) size: u64,
}

/// Finds primary.xml in repomd.xml.
pub(crate) fn primary(repomd: &[u8]) -> Result<Primary> {
    let mut here = false;
    let mut found = Primary {
        href: String::new(),
        sha256: None,
    };
    let mut text = String::new();
    let mut checksum_is_sha256 = false;
    read(repomd, |event| {
        match event {
            Event::Start(tag) | Event::Empty(tag) => {
                text.clear();
                match tag.local_name().as_ref() {
                    "data" => here = attribute(&tag, "type")?.as_deref() == Some("primary"),
                    "checksum" => {
                        checksum_is_sha256 = attribute(&tag, "type")?.as_deref() == Some("sha256");
                    }
                    "location" if here => {
                        found.href = attribute(&tag, "href")?.unwrap_or_default();
                    }
                    _ => {}
                }
            }
            Event::Text(part) => text.push_str(&part),
            Event::End(tag)
                if here && checksum_is_sha256 && tag.local_name().as_ref() == "checksum" =>
            {
                found.sha256 = Some(text.trim().to_owned());
            }
            _ => {}
        }
        Ok(())
    })
    .context("failed to read repomd.xml")?;
    if found.href.is_empty() {
        bail!("failed to read repomd.xml: it names no primary metadata");
    }
    Ok(found)
}

/// How many files of metadata repomd.xml makes with itself, and how many bytes they hold.
pub(crate) fn extent(repomd: &[u8]) -> Result<(u64, u64)> {
    let (mut files, mut bytes) = (1, repomd.len() as u64);
    let mut text = String::new();
    read(repomd, |event| {
        match event {
            Event::Start(_) => text.clear(),
            Event::Text(part) => text.push_str(&part),
            Event::End(tag) => match tag.local_name().as_ref() {
                "data" => files += 1,
                "size" => bytes += text.trim().parse::<u64>().unwrap_or_default(),
                _ => {}
            },
            _ => {}
        }
        Ok(())
    })
    .context("failed to read repomd.xml")?;
    Ok((files, bytes))
}

/// Calls `each` for every package of primary.xml, compressed or not, and counts them.
pub(crate) fn packages(bytes: &[u8], mut each: impl FnMut(Listed)) -> Result<u64> {
    let mut count = 0;
    let mut package = Listed::default();
    let mut text = String::new();
    let mut checksum_is_sha256 = false;
    let visit = |event: Event| -> Result<()> {
        match event {
            Event::Start(tag) | Event::Empty(tag) => {
                text.clear();
                match tag.local_name().as_ref() {
                    "package" => package = Listed::default(),
                    "checksum" => {
                        checksum_is_sha256 = attribute(&tag, "type")?.as_deref() == Some("sha256");
                    }
                    "location" => package.href = attribute(&tag, "href")?.unwrap_or_default(),
                    "size" => {
                        let size = attribute(&tag, "package")?;
                        package.size = size.and_then(|s| s.parse().ok()).unwrap_or_default();
                    }
                    _ => {}
                }
            }
            Event::Text(part) => text.push_str(&part),
            Event::End(tag) => match tag.name().as_ref() {
                "name" => text.trim().clone_into(&mut package.name),
                "checksum" if checksum_is_sha256 => {
                    package.sha256 = Some(text.trim().to_owned());
                }
                "package" => {
                    count += 1;
                    each(std::mem::take(&mut package));
                }
                _ => {}
            },
            _ => {}
        }
        Ok(())
    };
    match bytes {
        [0x1f, 0x8b, ..] => read(
            BufReader::new(MultiGzDecoder::new(bytes).take(PRIMARY_CAP)),
            visit,
        ),
        [b'<', ..] => read(bytes, visit),
        _ => bail!("failed to read primary.xml: it is neither XML nor compressed with gzip"),
    }
    .context("failed to read primary.xml")?;
    Ok(count)
}

/// The checksum as metadata writes it.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    Sha256::digest(bytes)
        .iter()
        .fold(String::with_capacity(64), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

fn read(input: impl BufRead, mut visit: impl FnMut(Event) -> Result<()>) -> Result<()> {
    let mut reader = Reader::from_reader(input);
    let mut buffer = Vec::new();
    let mut depth = 0_usize;
    loop {
        let event = reader.read_event_into(&mut buffer)?;
        match event {
            Event::Start(_) => depth += 1,
            Event::End(_) => depth = depth.saturating_sub(1),
            Event::Eof if depth > 0 => bail!("it ends in the middle"),
            Event::Eof => return Ok(()),
            _ => {}
        }
        visit(event)?;
        buffer.clear();
    }
}

fn attribute(tag: &BytesStart, name: &str) -> Result<Option<String>> {
    let Some(attribute) = tag.try_get_attribute(name)? else {
        return Ok(None);
    };
    let value = attribute.normalized_value(XmlVersion::Implicit1_0)?;
    Ok(Some(value.into_owned()))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    const REPOMD: &str = r#"<?xml version="1.0"?><repomd xmlns="http://linux.duke.edu/metadata/repo">
<data type="filelists"><checksum type="sha256">ff</checksum><location href="repodata/f.xml.gz"/></data>
<data type="primary"><checksum type="sha256">aa</checksum><open-checksum type="sha256">bb</open-checksum>
<location href="repodata/p.xml.gz"/></data></repomd>"#;

    const PRIMARY: &str = r#"<?xml version="1.0"?><metadata xmlns="http://linux.duke.edu/metadata/common"
 xmlns:rpm="http://linux.duke.edu/metadata/rpm" packages="2">
<package type="rpm"><name>a</name><checksum type="sha256" pkgid="YES">aa</checksum><size package="7"/>
<location href="Packages/a/a&amp;b.rpm"/><format><rpm:provides><rpm:entry name="x"/></rpm:provides></format></package>
<package type="rpm"><name>b</name><checksum type="sha">bb</checksum><location href="b.rpm"/></package></metadata>"#;

    fn listed(bytes: &[u8]) -> Result<(u64, Vec<Listed>)> {
        let mut all = Vec::new();
        let count = packages(bytes, |p| all.push(p))?;
        Ok((count, all))
    }

    #[test]
    fn primary_is_found_among_the_other_metadata() {
        let found = primary(REPOMD.as_bytes()).expect("repomd");
        assert_eq!(found.href, "repodata/p.xml.gz");
        assert_eq!(found.sha256.as_deref(), Some("aa"));
    }

    #[test]
    fn what_was_published_is_counted() {
        let sized = REPOMD.replace("</data>", "<size>100</size></data>");
        let (files, bytes) = extent(sized.as_bytes()).expect("repomd");
        assert_eq!((files, bytes), (3, sized.len() as u64 + 200));
    }

    #[test]
    fn packages_are_read_plain_and_compressed() {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(PRIMARY.as_bytes()).expect("gzip");
        let packed = gzip.finish().expect("gzip");
        for bytes in [PRIMARY.as_bytes(), &packed] {
            let (count, all) = listed(bytes).expect("primary");
            assert_eq!(count, 2);
            assert_eq!(
                all[0],
                Listed {
                    name: "a".into(),
                    href: "Packages/a/a&b.rpm".into(),
                    sha256: Some("aa".into()),
                    size: 7
                }
            );
            // Another kind of checksum is not taken for SHA-256.
            assert_eq!(all[1].sha256, None);
        }
    }

    #[test]
    fn what_is_no_metadata_is_an_error() {
        assert!(primary(b"<repomd/>").is_err());
        assert!(primary(b"<html><body>Not Found").is_err());
        assert!(listed(b"BZh9").is_err());
        assert!(listed(&PRIMARY.as_bytes()[..200]).is_err());
        assert_eq!(listed(b"<metadata packages=\"0\"/>").expect("empty").0, 0);
    }
}
