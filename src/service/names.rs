//! The names of Pulp's units.

/// The services of Pulp 2 and of Pulp 3, in the order in which they are started.
/// Source: Pulp 2's own `server/usr/lib/systemd/system/`, the same from 2.4 to 2.21; Pulp 3's installer.
pub(crate) const PULP: &[&str] = &[
    "httpd.service",
    "pulp_workers.service",
    "pulp_resource_manager.service",
    "pulp_celerybeat.service",
    "pulpcore-api.service",
    "pulpcore-content.service",
    "pulpcore-resource-manager.service",
    PULP3_WORKERS,
];

/// All workers of a Pulp 3: instances of one template.
pub(crate) const PULP3_WORKERS: &str = "pulpcore-worker@*.service";

/// What the names of Pulp 3's units begin with.
pub(crate) const PULP3_PREFIX: &str = "pulpcore-";

/// The umbrella that starts the workers and stays "active (exited)" whatever becomes of them.
pub(crate) const WORKERS: &str = "pulp_workers.service";

/// What the name of each worker's own unit begins with.
pub(crate) const WORKER_PREFIX: &str = "pulp_worker-";
