"""Why this exists: what each URL of Pulp 2's REST API answers, as measured on a Pulp 2.21. A view returns a status, a body
and perhaps headers. Only dispatching a task needs the broker."""

import logging
import re
import uuid

from pulp_lab import criteria, defects, errors, jobs, login, repositories, schedules, settings, store, tasks, workers
from pulp_lab.app import celery

log = logging.getLogger("pulp.server.managers.status")
API = "/pulp/api/v2"
ID = re.compile(r"[.\-_A-Za-z0-9]+")


# --- status -------------------------------------------------------------------------------------------------------------


def status(_request):
    connected = defects.database_connected()
    names = [{"_id": w["name"], "_ns": "workers", "last_heartbeat": w["last_heartbeat"]} for w in workers.online() if connected]
    return 200, {
        "api_version": "2",
        "versions": {"platform_version": "2.21.5"},
        "database_connection": {"connected": connected},
        "messaging_connection": {"connected": _broker_accepts_logins()},
        "known_workers": names,
    }


def _broker_accepts_logins():
    """One fresh connection, by Celery's time-out (4 s): what httpd can reach now says nothing of the workers."""
    try:
        connection = celery.connection()
        connection.transport.close_connection(connection.transport.establish_connection())
        return True
    except Exception:
        log.exception("Connection to broker failed during status check!")
        return False


def log_in(_request):
    certificate, key = login.issue(settings.LOGIN[0])
    return 200, {"certificate": certificate, "key": key}


# --- repositories -------------------------------------------------------------------------------------------------------


def repository_list(request):
    return 200, [_shown(repo, request) for repo in store.find("repository")]


def repository_create(request):
    body = request.body()
    repo_id = body.get("id")
    if repo_id is None:
        raise errors.missing_value("id")
    if not isinstance(repo_id, str) or not ID.fullmatch(repo_id):
        raise errors.invalid_value("repo_id")
    if body.get("importer_type_id") not in (None, repositories.IMPORTER):
        text = f"There is no importer type {body['importer_type_id']}"
        raise errors.PulpError(400, "PLP1008", text, args=[body["importer_type_id"]])
    distributors = [_new_distributor(repo_id, wanted) for wanted in body.get("distributors") or []]
    oid = store.object_id()
    repo = {
        "id": repo_id, "display_name": body.get("display_name") or repo_id, "description": body.get("description"),
        "notes": body.get("notes") or {}, "scratchpad": {}, "content_unit_counts": {}, "last_unit_added": None,
        "last_unit_removed": None, "_ns": "repos", "_id": oid, "_href": f"{API}/repositories/{repo_id}/", "units": [],
    }  # fmt: skip
    try:
        store.create("repository", repo_id, repo)
    except store.Duplicate as duplicate:
        raise errors.duplicate(repo_id) from duplicate
    if body.get("importer_type_id"):
        store.put("importer", repo_id, _new_importer(repo_id, body))
    for distributor in distributors:
        store.put("distributor", f"{repo_id}/{distributor['id']}", distributor)
    return 201, _public(repo), {"Location": repo["_href"]}


def _new_importer(repo_id, body):
    return {
        "id": repositories.IMPORTER, "importer_type_id": repositories.IMPORTER, "repo_id": repo_id, "last_sync": None,
        "config": body.get("importer_config") or {}, "scratchpad": {}, "last_updated": store.now(),
        "last_override_config": {}, "_ns": "repo_importers", "_id": store.object_id(),
        "_href": f"{API}/repositories/{repo_id}/importers/{repositories.IMPORTER}/",
    }  # fmt: skip


def _new_distributor(repo_id, wanted):
    if wanted.get("distributor_type_id") != repositories.DISTRIBUTOR:
        raise errors.invalid_value("distributor_type_id")
    config = wanted.get("distributor_config") or {}
    absent = [name for name in ("relative_url", "http", "https") if name not in config]
    if absent:
        raise errors.invalid_value(*absent)
    distributor_id = wanted.get("distributor_id") or str(uuid.uuid4())
    if not ID.fullmatch(distributor_id):
        raise errors.invalid_value("distributor_id")
    return {
        "id": distributor_id, "distributor_type_id": repositories.DISTRIBUTOR, "repo_id": repo_id, "config": config,
        "auto_publish": bool(wanted.get("auto_publish")), "last_publish": None, "scheduled_publishes": [], "scratchpad": {},
        "last_updated": store.now(), "last_override_config": {}, "_ns": "repo_distributors", "_id": store.object_id(),
        "_href": f"{API}/repositories/{repo_id}/distributors/{distributor_id}/",
    }  # fmt: skip


def _public(repo):
    return {key: value for key, value in repo.items() if key != "units"}


def _shown(repo, request):
    shown = _public(repo)
    if request.flag("details") or request.flag("importers"):
        shown["importers"] = store.find("importer", repo_id=repo["id"])
    if request.flag("details") or request.flag("distributors"):
        shown["distributors"] = repositories.distributors_of(repo["id"])
    if request.flag("details"):
        shown["total_repository_units"] = shown["locally_stored_units"] = len(repo["units"])
    return shown


def repository_get(request, repo_id):
    return 200, _shown(repositories.repository(repo_id), request)


def repository_delete(_request, repo_id):
    repositories.repository(repo_id)
    return _call_report(_reserved(jobs.delete, repo_id, "delete", [repo_id]))


def repository_units(request, repo_id):
    repositories.repository(repo_id)
    filters = (criteria.of(request.body()).get("filters") or {}).get("unit", {})
    return 200, [
        {"repo_id": repo_id, "unit_id": unit["_id"], "unit_type_id": "rpm", "metadata": unit, "_ns": "repo_content_units"}
        for unit in repositories.units_of(repo_id) if criteria.match(unit, filters)
    ]  # fmt: skip


def distributor_list(_request, repo_id):
    repositories.repository(repo_id)
    return 200, repositories.distributors_of(repo_id)


def distributor_create(request, repo_id):
    repositories.repository(repo_id)
    distributor = _new_distributor(repo_id, request.body())
    store.put("distributor", f"{repo_id}/{distributor['id']}", distributor)
    return 201, distributor, {"Location": distributor["_href"]}


def distributor_get(_request, repo_id, distributor_id):
    return 200, repositories.distributor_of(repo_id, distributor_id)


def sync(request, repo_id):
    repositories.repository(repo_id)
    override = request.body().get("override_config") or {}
    return _call_report(_reserved(jobs.sync, repo_id, "sync", [repo_id, override]))


def sync_history(_request, repo_id):
    """One entry for each sync that was run, also for one that was run twice."""
    return 200, repositories.sync_history(repo_id)


def publish(request, repo_id):
    repositories.repository(repo_id)
    body = request.body()
    if not body.get("id"):
        raise errors.missing_value("id")
    return _call_report(_reserved(jobs.publish, repo_id, "publish", [repo_id, body["id"], body.get("override_config") or {}]))


def _reserved(job, repo_id, action, args):
    return job.dispatch_reserved(f"repository:{repo_id}", jobs.tags(repo_id, action), args)


def _call_report(task_id):
    return 202, {"spawned_tasks": [{"task_id": task_id, "_href": tasks.href(task_id)}], "result": None, "error": None}


# --- schedules ----------------------------------------------------------------------------------------------------------


def schedule_list(_request, repo_id, importer_id):
    return 200, [_schedule(schedule, repo_id) for schedule in schedules.of(_importer_tag(repo_id, importer_id))]


def schedule_create(request, repo_id, importer_id):
    _importer_tag(repo_id, importer_id)
    created = _schedule(schedules.create(repo_id, importer_id, request.body()), repo_id)
    return 201, created, {"Location": created["_href"]}


def schedule_get(_request, repo_id, importer_id, schedule_id):
    return 200, _schedule(schedules.get(_importer_tag(repo_id, importer_id), schedule_id), repo_id)


def schedule_delete(_request, repo_id, importer_id, schedule_id):
    schedules.get(_importer_tag(repo_id, importer_id), schedule_id)
    store.delete("schedule", schedule_id)
    return 200, None


def _importer_tag(repo_id, importer_id):
    repositories.repository(repo_id)
    if repositories.importer_of(repo_id)["id"] != importer_id:
        raise errors.missing_resource(importer=importer_id)
    return schedules.resource(repo_id, importer_id)


def _schedule(schedule, repo_id):
    href = f"{API}/repositories/{repo_id}/importers/{repositories.IMPORTER}/schedules/sync/{schedule['_id']}/"
    return schedules.shown(schedule) | {"_href": href}


# --- tasks --------------------------------------------------------------------------------------------------------------


def task_list(request):
    wanted = set(request.query.get("tag", []))
    return 200, [task for task in store.find("task") if wanted <= set(task["tags"])]


def task_search(request):
    return 200, criteria.select(store.find("task"), criteria.of(request.body()))


def task_get(_request, task_id):
    task = _task(task_id)
    return 200, {**task, "queue": f"{task['worker_name']}.dq2"}


def task_cancel(_request, task_id):
    if _task(task_id)["state"] not in tasks.FINAL:
        celery.control.revoke(task_id, terminate=True)
        tasks.set_canceled(task_id)
    return 200, None


def _task(task_id):
    task = store.get("task", task_id)
    if task is None:
        raise errors.missing_resource(resource_id=task_id)
    return task


# --- content ------------------------------------------------------------------------------------------------------------


def orphans_all(_request):
    return 200, {"rpm": {"count": len(repositories.orphans()), "_href": f"{API}/content/orphans/rpm/"}}


def orphans_delete_all(_request):
    return _call_report(jobs.delete_all_orphans.dispatch(["pulp:content_unit:orphans"], []))


def orphans_of_type(_request, type_id):
    _known_type(type_id)
    return 200, [_orphan(unit) for unit in repositories.orphans()]


def orphans_delete_type(_request, type_id):
    _known_type(type_id)
    return _call_report(jobs.delete_orphans_by_type.dispatch(["pulp:content_unit:orphans"], [type_id]))


def orphan_get(_request, type_id, unit_id):
    return 200, _orphan(_find_orphan(type_id, unit_id))


def orphan_delete(_request, type_id, unit_id):
    _find_orphan(type_id, unit_id)
    units = [{"content_type_id": type_id, "unit_id": unit_id}]
    return _call_report(jobs.delete_orphans_by_id.dispatch(["pulp:content_unit:orphans"], [units]))


def _find_orphan(type_id, unit_id):
    found = [unit for unit in repositories.orphans() if type_id == "rpm" and unit["_id"] == unit_id]
    if not found:
        raise errors.missing_resource(content_type=type_id, content_unit=unit_id)
    return found[0]


def _orphan(unit):
    keys = ("name", "epoch", "version", "release", "arch", "checksumtype", "checksum", "_id", "_content_type_id")
    return {**{key: unit[key] for key in keys}, "_href": f"{API}/content/orphans/rpm/{unit['_id']}/"}


def _known_type(type_id):
    if type_id != "rpm":
        raise errors.missing_resource(content_type=type_id)


def units_search(request, type_id):
    _known_type(type_id)
    return 200, criteria.select(store.find("unit"), criteria.of(request.body()))


def _routes(table):
    for path, methods in table:
        pattern = re.sub(r"<(\w+)>", r"(?P<\1>[^/]+)", API + path)
        yield re.compile(pattern), methods


ROUTES = list(_routes([
    ("/status/", {"GET": status}),
    ("/actions/login/", {"POST": log_in}),
    ("/repositories/", {"GET": repository_list, "POST": repository_create}),
    ("/repositories/<repo_id>/", {"GET": repository_get, "DELETE": repository_delete}),
    ("/repositories/<repo_id>/distributors/", {"GET": distributor_list, "POST": distributor_create}),
    ("/repositories/<repo_id>/distributors/<distributor_id>/", {"GET": distributor_get}),
    ("/repositories/<repo_id>/importers/<importer_id>/schedules/sync/", {"GET": schedule_list, "POST": schedule_create}),
    ("/repositories/<repo_id>/importers/<importer_id>/schedules/sync/<schedule_id>/",
     {"GET": schedule_get, "DELETE": schedule_delete}),
    ("/repositories/<repo_id>/history/sync/", {"GET": sync_history}),
    ("/repositories/<repo_id>/actions/sync/", {"POST": sync}),
    ("/repositories/<repo_id>/actions/publish/", {"POST": publish}),
    ("/repositories/<repo_id>/search/units/", {"POST": repository_units}),
    ("/tasks/", {"GET": task_list}),
    ("/tasks/search/", {"POST": task_search}),
    ("/tasks/<task_id>/", {"GET": task_get, "DELETE": task_cancel}),
    ("/content/orphans/", {"GET": orphans_all, "DELETE": orphans_delete_all}),
    ("/content/orphans/<type_id>/", {"GET": orphans_of_type, "DELETE": orphans_delete_type}),
    ("/content/orphans/<type_id>/<unit_id>/", {"GET": orphan_get, "DELETE": orphan_delete}),
    ("/content/units/<type_id>/search/", {"POST": units_search}),
]))  # fmt: skip
