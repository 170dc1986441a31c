//! Starting and ending the agent.

use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use windlass_ci::context::Context;
use windlass_ci::fail::Failure;
use windlass_ci::{args, sink};
use windlass_domain::outcome::Outcome;
use windlass_target::host::control::{HandedOver, Handover, Shutdown};
use windlass_target::host::{AgentCommand, Client};

use crate::agent::{Agent, End, Parts};
use crate::args::Arguments;
use crate::doors::Doors;
use crate::handover::{Channel, Inheritance, Taken, flags, leave, take};
use crate::root::{Lock, NotLocked, Root, SOCKET_PATH};
use crate::route::{Placement, Router};
use crate::service::{self, Manager};
use crate::supervise::{Fleet, rotate, visible};
use crate::{cgroup, control, log, migrate, topics};

/// Runs the agent until it is told to end. The exit code is an [`Outcome`]'s: 2 for wrong usage, 3 where the root
/// cannot be used, 6 where another agent has it.
#[must_use]
pub fn run(context: Context) -> ExitCode {
    if let Some(code) = cgroup::enter(&context.args) {
        return code;
    }
    // Not for people: the agent starts its own program so.
    if let [word, arguments @ ..] = context.args.as_slice()
        && word == migrate::KEEPER
    {
        return migrate::keep(arguments);
    }
    let arguments: Arguments = match args::parse(&context) {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() {
                ExitCode::from(Outcome::Invalid.code())
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    match start(&arguments, &context) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            tracing::error!(why = failure.chain(), "the agent ends");
            anstream::eprintln!("windlassd: {}: {}", failure.outcome, sink::line(&failure.chain()));
            for hint in &failure.hints {
                anstream::eprintln!("  hint: {}", sink::line(hint));
            }
            anstream::eprintln!("  more: windlass explain {}", failure.topic.key);
            ExitCode::from(failure.outcome.code())
        }
    }
}

fn start(arguments: &Arguments, context: &Context) -> Result<(), Failure> {
    if arguments.detach {
        // Whoever leads a group already has left its starter's session or was started for a terminal.
        let _ = rustix::process::setsid();
    }
    let path = context.folder.join(&arguments.root);
    let unusable = |error: io::Error| {
        Failure::unknown(&topics::ROOT, format!("cannot use the root {}", path.display())).because(error)
    };
    let root = Root::open(&path).map_err(unusable)?;
    let socket = root.socket();
    if socket.as_os_str().len() > SOCKET_PATH {
        return Err(Failure::invalid(
            &topics::SOCKET,
            format!(
                "the path of the control socket, {}, is longer than {SOCKET_PATH} bytes",
                socket.display()
            ),
        )
        .hint("choose a shorter root"));
    }
    log::open(&root.log(), arguments.verbose).map_err(unusable)?;
    let given = service::given(&context.vars);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(unusable)?;
    let result = runtime.block_on(async {
        if arguments.take_over {
            return take_over(&root, arguments, context).await;
        }
        let doors = Doors::new(Manager::of(&context.vars).map_err(unusable)?, given);
        Start { root: &root, arguments, context, unusable: &unusable }.run(doors).await
    });
    runtime.shutdown_background();
    result
}

/// Has the agent that runs hand over to this program.
async fn take_over(root: &Root, arguments: &Arguments, context: &Context) -> Result<(), Failure> {
    let failed = |what: &str| Failure::unknown(&topics::HANDOVER, what.to_owned());
    let own = std::env::current_exe()
        .map_err(|error| failed("cannot tell which program this is").because(error))?;
    let program = AgentCommand::find(&own, &context.vars).handover().map_err(|why| failed(&why))?;
    let client = Client::new(root.path());
    let handed: HandedOver = client
        .post("/v1/handover", &Handover { program, downgrade: arguments.downgrade }, HANDOVER)
        .await
        .map_err(|error| failed("the agent that runs did not hand over").because(error))?;
    anstream::println!(
        "the agent with pid {}, version {}, has taken over",
        handed.pid,
        sink::line(&handed.version)
    );
    Ok(())
}

/// How long handing over may take, with everything that it waits for.
const HANDOVER: Duration = Duration::from_secs(90);

/// What an agent starts from.
struct Start<'a> {
    root: &'a Root,
    arguments: &'a Arguments,
    context: &'a Context,
    unusable: &'a dyn Fn(io::Error) -> Failure,
}

impl Start<'_> {
    async fn run(&self, doors: Doors) -> Result<(), Failure> {
        // Signals first: from here on none of them ends the agent in the middle of something.
        let mut signals = Signals::new().map_err(self.unusable)?;
        let inheritance = match self.arguments.inherit {
            true => Inheritance::receive().await.map_err(self.unusable)?,
            false => None,
        };
        let open = Arc::new(());
        let (agent, control) = self.open(doors, inheritance).await?;
        control.set_nonblocking(true).map_err(self.unusable)?;
        let listener = tokio::net::UnixListener::from_std(control).map_err(self.unusable)?;
        let control = tokio::spawn(control::serve(Arc::clone(&agent), listener, Arc::clone(&open)));
        let metrics = tokio::spawn(control::serve_metrics(Arc::clone(&agent)));
        let rotating = tokio::spawn(rotate(Arc::clone(&agent.fleet)));
        let looking = tokio::spawn(look(Arc::clone(&agent)));
        agent.doors.manager().tell("READY=1");
        let pulse = tokio::spawn(pulse(Arc::clone(&agent)));
        let end = tokio::select! {
            () = signals.told() => End::Shutdown(Shutdown { stop_instances: false }),
            end = agent.ending() => end,
        };
        let (end, _handing) = agent.no_handover(end).await;
        metrics.abort();
        rotating.abort();
        looking.abort();
        pulse.abort();
        match end {
            End::Shutdown(shutdown) => {
                tracing::info!(stop_instances = shutdown.stop_instances, "the agent ends");
                agent.doors.manager().tell("STOPPING=1");
                agent.close(&shutdown).await;
                control.abort();
                let _ = std::fs::remove_file(self.root.socket());
            }
            End::HandedOver(channel) => {
                control.abort();
                tokio::select! {
                    () = leave(&agent, &channel) => {}
                    () = signals.told() => {}
                }
                // Whoever asked something last is answered.
                for _ in 0..ANSWERS {
                    if Arc::strong_count(&open) == 1 {
                        break;
                    }
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                tracing::info!("the agent that handed over ends");
            }
        }
        Ok(())
    }

    /// Reads everything, takes the listeners from the agent before or makes them, and begins to act.
    async fn open(
        &self,
        mut doors: Doors,
        inheritance: Option<Inheritance>,
    ) -> Result<(Arc<Agent>, std::os::unix::net::UnixListener), Failure> {
        let address = |error| {
            Failure::unknown(&topics::ADDRESS, "cannot take up the router's work again").because(error)
        };
        let managed = doors.manager().is_there();
        let mut from = None;
        let (lock, taken, upstreams, listeners) = match inheritance {
            None => (self.lock()?, None, 0, 0),
            Some(inheritance) => {
                let Inheritance {
                    channel,
                    from: pid,
                    lock,
                    control,
                    metrics,
                    router,
                    given,
                    formers,
                    upstreams,
                } = inheritance;
                from = Some((channel, pid, formers));
                doors = doors.with_given(given);
                let listeners = router.len();
                (lock, Some((control, metrics, router)), upstreams, listeners)
            }
        };
        let placement = if self.arguments.no_pin { Placement::Free } else { Placement::Pinned };
        let router = Router::start(self.arguments.threads, listeners, placement).map_err(self.unusable)?;
        let router = Arc::new(router);
        let vars = visible(&self.context.vars);
        let fleet = Fleet::open(self.root, Arc::clone(&router), vars, upstreams).map_err(self.unusable)?;
        let flags = flags(self.arguments);
        let parts = Parts { root: self.root.clone(), lock, fleet: Arc::clone(&fleet), router, doors, flags };
        let agent = Agent::open(parts).map_err(self.unusable)?;
        let adopted = fleet.adopt().map_err(self.unusable)?;
        let count = adopted.count();
        agent.resume_settings().map_err(address)?;
        if let Some((channel, pid, formers)) = from {
            match take(channel, pid).await.map_err(self.unusable)? {
                Taken::From(pid, channel) => fleet.formers.add(pid, channel),
                // The service manager starts another one, which must not find the root taken.
                Taken::Fallen if managed => {
                    return Err((self.unusable)(io::Error::other("the agent that handed over is gone")));
                }
                Taken::Fallen => tracing::warn!(pid, "the agent before ended while it handed over"),
            }
            for (pid, end) in formers {
                fleet.formers.add(pid, Channel::of(end).map_err(self.unusable)?);
            }
            agent.lock.note().map_err(self.unusable)?;
        }
        let control = match taken {
            Some((control, metrics, router)) => {
                agent.take_listeners(router, metrics).map_err(self.unusable)?;
                control
            }
            None => {
                agent.resume_place().map_err(address)?;
                self.bind()?
            }
        };
        agent.doors.keep_control(control.try_clone().map_err(self.unusable)?);
        agent.begin(adopted).await;
        tracing::info!(
            version = env!("CARGO_PKG_VERSION"),
            pid = std::process::id(),
            adopted = count,
            "the agent is there"
        );
        Ok((agent, control))
    }

    fn lock(&self) -> Result<Lock, Failure> {
        self.root.lock().map_err(|error| match error {
            NotLocked::Taken(pid) => {
                let who =
                    pid.map_or_else(|| "another agent".to_owned(), |pid| format!("the agent with pid {pid}"));
                let root = self.root.path().display();
                Failure::refused(&topics::TAKEN, format!("{who} already runs for {root}"))
            }
            NotLocked::Io(error) => (self.unusable)(error),
        })
    }

    fn bind(&self) -> Result<std::os::unix::net::UnixListener, Failure> {
        let socket = self.root.socket();
        control::bind(&socket).map_err(|error| {
            Failure::unknown(&topics::SOCKET, format!("cannot make the control socket {}", socket.display()))
                .because(error)
        })
    }
}

/// Gives the service manager a sign of life for as long as every worker of the router gives one.
async fn pulse(agent: Arc<Agent>) {
    let Some(limit) = agent.doors.manager().watchdog() else { return };
    loop {
        agent.router.pulse().await;
        agent.doors.manager().tell("WATCHDOG=1");
        tokio::time::sleep(limit / 3).await;
    }
}

/// How often the place's files are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Keeps to the place's files as they are on the disk: a certificate is renewed without a restart.
async fn look(agent: Arc<Agent>) {
    loop {
        tokio::time::sleep(LOOK).await;
        let router = Arc::clone(&agent.router);
        let _ = tokio::task::spawn_blocking(move || router.look()).await;
    }
}

/// So many hundredths of a second are left for answers on the control socket after handing over.
const ANSWERS: u32 = 500;

/// The signals that end the agent. A terminal that goes away takes nothing with it.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for one.
    async fn told(&mut self) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hang_up.recv() => {}
            }
        }
    }
}
