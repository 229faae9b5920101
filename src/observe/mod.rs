//! The observer: this program once more, on its own, from before the outage to after the recovery. It
//! looks at the units, at their connections to the broker, at the broker and at Pulp's API, all on one
//! thread, and writes down what changed. It ends by itself, and whoever collects its journal removes it.
//!
//! The samplers know nothing of each other; what they share is the scene, which is put together here.

mod answers;
mod api;
mod connections;
mod journal;
mod launch;
mod lease;
mod place;
mod said;
mod units;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use tokio::task::LocalSet;

use crate::broker::settings::Target;
use crate::broker::{Broker, Overrides};
use crate::host::wait::{self, interrupt};
use crate::host::{identity, process};
pub(crate) use crate::pulp::onlooker::LIMIT;
use crate::pulp::onlooker::Onlooker;
use crate::pulp::{Access, TlsMinimum};
use crate::service::{self, Unit};
use crate::timeline::{self, Begin, Event, Retry};
use journal::Journal;
use lease::Lease;
use place::{LockedPaths, Paths};

pub(crate) use launch::{api, end, launch, read, remove};
pub(crate) use lease::attend;
pub(crate) use place::{Standing, standing};
pub(crate) use said::said;

/// How often the observer looks whether it is to end.
const TICK: Duration = Duration::from_millis(100);

/// What is to be observed, and for how long at the most.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) run_id: String,
    pub(crate) deadline_seconds: u64,
    /// How long it waits for the next module of its run.
    pub(crate) lease_seconds: Option<u64>,
    /// Units, as [`service::observe`] takes them.
    pub(crate) names: Vec<String>,
    pub(crate) broker_url: Option<String>,
    pub(crate) broker_unit: Option<String>,
    pub(crate) target: Target,
    /// Pulp itself may be asked for its settings.
    pub(crate) ask_pulp: bool,
    pub(crate) pulp: Option<ObservedPulp>,
    /// See [`Begin::listeners`].
    pub(crate) listeners: BTreeMap<String, u64>,
    /// See [`Begin::retry`].
    pub(crate) retry: Option<Retry>,
}

/// How Pulp's API is reached.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ObservedPulp {
    pub(crate) url: String,
    pub(crate) ca_path: Option<std::path::PathBuf>,
    pub(crate) tls_minimum: TlsMinimum,
    pub(crate) validate_certs: bool,
    /// Where Pulp 3 has its API.
    pub(crate) api_root: String,
}

impl Order {
    /// The broker of this host, as far as one is known.
    ///
    /// # Errors
    /// See [`Broker::discover`].
    pub(crate) fn broker(&self) -> Result<Option<Broker>> {
        Broker::discover(Overrides {
            url: self.broker_url.as_deref(),
            unit: self.broker_unit.as_deref(),
            target: self.target,
            may_ask: self.ask_pulp,
            pulp: None,
        })
    }

    /// Whoever looks at the API, if that is asked for.
    ///
    /// # Errors
    /// The address makes no sense, or `ca_path` cannot be read.
    pub(crate) fn onlooker(&self) -> Result<Option<Onlooker>> {
        let Some(pulp) = &self.pulp else {
            return Ok(None);
        };
        let access = Access {
            url: &pulp.url,
            credentials: None,
            certificate: None,
            validate_certs: pulp.validate_certs,
            ca_path: pulp.ca_path.as_deref(),
            tls_minimum: pulp.tls_minimum,
            is_pulp_3: false,
            request_timeout: LIMIT,
        };
        Onlooker::new(&access, &pulp.api_root).map(Some)
    }

    /// The units that are observed as they are now: those that exist and are processes.
    ///
    /// # Errors
    /// The service manager does not answer, or there is none.
    pub(crate) fn units(&self) -> Result<Vec<Unit>> {
        Ok(observed(service::observe(&self.names)?))
    }
}

/// What is evidence: an umbrella's state says nothing.
fn observed(units: Vec<Unit>) -> Vec<Unit> {
    units
        .into_iter()
        .filter(|u| u.found && !u.umbrella)
        .collect()
}

/// Seconds of the machine's monotonic clock.
pub(crate) fn monotonic() -> f64 {
    let now = clock_gettime(ClockId::Monotonic);
    let nanoseconds = u32::try_from(now.tv_nsec).unwrap_or_default();
    Duration::new(u64::try_from(now.tv_sec).unwrap_or_default(), nanoseconds).as_secs_f64()
}

/// Whether this process was started to observe.
pub(crate) fn is_asked() -> bool {
    std::env::args_os()
        .nth(1)
        .is_some_and(|first| first == timeline::OBSERVE)
}

/// Observes, in a process of its own. What goes wrong is written to the journal: nobody listens.
pub(crate) fn run() -> ExitCode {
    match begin() {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn begin() -> Result<()> {
    let order: Order =
        serde_json::from_reader(std::io::stdin()).context("failed to read the order")?;
    process::detach()?;
    let place = LockedPaths::take(&order.run_id)?;
    let (begin, clock) = (Instant::now(), monotonic());
    let wall = SystemTime::now();
    let prepared = prepare(&order);
    let seen = prepared.as_ref().ok();
    let broker = seen.and_then(|seen| seen.broker.as_ref());
    let mut journal = Journal::create(&place.paths.journal())?;
    journal.write(&Begin {
        host: identity::host_name().unwrap_or_default(),
        wall: wall
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs_f64(),
        monotonic: clock,
        broker: broker.map(|b| b.endpoint.to_string()).unwrap_or_default(),
        kind: broker.map(|b| b.kind.to_owned()).unwrap_or_default(),
        caches_only: broker.is_some_and(|b| b.caches_only),
        units: seen.map_or_else(Vec::new, |seen| {
            seen.units.iter().map(|u| u.name.clone()).collect()
        }),
        listeners: order.listeners.clone(),
        retry: order.retry,
    })?;
    let scene = Scene {
        begin,
        wall,
        journal: RefCell::new(journal),
        broker: None,
        names: order.names.clone(),
        units: RefCell::default(),
        change: Cell::new(None),
        awaited: RefCell::default(),
        troubles: RefCell::default(),
        place,
    };
    match prepared {
        Ok(Prepared {
            units,
            broker,
            onlooker,
        }) => {
            let scene = Scene {
                broker: broker.map(Arc::new),
                ..scene
            };
            units::note(&scene, units, begin);
            look(&Rc::new(scene), onlooker, &order)
        }
        Err(error) => {
            let why = format!("it could not begin: {error:#}");
            scene.note(Instant::now(), Event::End { why });
            Err(error)
        }
    }
}

/// What is found out before the first look.
struct Prepared {
    units: Vec<Unit>,
    broker: Option<Broker>,
    onlooker: Option<Onlooker>,
}

fn prepare(order: &Order) -> Result<Prepared> {
    Ok(Prepared {
        units: order.units()?,
        broker: order.broker()?,
        onlooker: order.onlooker()?,
    })
}

/// Looks at everything until there is a reason to end.
fn look(scene: &Rc<Scene>, onlooker: Option<Onlooker>, order: &Order) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("failed to begin observing")?;
    let local = LocalSet::new();
    let mut awaited = vec![units::NAME];
    local.spawn_local(units::sample(Rc::clone(scene)));
    if let Some(broker) = &scene.broker {
        awaited.extend([answers::NAME, connections::NAME]);
        local.spawn_local(answers::sample(Rc::clone(scene), Arc::clone(broker)));
        local.spawn_local(connections::sample(Rc::clone(scene), Arc::clone(broker)));
    }
    let told = Rc::new(RefCell::new(api::Told::default()));
    if let Some(onlooker) = onlooker {
        awaited.push(api::NAME);
        local.spawn_local(api::sample(Rc::clone(scene), onlooker, Rc::clone(&told)));
    }
    scene.awaited.replace(awaited.into_iter().collect());
    let why = local.block_on(&runtime, until_end(scene, order));
    scene.keep(&told.borrow());
    let troubles = scene.troubles.borrow();
    let mut why = vec![why];
    why.extend(troubles.values().cloned());
    scene.note(
        Instant::now(),
        Event::End {
            why: why.join("; "),
        },
    );
    // A question that waits for its answer is not waited for.
    runtime.shutdown_background();
    Ok(())
}

async fn until_end(scene: &Scene, order: &Order) -> String {
    let deadline = Duration::from_secs(order.deadline_seconds);
    let lasts = order.lease_seconds.map(Duration::from_secs);
    let mut lease = Lease::new(scene.place.paths.modules(), lasts);
    loop {
        if interrupt::pending().is_some() {
            return "it was asked to end".to_owned();
        }
        if scene.place.is_gone() {
            return "what it wrote was taken away".to_owned();
        }
        let late = scene.begin.elapsed() >= deadline;
        let late = late.then(|| format!("its time was over after {} s", deadline.as_secs()));
        if let Some(why) = late.or_else(|| lease.is_over()) {
            // Nobody came for it in all that time, and nobody will.
            let _ = remove();
            return why;
        }
        if let Some(why) = scene.journal.borrow().is_over() {
            return why;
        }
        wait::pass(TICK).await;
    }
}

/// What the samplers share.
struct Scene {
    begin: Instant,
    /// The wall clock at that instant.
    wall: SystemTime,
    journal: RefCell<Journal>,
    broker: Option<Arc<Broker>>,
    names: Vec<String>,
    /// Every observed unit as it was seen last.
    units: RefCell<BTreeMap<String, Unit>>,
    /// The broker's last change.
    change: Cell<Option<Change>>,
    /// What has not been looked at yet.
    awaited: RefCell<BTreeSet<&'static str>>,
    /// What could not be looked at, by sampler.
    troubles: RefCell<BTreeMap<&'static str, String>>,
    place: LockedPaths,
}

/// The broker answered differently from before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Change {
    /// It was as before at this instant.
    not_before: Instant,
    seen: Instant,
    /// It answers.
    up: bool,
}

impl Scene {
    fn note(&self, at: Instant, event: Event) {
        let at = at.saturating_duration_since(self.begin).as_secs_f64();
        self.journal.borrow_mut().entry(at, event);
    }

    /// The wall clock at an instant, as it would be had nobody set it meanwhile.
    fn wall_at(&self, at: Instant) -> SystemTime {
        self.wall + at.saturating_duration_since(self.begin)
    }

    /// What came of a look; an error is remembered until a look succeeds.
    fn tried<T>(&self, name: &'static str, result: Result<T>) -> Option<T> {
        let mut troubles = self.troubles.borrow_mut();
        match result {
            Ok(value) => {
                troubles.remove(name);
                Some(value)
            }
            Err(error) => {
                troubles.insert(name, format!("{error:#}"));
                None
            }
        }
    }

    /// The first look is over: whoever started the observer waits for all of them.
    fn looked(&self, name: &'static str) {
        let mut awaited = self.awaited.borrow_mut();
        if awaited.remove(name) && awaited.is_empty() {
            self.place.show_ready();
        }
    }

    /// Keeps what the API said in sum where it can be collected.
    fn keep(&self, told: &api::Told) {
        self.place.keep(told);
    }
}
