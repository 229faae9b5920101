"""Why this exists: who is a worker, since when unheard of, and what is lost with it. Pulp 2 believes heartbeats in its
database and nothing else: a worker that stops writing them is removed and its unfinished tasks become `canceled`."""

import logging
import time

from pulp_lab import defects, settings, store, tasks

scheduler_log = logging.getLogger("pulp.server.async.scheduler")
tasks_log = logging.getLogger("pulp.server.async.tasks")
watcher_log = logging.getLogger("pulp.server.async.worker_watcher")

RESOURCE_MANAGER = "resource_manager"
RESERVED_WORKER = "reserved_resource_worker-"


def beat(name):
    """Records a heartbeat."""
    if store.get("worker", name) is None:
        watcher_log.info("New worker '%s' discovered", name)
    store.put("worker", name, {"name": name, "last_heartbeat": store.now(), "beat": time.time()})


def online():
    oldest = time.time() - settings.MISSING_AFTER
    return [worker for worker in store.find("worker") if worker["beat"] > oldest]


def free_worker(resource):
    """The worker that has `resource` reserved already, else one that has nothing reserved, else None."""
    names = [w["name"] for w in online() if w["name"].startswith(RESERVED_WORKER)]
    reservations = store.find("reservation")
    for reservation in reservations:
        if reservation["resource"] == resource and reservation["worker"] in names:
            return reservation["worker"]
    busy = {reservation["worker"] for reservation in reservations}
    return next((name for name in names if name not in busy), None)


def another(name):
    """Any other worker than this one."""
    return next(w["name"] for w in online() if w["name"].startswith(RESERVED_WORKER) and w["name"] != name)


def forget(name, shutdown=False):
    """Removes a worker and cancels its unfinished tasks. Nothing is revoked: a child that still runs goes on unheard."""
    if not shutdown:
        tasks_log.error("The worker named %s is missing. Canceling the tasks in its queue.", name)
    store.delete("worker", name)
    for reservation in store.find("reservation", worker=name):
        store.delete("reservation", reservation["task_id"])
    for task in store.find("task", worker_name=name):
        tasks.set_canceled(task["task_id"])


def starts(name):
    """Whatever is recorded for a worker that only now starts cannot be running."""
    watcher_log.info("Cleaning up records of '%s' before it starts", name)
    forget(name, shutdown=True)


def stops(name):
    watcher_log.info("Cleaning up shutdown worker '%s'.", name)
    if defects.active("worker_idle_after_restart_in_a_task") and any(t["state"] == "running" for t in store.find("task", worker_name=name)):
        store.put("interrupted", name, {"name": name})
    forget(name, shutdown=True)


def remove_missing():
    present = {worker["name"] for worker in online()}
    for worker in store.find("worker"):
        if worker["name"] not in present:
            scheduler_log.error("Worker '%s' has gone missing, removing from list of workers", worker["name"])
            forget(worker["name"])
    if not any(name.startswith(RESOURCE_MANAGER) for name in present):
        scheduler_log.error(
            "There are 0 pulp_resource_manager processes running. Pulp will not operate correctly without at least one "
            "pulp_resource_manager process running."
        )
