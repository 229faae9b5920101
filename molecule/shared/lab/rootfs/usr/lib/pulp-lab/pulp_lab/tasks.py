"""Why this exists: the life of a task's record, apart from Celery. Each change is one transaction, and a final state
never changes again, whatever a forgotten child may still report."""

import logging
import time
import uuid

from pulp_lab import settings, store

log = logging.getLogger("pulp.server.async.tasks")

FINAL = ("skipped", "finished", "error", "canceled")


def href(task_id):
    return f"/pulp/api/v2/tasks/{task_id}/"


def new_id():
    return str(uuid.uuid4())


def create(task_id, task_type, tags):
    oid = store.object_id()
    store.create("task", task_id, {
        "task_id": task_id, "task_type": task_type, "state": "waiting", "tags": tags, "worker_name": None,
        "start_time": None, "finish_time": None, "progress_report": {}, "result": None, "error": None, "exception": None,
        "traceback": None, "spawned_tasks": [], "_ns": "task_status", "_id": oid, "id": oid["$oid"], "_href": href(task_id),
    })  # fmt: skip
    return task_id


def assign(task_id, worker_name):
    store.update("task", task_id, lambda task: task.update(worker_name=worker_name))


def begin(task_id, worker_name):
    """Sets the task running; says False where it must not run (canceled meanwhile, or delivered twice)."""
    allowed = []

    def change(task):
        if task["state"] not in FINAL:
            task.update(state="running", start_time=store.now(), worker_name=worker_name)
            allowed.append(True)

    store.update("task", task_id, change)
    return bool(allowed)


def progress(task_id, report):
    store.update("task", task_id, lambda task: task.update(progress_report=report))


def spawned(task_id, child_id):
    child = {"task_id": child_id, "_href": href(child_id)}
    store.update("task", task_id, lambda task: task["spawned_tasks"].append(child))


def end(task_id, state, **fields):
    """Ends the task. A canceled one keeps its state, though Pulp still fills in when and how it really ended."""
    ended = []

    def change(task):
        task.update(fields, finish_time=store.now())
        if task["state"] not in FINAL:
            task["state"] = state
            ended.append(True)

    store.update("task", task_id, change)
    if ended:
        stamp(task_id)


def dispatch_failed(task_id):
    store.update("task", task_id, lambda task: task.update(state="error"))


def set_canceled(task_id):
    canceled = []

    def change(task):
        if task["state"] not in FINAL:
            task["state"] = "canceled"
            canceled.append(True)

    store.update("task", task_id, change)
    if canceled:
        log.info("Task canceled: %s.", task_id)
        stamp(task_id)
    return bool(canceled)


def stamp(task_id):
    """A benchmark reads here, to the nanosecond, when a task's final state could be seen first."""
    with open(settings.TASK_ENDS, "a", encoding="ascii") as ends:
        ends.write(f"{task_id} {time.time_ns()}\n")
