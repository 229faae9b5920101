"""Why this exists: what Pulp does to repositories: sync from a feed, publish, delete, clean up orphans. Plain functions on the
store and the disk; `jobs.py` makes Celery tasks of them."""

import glob
import os
import shutil
import subprocess
import time
import uuid

from pulp_lab import defects, errors, feed, schedules, settings, store

IMPORTER, DISTRIBUTOR = "yum_importer", "yum_distributor"


def repository(repo_id):
    found = store.get("repository", repo_id)
    if found is None:
        raise errors.missing_resource(repo_id=repo_id)
    return found


def importer_of(repo_id):
    found = store.get("importer", repo_id)
    if found is None:
        raise errors.missing_resource(repo_id=repo_id)
    return found


def distributors_of(repo_id):
    return store.find("distributor", repo_id=repo_id)


def distributor_of(repo_id, distributor_id):
    found = store.get("distributor", f"{repo_id}/{distributor_id}")
    if found is None:
        raise errors.missing_resource(repo_id=repo_id, distributor_id=distributor_id)
    return found


# --- sync ---------------------------------------------------------------------------------------------------------------


def sync(repo_id, override, report):
    started = store.now()
    importer = importer_of(repo_id)
    config = {**importer["config"], **override}
    while defects.active("sync_never_ends"):
        time.sleep(1)
    if defects.active("sync_fails"):
        raise errors.failed("Importer indicated a failed response")
    if not config.get("feed"):
        raise errors.PulpError(500, "RPM1005", "Unable to sync a repository that has no feed.")
    progress = _progress("IN_PROGRESS", "NOT_STARTED")
    report(progress)
    revision, packages = feed.read_metadata(config["feed"])
    seen = (revision, config["feed"])
    unchanged = tuple(importer["scratchpad"].get("seen", ())) == seen and not config.get("force_full")
    added = 0 if unchanged else _take_packages(repo_id, config["feed"], packages, report)
    if unchanged:
        report(_progress("FINISHED", "FINISHED"))
    store.update("importer", repo_id, lambda i: i.update(last_sync=store.now(), scratchpad={"seen": seen}))
    result = {
        "importer_id": IMPORTER, "importer_type_id": IMPORTER, "repo_id": repo_id, "result": "success",
        "added_count": added, "removed_count": 0, "updated_count": 0, "started": started, "completed": store.now(),
        "error_message": None, "exception": None, "traceback": None, "summary": {}, "details": {},
        "_ns": "repo_sync_results", "id": store.object_id()["$oid"],
    }  # fmt: skip
    return store.create("sync_result", result["id"], result)


def sync_history(repo_id):
    repository(repo_id)
    return store.find("sync_result", repo_id=repo_id)


def _take_packages(repo_id, base, packages, report):
    progress = _progress("FINISHED", "IN_PROGRESS", packages)
    content, units = progress[IMPORTER]["content"], []
    for package in packages:
        report(progress)
        unit = _stored_unit(package)
        if unit is None:
            try:
                feed.download(base, package)
            except (OSError, errors.PulpError) as error:
                content["error_details"].append({"url": f"{base}/{package.location}", "errors": [str(error)]})
                continue
            unit = _store_unit(package)
        units.append(unit["_id"])
        content["items_left"] -= 1
        content["size_left"] -= package.size
        content["details"]["rpm_done"] += 1
    content["state"] = "FAILED" if content["error_details"] else "FINISHED"
    added = _associate(repo_id, units)
    report(progress)
    if content["error_details"]:
        raise errors.failed("Importer indicated a failed response")
    return added


def _progress(metadata, content, packages=()):
    count, size = len(packages), sum(package.size for package in packages)
    return {IMPORTER: {
        "metadata": {"state": metadata},
        "content": {"state": content, "items_total": count, "items_left": count, "size_total": size, "size_left": size,
                    "error_details": [], "details": {"rpm_total": count, "rpm_done": 0, "drpm_total": 0, "drpm_done": 0}},
        "comps": {"state": "NOT_STARTED"}, "errata": {"state": "NOT_STARTED"}, "distribution": {"state": "NOT_STARTED"},
    }}  # fmt: skip


def _stored_unit(package):
    unit = next((u for u in store.find("unit", checksum=package.checksum) if os.path.exists(u["_storage_path"])), None)
    return unit


def _store_unit(package):
    path = feed.stored_path(package)
    unit = {**package._asdict(), "_id": str(uuid.uuid4()), "_storage_path": path, "filename": os.path.basename(path),
            "_content_type_id": "rpm", "_ns": "units_rpm"}  # fmt: skip
    del unit["location"]
    store.put("unit", unit["_id"], unit)
    return unit


def _associate(repo_id, units):
    added = []

    def change(repo):
        added.extend(unit for unit in units if unit not in repo["units"])
        repo["units"].extend(added)
        repo["content_unit_counts"] = {"rpm": len(repo["units"])} if repo["units"] else {}
        if added:
            repo["last_unit_added"] = store.now()

    store.update("repository", repo_id, change)
    return len(added)


def units_of(repo_id):
    return [unit for unit in (store.get("unit", key) for key in repository(repo_id)["units"]) if unit]


# --- publish ------------------------------------------------------------------------------------------------------------


def publish(repo_id, distributor_id, override):
    started = store.now()
    distributor = distributor_of(repo_id, distributor_id)
    config = {**distributor["config"], **override}
    master = os.path.join(_master(repo_id), str(time.time()))
    # Stale: as if the sync had not been.
    for unit in [] if defects.active("publish_is_stale") else units_of(repo_id):
        folder = os.path.join(master, "Packages", unit["filename"][0].lower())
        os.makedirs(folder, exist_ok=True)
        os.symlink(unit["_storage_path"], os.path.join(folder, unit["filename"]))
    os.makedirs(master, exist_ok=True)
    made = subprocess.run(["createrepo_c", "--quiet", "--no-database", master], capture_output=True, text=True, check=False)
    if made.returncode:
        raise errors.failed(f"createrepo_c failed: {made.stderr[-500:]}")
    if defects.active("package_is_altered"):
        _alter_packages(os.path.join(master, "Packages"))
    for protocol in ("http", "https"):
        link = _link(protocol, config["relative_url"])
        if config.get(protocol):
            _point(link, master)
        elif os.path.islink(link):
            os.unlink(link)
    for old in os.listdir(_master(repo_id)):
        if old != os.path.basename(master):
            shutil.rmtree(os.path.join(_master(repo_id), old))
    key = f"{repo_id}/{distributor_id}"
    store.update("distributor", key, lambda d: d.update(last_publish=store.now()))
    return {
        "distributor_id": distributor_id, "distributor_type_id": DISTRIBUTOR, "repo_id": repo_id, "result": "success",
        "started": started, "completed": store.now(), "error_message": None, "exception": None, "traceback": None,
        "summary": {}, "details": [], "_ns": "repo_publish_results", "id": store.object_id()["$oid"],
    }  # fmt: skip


def _alter_packages(folder):
    """One byte of each is another than in the store."""
    for path in glob.glob(os.path.join(folder, "*", "*.rpm")):
        with open(path, "rb") as package:
            content = bytearray(package.read())
        content[len(content) // 2] ^= 1
        os.unlink(path)
        with open(path, "wb") as package:
            package.write(content)


def _master(repo_id):
    return os.path.join(settings.PUBLISHED, "master", DISTRIBUTOR, repo_id)


def _link(protocol, relative_url):
    return os.path.join(settings.PUBLISHED, protocol, "repos", relative_url.strip("/"))


def _point(link, target):
    """A reader sees the old tree or the new one, never neither."""
    os.makedirs(os.path.dirname(link), exist_ok=True)
    fresh = f"{link}.{uuid.uuid4()}"
    os.symlink(target, fresh)
    os.rename(fresh, link)


# --- delete -------------------------------------------------------------------------------------------------------------


def delete(repo_id):
    repository(repo_id)
    if defects.active("deletion_fails"):
        raise errors.failed(f"could not remove {_master(repo_id)}: [Errno 13] Permission denied")
    for distributor in distributors_of(repo_id):
        for protocol in ("http", "https"):
            link = _link(protocol, distributor["config"]["relative_url"])
            if os.path.islink(link):
                os.unlink(link)
        store.delete("distributor", f"{repo_id}/{distributor['id']}")
    shutil.rmtree(_master(repo_id), ignore_errors=True)
    schedules.delete_all_of(schedules.resource(repo_id, IMPORTER))
    for result in sync_history(repo_id):
        store.delete("sync_result", result["id"])
    store.delete("importer", repo_id)
    store.delete("repository", repo_id)


def orphans():
    kept = {unit for repo in store.find("repository") for unit in repo["units"]}
    return [unit for unit in store.find("unit") if unit["_id"] not in kept]


def delete_orphans(unit_ids=None):
    """Deletes all orphans, or those of `unit_ids` that are orphans; returns how many."""
    doomed = [unit for unit in orphans() if unit_ids is None or unit["_id"] in unit_ids]
    for unit in doomed:
        store.delete("unit", unit["_id"])
        shutil.rmtree(os.path.dirname(unit["_storage_path"]), ignore_errors=True)
    return len(doomed)
