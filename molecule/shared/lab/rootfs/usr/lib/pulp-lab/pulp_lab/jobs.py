"""Why this exists: the Celery tasks, under the names that Pulp 2's tasks have and show as `task_type`."""

import time

from pulp_lab import repositories, schedules, tasks
from pulp_lab.app import PulpTask, celery


def tags(repo_id, action):
    return [f"pulp:repository:{repo_id}", f"pulp:action:{action}"]


@celery.task(base=PulpTask, bind=True, name="pulp.server.managers.repo.sync.sync")
def sync(self, repo_id, override):
    result = repositories.sync(repo_id, override, lambda report: tasks.progress(self.request.id, report))
    for distributor in repositories.distributors_of(repo_id):
        if distributor["auto_publish"]:
            child = publish.dispatch_reserved(f"repository:{repo_id}", tags(repo_id, "publish"), [repo_id, distributor["id"], {}])
            tasks.spawned(self.request.id, child)
    return result


@celery.task(name=schedules.TASK)
def scheduled_sync(repo_id, overrides):
    """What the scheduler sends. Itself it has no record; the sync that it dispatches has one."""
    sync.dispatch_reserved(f"repository:{repo_id}", tags(repo_id, "sync"), [repo_id, overrides])


@celery.task(base=PulpTask, name="pulp.server.managers.repo.publish.publish")
def publish(repo_id, distributor_id, override):
    return repositories.publish(repo_id, distributor_id, override)


@celery.task(base=PulpTask, name="pulp.server.tasks.repository.delete")
def delete(repo_id):
    repositories.delete(repo_id)


@celery.task(base=PulpTask, name="pulp.server.managers.content.orphan.delete_all_orphans")
def delete_all_orphans():
    return {"rpm": repositories.delete_orphans()}


@celery.task(base=PulpTask, name="pulp.server.managers.content.orphan.delete_orphans_by_type")
def delete_orphans_by_type(_type_id):
    return repositories.delete_orphans()


@celery.task(base=PulpTask, name="pulp.server.managers.content.orphan.delete_orphans_by_id")
def delete_orphans_by_id(units):
    repositories.delete_orphans([unit["unit_id"] for unit in units])


@celery.task(base=PulpTask, name="pulp_lab.sleep")
def sleep(seconds):
    """Somebody else's work. No number of seconds: it never ends."""
    end = None if seconds is None else time.monotonic() + seconds
    while end is None or time.monotonic() < end:
        time.sleep(1 if end is None else min(1, max(0, end - time.monotonic())))
