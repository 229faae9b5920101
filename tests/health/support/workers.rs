//! A Pulp 2 whose workers, scheduler and answers do as the test says, as far as `state: working` asks for them.

use std::sync::Mutex;
use std::time::Duration;

use serde_json::{Value, json};

use super::server::{Asked, Reply, Server, reply};

pub(crate) const W0: &str = "reserved_resource_worker-0@h";
pub(crate) const W1: &str = "reserved_resource_worker-1@h";
pub(crate) const BEAT: &str = "scheduler@h";
const API: &str = "/pulp/api/v2";

/// What becomes of a request to publish.
#[derive(Default, PartialEq)]
pub(crate) enum Publishing {
    #[default]
    Begun,
    /// The first is begun, and its answer is none of Pulp's.
    AnswerLost,
    /// Pulp records it, cannot send it, and leaves it waiting.
    NotSent,
    /// So with all but the first, which is begun and got by nobody.
    LostThenNotSent,
}

/// What goes wrong.
#[derive(Default)]
pub(crate) struct Wrong {
    /// It takes tasks and runs none.
    pub(crate) idle: Option<&'static str>,
    pub(crate) no_schedules: bool,
    pub(crate) scheduler_sends_nothing: bool,
    pub(crate) publishing: Publishing,
    /// As with a frozen broker, to which Pulp connects first.
    pub(crate) status_takes: Duration,
}

#[derive(Default)]
pub(crate) struct State {
    repositories: Vec<String>,
    tasks: Vec<Value>,
    /// How often the tasks were listed since there is a schedule.
    scheduled: Option<usize>,
    published: bool,
}

impl State {
    fn task(&mut self, repository: &str, action: &str, wrong: &Wrong) -> String {
        let id = format!("t{}", self.tasks.len());
        let tag = format!("pulp:repository:{repository}");
        let is_open = |task: &&Value| task["state"] != "finished" && task["state"] != "canceled";
        let open: Vec<&Value> = self.tasks.iter().filter(is_open).collect();
        let reserved = open
            .iter()
            .find(|task| task["tags"][0] == json!(tag))
            .map(|task| task["worker_name"].clone());
        let has_none = |name: &&str| !open.iter().any(|task| task["worker_name"] == **name);
        let free = [W0, W1].into_iter().find(|name| has_none(name));
        let worker = reserved.or(free.map(Value::from)).unwrap_or(W0.into());
        let runs = wrong.idle.is_none_or(|idle| worker != json!(idle));
        self.tasks.push(json!({
            "task_id": id, "task_type": "t", "worker_name": worker, "queue": "q.dq2",
            "state": if runs { "running" } else { "waiting" },
            "start_time": runs.then_some("2026-11-23T03:52:02Z"), "finish_time": null,
            "tags": [tag, format!("pulp:action:{action}")], "spawned_tasks": [], "result": null,
        }));
        id
    }

    /// What runs has ended when it is listed for the second time.
    fn listed(&mut self, wrong: &Wrong) -> Vec<Value> {
        if let Some(times) = &mut self.scheduled {
            *times += 1;
            if *times == 3 && !wrong.scheduler_sends_nothing {
                let id = self
                    .repositories
                    .iter()
                    .find(|id| id.ends_with("scheduled"));
                let id = id.expect("repository").clone();
                self.task(&id, "sync", wrong);
            }
        }
        let seen = self.tasks.clone();
        for task in &mut self.tasks {
            if task["state"] == "running" {
                task["state"] = "finished".into();
                task["finish_time"] = "2026-11-23T03:52:03Z".into();
                let is_deletion = task["tags"][1] == "pulp:action:delete";
                let tag = task["tags"][0].as_str().expect("tag").to_owned();
                self.repositories
                    .retain(|id| !is_deletion || !tag.ends_with(id.as_str()));
            }
        }
        seen
    }
}

pub(crate) fn pulp(wrong: Wrong) -> Server {
    let state = Mutex::new(State::default());
    Server::start(None, move |asked| {
        answer(asked, &mut state.lock().expect("state"), &wrong)
    })
}

pub(crate) fn answer(asked: &Asked, state: &mut State, wrong: &Wrong) -> Reply {
    let path = asked.path.trim_start_matches(API).trim_matches('/');
    let parts: Vec<&str> = path.split('/').collect();
    let begun = |id: &str| {
        let body = json!({"spawned_tasks": [{"task_id": id}], "error": null});
        reply(202, body.to_string())
    };
    match (asked.method.as_str(), parts.as_slice()) {
        ("GET", ["status"]) => {
            std::thread::sleep(wrong.status_takes);
            reply(200, status().to_string())
        }
        ("POST", ["repositories"]) => {
            let body: Value = serde_json::from_str(&asked.body).expect("JSON");
            let id = body["id"].as_str().expect("id").to_owned();
            state.repositories.push(id);
            reply(201, "{}")
        }
        ("POST", ["repositories", _, "importers", ..]) if wrong.no_schedules => reply(404, "null"),
        ("POST", ["repositories", _, "importers", ..]) => {
            state.scheduled = Some(0);
            reply(201, r#"{"_id": "ab12"}"#)
        }
        ("GET", ["repositories", _, "importers", ..]) => reply(200, r#"{"total_run_count": 0}"#),
        ("DELETE", ["repositories", _, "importers", ..]) => {
            state.scheduled = None;
            reply(200, "null")
        }
        ("POST", ["repositories", id, "actions", "publish"]) => {
            let task = state.task(id, "publish", wrong);
            let is_first = !std::mem::replace(&mut state.published, true);
            if wrong.publishing == Publishing::LostThenNotSent {
                let task = state.tasks.last_mut().expect("task");
                task["state"] = "waiting".into();
                task["worker_name"] = Value::Null;
            }
            if wrong.publishing == Publishing::NotSent
                || wrong.publishing == Publishing::LostThenNotSent && !is_first
            {
                return reply(500, r#"{"error_message":"Connection reset by peer"}"#);
            }
            if is_first && wrong.publishing == Publishing::AnswerLost {
                return reply(502, "<html>Bad Gateway</html>");
            }
            begun(&task)
        }
        ("GET", ["repositories", id]) if state.repositories.iter().any(|known| known == id) => {
            reply(200, r#"{"content_unit_counts":{}}"#)
        }
        ("DELETE", ["repositories", id]) => {
            let task = state.task(id, "delete", wrong);
            begun(&task)
        }
        ("POST", ["tasks", "search"]) if asked.body.contains("tags") => {
            reply(200, json!(state.listed(wrong)).to_string())
        }
        ("POST", ["tasks", "search"]) => reply(200, "[]"),
        ("GET", ["tasks", id]) => {
            let task = state.tasks.iter().find(|task| task["task_id"] == *id);
            reply(200, json!(task).to_string())
        }
        ("DELETE", ["tasks", id]) => {
            let task = state.tasks.iter_mut().find(|task| task["task_id"] == *id);
            task.expect("task")["state"] = "canceled".into();
            reply(200, "null")
        }
        _ => reply(
            404,
            r#"{"error":{"code":"PLP0009","description":"Missing"}}"#,
        ),
    }
}

pub(crate) fn status() -> Value {
    let listed: Vec<_> = [W0, W1, BEAT, "resource_manager@h"]
        .iter()
        .map(|name| json!({"_id": name}))
        .collect();
    json!({"api_version": "2", "versions": {"platform_version": "2.21.5"},
        "database_connection": {"connected": true}, "messaging_connection": {"connected": true},
        "known_workers": listed})
}
