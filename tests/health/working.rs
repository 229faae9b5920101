//! `state: working` against a Pulp whose workers, scheduler and answers do as the test says.

use std::sync::Mutex;
use std::time::Duration;

use serde_json::{Value, json};

use super::support::server::{Asked, Reply, Server, reply};
use super::support::{PASSWORD, Told, call};

const W0: &str = "reserved_resource_worker-0@h";
const W1: &str = "reserved_resource_worker-1@h";
const BEAT: &str = "scheduler@h";
const API: &str = "/pulp/api/v2";

/// What becomes of a request to publish.
#[derive(Default, PartialEq)]
enum Publishing {
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
struct Wrong {
    /// It takes tasks and runs none.
    idle: Option<&'static str>,
    no_schedules: bool,
    scheduler_sends_nothing: bool,
    publishing: Publishing,
    /// As with a frozen broker, to which Pulp connects first.
    status_takes: Duration,
}

#[derive(Default)]
struct State {
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

fn pulp(wrong: Wrong) -> Server {
    let state = Mutex::new(State::default());
    Server::start(None, move |asked| {
        answer(asked, &mut state.lock().expect("state"), &wrong)
    })
}

fn answer(asked: &Asked, state: &mut State, wrong: &Wrong) -> Reply {
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

fn status() -> Value {
    let listed: Vec<_> = [W0, W1, BEAT, "resource_manager@h"]
        .iter()
        .map(|name| json!({"_id": name}))
        .collect();
    json!({"api_version": "2", "versions": {"platform_version": "2.21.5"},
        "database_connection": {"connected": true}, "messaging_connection": {"connected": true},
        "known_workers": listed})
}

fn working(server: &Server, timeout: u32) -> Told {
    let told = call(
        &server.url(),
        json!({"state": "working", "timeout": timeout}),
    );
    assert!(!told.raw.contains(PASSWORD));
    told
}

fn count(server: &Server, what: &str) -> usize {
    let asked = server.asked();
    asked.iter().filter(|asked| asked.contains(what)).count()
}

#[test]
fn each_worker_and_the_scheduler_are_seen_to_work_and_nothing_is_left() {
    let server = pulp(Wrong::default());
    let told = working(&server, 40);
    assert!(told.msg().starts_with("WORKING: "), "{}", told.raw);
    told.left_nothing();
    assert_eq!(told.reply["failures"], json!([]));
    for (number, name) in [W0, W1].iter().enumerate() {
        let worker = &told.reply["workers"][number];
        assert_eq!(worker["name"], *name);
        assert_eq!(worker["worked_at"], "2026-11-23T03:52:03Z", "{worker}");
        assert!(worker["seconds"].as_f64().is_some_and(|s| s < 10.0));
    }
    assert_eq!(told.reply["scheduler"]["fired"], true, "{}", told.raw);
    assert_eq!(count(&server, "/actions/publish/"), 2);
    assert_eq!(count(&server, "DELETE /pulp/api/v2/repositories/"), 4);
}

#[test]
fn a_worker_that_runs_nothing_is_named() {
    let server = pulp(Wrong {
        idle: Some(W1),
        ..Wrong::default()
    });
    let told = working(&server, 6);
    told.failed_with(&[
        "FAILED connected_but_idle: ",
        "`reserved_resource_worker-1@h`",
        "has not begun",
        "queue `q.dq2`",
        "it locks `pulp-broker-test-",
    ]);
    let failures = told.reply["failures"].as_array().expect("list");
    assert_eq!(failures.len(), 1, "{}", told.raw);
    assert_eq!(failures[0]["actor"], W1);
    assert_eq!(told.reply["workers"][1]["task_id"], Value::Null);
    assert_ne!(told.reply["workers"][0]["task_id"], Value::Null);
    let left = told.reply["leftovers"].as_array().expect("list");
    assert!(
        left.len() <= 2 && told.msg().contains("LEFTOVERS"),
        "{}",
        told.raw
    );
}

#[test]
fn a_task_whose_answer_got_lost_is_not_sent_again() {
    let server = pulp(Wrong {
        publishing: Publishing::AnswerLost,
        ..Wrong::default()
    });
    let told = working(&server, 40);
    assert!(told.msg().starts_with("WORKING: "), "{}", told.raw);
    told.left_nothing();
    assert_eq!(count(&server, "/actions/publish/"), 2);
}

#[test]
fn a_pulp_that_does_not_send_what_it_is_asked_is_unhealthy() {
    let server = pulp(Wrong {
        publishing: Publishing::NotSent,
        ..Wrong::default()
    });
    let told = working(&server, 40);
    told.failed_with(&[
        "FAILED health_failed: failed to publish repository `pulp-broker-test-",
        "Connection reset by peer",
    ]);
    assert_eq!(told.reply["failures"][0]["name"], "health_failed");
    assert_eq!(count(&server, "/actions/publish/"), 1);
}

#[test]
fn what_was_sent_before_a_refusal_is_judged_all_the_same() {
    let server = pulp(Wrong {
        publishing: Publishing::LostThenNotSent,
        ..Wrong::default()
    });
    let told = working(&server, 17);
    told.failed_with(&["FAILED health_failed: failed to publish", "task `t0`"]);
    assert!(!told.msg().contains("task `t1`"), "{}", told.raw);
    assert_eq!(
        told.reply["failures"].as_array().map(Vec::len),
        Some(2),
        "{}",
        told.raw
    );
}

#[test]
fn a_scheduler_that_sends_nothing_is_named() {
    let server = pulp(Wrong {
        scheduler_sends_nothing: true,
        ..Wrong::default()
    });
    let told = working(&server, 17);
    told.failed_with(&[
        "FAILED scheduler_dead: `scheduler@h`",
        "`ab12`",
        "pulp_celerybeat",
    ]);
    told.left_nothing();
    assert_eq!(told.reply["scheduler"]["fired"], false);
}

#[test]
fn an_api_without_schedules_is_no_fault_of_the_scheduler() {
    let server = pulp(Wrong {
        no_schedules: true,
        ..Wrong::default()
    });
    let told = working(&server, 40);
    assert!(
        told.msg().contains("the scheduler was not exercised"),
        "{}",
        told.raw
    );
    assert_eq!(told.reply["scheduler"]["fired"], false);
    let why = told.reply["scheduler"]["why_not"].as_str().expect("text");
    assert!(
        why.contains("knows no schedules") && why.contains("404"),
        "{why}"
    );
    told.left_nothing();
}

#[test]
fn a_slow_status_is_not_taken_for_none() {
    let server = pulp(Wrong {
        status_takes: Duration::from_millis(1500),
        ..Wrong::default()
    });
    let told = working(&server, 40);
    assert!(told.msg().starts_with("WORKING: "), "{}", told.raw);
    told.left_nothing();
}

#[test]
fn in_check_mode_nothing_is_sent() {
    let server = pulp(Wrong::default());
    let told = call(
        &server.url(),
        json!({"state": "working", "expected": [W0, BEAT], "_ansible_check_mode": true}),
    );
    assert!(
        told.msg().contains("would have") && told.msg().contains(W0),
        "{}",
        told.raw
    );
    assert_eq!(server.asked(), Vec::<String>::new());
}
