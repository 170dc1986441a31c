//! Starting and ending the agent.

use std::io;
use std::process::ExitCode;
use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};
use windlass_ci::context::Context;
use windlass_ci::fail::Failure;
use windlass_ci::{args, sink};
use windlass_domain::outcome::Outcome;
use windlass_target::host::control::Shutdown;

use crate::agent::Agent;
use crate::args::Arguments;
use crate::root::{NotLocked, Root, SOCKET_PATH};
use crate::route::{Placement, Router};
use crate::supervise::{Fleet, rotate, visible};
use crate::{control, log, topics};

/// Runs the agent until it is told to end. The exit code is an [`Outcome`]'s: 2 for wrong usage, 3 where the root
/// cannot be used, 6 where another agent has it.
#[must_use]
pub fn run(context: Context) -> ExitCode {
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
    let _lock = root.lock().map_err(|error| match error {
        NotLocked::Taken(pid) => {
            let who =
                pid.map_or_else(|| "another agent".to_owned(), |pid| format!("the agent with pid {pid}"));
            Failure::refused(&topics::TAKEN, format!("{who} already runs for {}", root.path().display()))
        }
        NotLocked::Io(error) => unusable(error),
    })?;
    log::open(&root.log(), arguments.verbose).map_err(unusable)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(unusable)?;
    let result = runtime.block_on(serve(&root, arguments, context, &unusable));
    runtime.shutdown_background();
    result
}

async fn serve(
    root: &Root,
    arguments: &Arguments,
    context: &Context,
    unusable: &dyn Fn(io::Error) -> Failure,
) -> Result<(), Failure> {
    // Signals first: from here on none of them ends the agent in the middle of something.
    let mut terminate = signal(SignalKind::terminate()).map_err(unusable)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(unusable)?;
    let mut hang_up = signal(SignalKind::hangup()).map_err(unusable)?;
    let placement = if arguments.no_pin { Placement::Free } else { Placement::Pinned };
    let router = Arc::new(Router::start(arguments.threads, placement).map_err(unusable)?);
    let fleet = Fleet::open(root, Arc::clone(&router), visible(&context.vars)).map_err(unusable)?;
    let agent = Agent::open(root.clone(), Arc::clone(&fleet), router).map_err(unusable)?;
    let adopted = fleet.adopt().map_err(unusable)?;
    agent.resume_place().map_err(|error| {
        Failure::unknown(&topics::ADDRESS, "cannot take up the router's work again").because(error)
    })?;
    let listener = control::bind(&root.socket()).map_err(|error| {
        Failure::unknown(
            &topics::SOCKET,
            format!("cannot make the control socket {}", root.socket().display()),
        )
        .because(error)
    })?;
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        pid = std::process::id(),
        adopted,
        "the agent is there"
    );
    let control = tokio::spawn(control::serve(Arc::clone(&agent), listener));
    let metrics = tokio::spawn(control::serve_metrics(Arc::clone(&agent)));
    let rotating = tokio::spawn(rotate(Arc::clone(&fleet)));
    let mut ending = agent.ending();
    let shutdown = loop {
        tokio::select! {
            _ = terminate.recv() => break Shutdown { stop_instances: false },
            _ = interrupt.recv() => break Shutdown { stop_instances: false },
            // A terminal that goes away takes nothing with it.
            _ = hang_up.recv() => {}
            Ok(asked) = ending.wait_for(Option::is_some) => {
                break asked.clone().unwrap_or(Shutdown { stop_instances: false });
            }
        }
    };
    tracing::info!(stop_instances = shutdown.stop_instances, "the agent ends");
    metrics.abort();
    rotating.abort();
    agent.close(&shutdown).await;
    control.abort();
    let _ = std::fs::remove_file(root.socket());
    Ok(())
}
