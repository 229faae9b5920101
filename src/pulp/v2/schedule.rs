//! A scheduled sync of a repository of ours: the only thing that tells from outside whether Pulp's
//! scheduler still sends what is due.

use anyhow::{Result, bail};

use super::{Pulp2, ask, task};
use crate::host::wait::Deadline;
use crate::pulp::Answer;

/// What became of the wish for a schedule.
#[derive(Debug)]
pub(crate) enum Scheduled {
    /// Its key.
    Yes(String),
    /// This Pulp has no schedules, in words.
    Unknown(String),
}

impl Pulp2 {
    /// Has Pulp sync a repository at the instants of an ISO 8601 interval.
    pub(crate) fn schedule_sync(
        &self,
        id: &str,
        when: &str,
        deadline: Deadline,
    ) -> Result<Scheduled> {
        let ask = ask::add_schedule(id, when);
        let answer = self.expect(
            &ask,
            &[201, 404, 405],
            "schedule a sync of repository",
            id,
            deadline,
        )?;
        if answer.status != 201 {
            return Ok(Scheduled::Unknown(format!(
                "this Pulp's API knows no schedules ({} {} was answered with {})",
                answer.method, answer.url, answer.status
            )));
        }
        key(&answer).map(Scheduled::Yes)
    }

    /// How often Pulp says that it has run; `None` if it does not say.
    pub(crate) fn runs_of(&self, id: &str, key: &str, deadline: Deadline) -> Result<Option<u64>> {
        let ask = ask::read_schedule(id, key);
        let answer = self.expect(&ask, &[200], "read the schedule of", id, deadline)?;
        Ok(answer.json()?["total_run_count"].as_u64())
    }

    /// Deletes it; one that is gone is no error.
    pub(crate) fn delete_schedule(&self, id: &str, key: &str, deadline: Deadline) -> Result<()> {
        let ask = ask::delete_schedule(id, key);
        self.expect(&ask, &[200, 404], "delete the schedule of", id, deadline)
            .map(drop)
    }
}

fn key(answer: &Answer) -> Result<String> {
    let body = answer.json()?;
    let key = body["_id"].as_str().or(body["_id"]["$oid"].as_str());
    match key.or(body["id"].as_str()) {
        Some(key) if task::is_plain(key) => Ok(key.to_owned()),
        _ => bail!(
            "failed to read the answer of `{}`: it names no schedule",
            answer.url
        ),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn answer(body: &Value) -> Answer {
        Answer {
            method: "POST",
            url: "https://p/x".to_owned(),
            status: 201,
            location: None,
            cookies: Vec::new(),
            date: None,
            body: body.to_string().into_bytes(),
        }
    }

    #[test]
    fn a_schedule_is_known_by_a_key_that_stays_within_the_path() {
        for body in [
            json!({"_id": "ab12"}),
            json!({"_id": {"$oid": "ab12"}}),
            json!({"id": "ab12"}),
        ] {
            assert_eq!(key(&answer(&body)).expect("key"), "ab12");
        }
        for body in [json!({"_id": "../x"}), json!({}), json!({"_id": ""})] {
            assert!(key(&answer(&body)).is_err(), "{body}");
        }
    }
}
