"""Why this exists: Pulp 2's Celery application. Everything about the broker is left at Celery's default, on purpose: that is
what the broker test tests. Workers write their heartbeat from a step of Celery's *consumer*, so it stops with the
connection and comes back with it."""

import logging
import time
import traceback

from celery import Celery, Task, bootsteps, signals
from celery.utils.nodenames import worker_direct
from celery.worker.consumer.tasks import Tasks

from pulp_lab import defects, dispatching, errors, logs, settings, store, tasks, workers

celery = Celery("pulp", broker=settings.BROKER_URL, include=["pulp_lab.jobs"])
celery.conf.update(worker_direct=True, task_serializer="json", accept_content=["json"])
log = logging.getLogger("pulp.server.async.tasks")

signals.setup_logging.connect(logs.to_syslog, weak=False)


class Heartbeat(bootsteps.StartStopStep):
    """Starts after the consumer of tasks does and stops with it, at each loss of the connection too."""

    requires = (Tasks,)

    def __init__(self, consumer, **kwargs):
        super().__init__(consumer, **kwargs)
        self.timer = None

    def start(self, consumer):
        if defects.active("worker_never_beats"):
            return
        workers.beat(consumer.hostname)
        self.timer = consumer.timer.call_repeatedly(settings.HEARTBEAT_INTERVAL, workers.beat, (consumer.hostname,))

    def stop(self, consumer):
        if self.timer:
            self.timer.cancel()
            self.timer = None

    def shutdown(self, consumer):
        """Celery's own signal is not sent when SIGQUIT ends a worker; this is called either way."""
        workers.stops(consumer.hostname)


celery.steps["consumer"].add(Heartbeat)


@signals.celeryd_init.connect(weak=False)
def worker_is_configured(**_):
    defects.configure(celery)


@signals.celeryd_after_setup.connect(weak=False)
def worker_starts(sender, instance, **_):
    workers.starts(sender)
    # As with `celery worker --purge`.
    instance.purge = instance.purge or defects.active("worker_purges_at_start")
    if defects.active("worker_hangs_at_start"):
        defects.hang_without_broker(celery)


@signals.worker_shutdown.connect(weak=False)
def keep_exit_status(sender, **_):
    """Celery 5.2's command line drops the status of a worker that failed; Celery 4, which Pulp 2 ran, exits with it."""
    if sender.exitcode:
        raise SystemExit(sender.exitcode)


class PulpTask(Task):
    """Keeps the task's record while the task runs, and decides nothing about the broker."""

    def __call__(self, *args, **kwargs):
        task_id, worker = self.request.id, self.request.hostname
        if not tasks.begin(task_id, worker):
            log.info("Task %s is not run: it has ended already.", task_id)
            return
        try:
            result = self.run(*args, **kwargs)
        except Exception as error:
            tasks.end(task_id, "error", error=errors.describe(error), traceback=traceback.format_exc())
            raise
        tasks.end(task_id, "finished", result=result)
        return

    def dispatch(self, tags, args):
        """Straight to the general queue. Without a broker no record is left."""
        task_id = tasks.create(tasks.new_id(), self.name, tags)
        try:
            self.apply_async(args=args, task_id=task_id)
        except Exception:
            store.delete("task", task_id)
            raise
        return task_id

    def dispatch_reserved(self, resource, tags, args):
        """By way of the resource manager. Without a broker the record is left, in `error`."""
        task_id = tasks.create(tasks.new_id(), self.name, tags)
        try:
            dispatching.send(queue_reserved_task, [self.name, task_id, resource, args], workers.RESOURCE_MANAGER)
        except Exception:
            if not defects.active("dispatch_fails_and_task_waits"):
                tasks.dispatch_failed(task_id)
            raise
        return task_id


@celery.task(name="pulp.server.async.tasks._queue_reserved_task", acks_late=True)
def queue_reserved_task(name, task_id, resource, args):
    while defects.active("resource_manager_never_assigns") or not (worker := workers.free_worker(resource)):
        time.sleep(0.25)
    store.put("reservation", task_id, {"task_id": task_id, "worker": worker, "resource": resource})
    tasks.assign(task_id, worker)
    celery.tasks[name].apply_async(args=args, task_id=task_id, queue=worker_direct(worker))
    if defects.active("task_runs_twice") and name.endswith(".sync"):
        celery.tasks[name].apply_async(args=args, task_id=task_id, queue=worker_direct(workers.another(worker)))
    release_resource.apply_async(args=[task_id], queue=worker_direct(worker))


@celery.task(name="pulp.server.async.tasks._release_resource")
def release_resource(task_id):
    store.delete("reservation", task_id)
    task = store.get("task", task_id)
    if task and task["state"] == "running":
        error = errors.PulpError(500, "PLP0049", "Task did not end as expected: its worker died while it ran")
        tasks.end(task_id, "error", error=error.document())
