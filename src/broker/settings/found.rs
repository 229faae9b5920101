//! Where the settings of a Pulp 3 are on this host: the environment of its units says so, else the place
//! that its installers use.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::{Layers, Pulp3};
use crate::host::files;
use crate::service;

/// Where settings are, unless `PULP_SETTINGS` says otherwise.
pub(super) const SETTINGS_PY: &str = "/etc/pulp/settings.py";

/// Whose environment counts: the workers' first, who carry out the tasks.
const UNITS: &[&str] = &[
    service::PULP3_WORKERS,
    "pulpcore-api.service",
    "pulpcore-content.service",
    "pulpcore-resource-manager.service",
];

/// The unit that only Pulp up to 3.13 has to have.
const OLD_UNIT: &str = "pulpcore-resource-manager.service";

/// Whether there is a Pulp 3 on this host.
pub(super) fn is_here() -> bool {
    Path::new(SETTINGS_PY).exists() || !service::unit_files("pulpcore-").is_empty()
}

/// Whether Pulp 3's units are here and Pulp 2's are not, so that its configuration is a leftover.
pub(super) fn has_replaced_pulp_2() -> bool {
    !service::unit_files("pulpcore-").is_empty() && service::unit_files("pulp_workers").is_empty()
}

/// Reads all that this host tells of it.
///
/// # Errors
/// A file is there and cannot be read, or the service manager does not answer.
pub(super) fn read() -> Result<Pulp3> {
    let setup = service::setup(UNITS)?;
    let mut layers = Layers::default();
    for file in settings_files(&setup.variables) {
        for path in [file.clone(), beside(&file)] {
            if let Some(text) = files::read_if_present(&path)? {
                layers.file(&text, &path.display().to_string());
            }
        }
    }
    layers.environment(&setup.variables);
    let version = setup.program.as_deref().and_then(version);
    let is_old = !service::unit_files(OLD_UNIT).is_empty();
    Ok(Pulp3::of(&layers, version, is_old))
}

/// Dynaconf takes several with commas or semicolons between them.
fn settings_files(variables: &BTreeMap<String, String>) -> Vec<PathBuf> {
    let said = variables
        .get("PULP_SETTINGS")
        .map_or(SETTINGS_PY, String::as_str);
    let files = said.split([',', ';']).map(str::trim);
    files
        .filter(|file| !file.is_empty())
        .map(PathBuf::from)
        .collect()
}

/// `settings.local.py` beside `settings.py`.
fn beside(file: &Path) -> PathBuf {
    file.with_extension("local.py")
}

/// pulpcore's version, from the folders beside the interpreter that a unit's program belongs to.
fn version(program: &Path) -> Option<String> {
    let root = program.parent()?.parent()?;
    let libraries = ["lib", "lib64"].map(|lib| root.join(lib));
    let pythons = libraries.iter().flat_map(|lib| entries(lib));
    let packages = pythons
        .filter(|python| name_of(python).starts_with("python3"))
        .flat_map(|python| entries(&python.join("site-packages")));
    let mut versions = packages.filter_map(|package| {
        let name = name_of(&package);
        let version = name.strip_prefix("pulpcore-")?;
        let version = version
            .strip_suffix(".dist-info")
            .or_else(|| version.split("-py3").next().filter(|v| *v != version))?;
        Some(version.to_owned())
    });
    versions.next()
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let read = std::fs::read_dir(folder).into_iter().flatten().flatten();
    read.map(|entry| entry.path()).collect()
}

fn name_of(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read_from_what_pip_or_a_package_left() {
        for (name, expected) in [
            ("pulpcore-3.123.1.dist-info", Some("3.123.1")),
            ("pulpcore-3.14.9-py3.6.egg-info", Some("3.14.9")),
            ("pulpcore_client-3.14.9.dist-info", None),
        ] {
            let root = tempfile::tempdir().unwrap();
            let packages = root.path().join("lib/python3.11/site-packages");
            std::fs::create_dir_all(packages.join(name)).unwrap();
            let found = version(&root.path().join("bin/pulpcore-worker"));
            assert_eq!(found.as_deref(), expected, "{name}");
        }
    }

    #[test]
    fn several_files_are_read_each_with_its_local_one() {
        let said = BTreeMap::from([("PULP_SETTINGS".to_owned(), "/a.py; /b.py".to_owned())]);
        assert_eq!(
            settings_files(&said),
            [Path::new("/a.py"), Path::new("/b.py")]
        );
        assert_eq!(settings_files(&BTreeMap::new()), [Path::new(SETTINGS_PY)]);
        assert_eq!(beside(Path::new("/x/s.py")), Path::new("/x/s.local.py"));
    }
}
