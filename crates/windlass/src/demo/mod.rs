//! `windlass demo`: a release's life on one machine, told as a story from what was observed.

mod claims;
mod process;
mod sample;
pub mod service;
mod story;

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use windlass_ci::args::{Common, Format};
use windlass_ci::context::Context;
use windlass_ci::fail::{Failure, Result};
use windlass_ci::progress::Progress;
use windlass_ci::{stream, tool, topics};
use windlass_domain::outcome::Outcome;
use windlass_domain::policy::Span;
use windlass_target::host::Host;
use windlass_target::host::control::Place;

use self::sample::Sample;
use self::story::Story;

/// Watch a release move through dev, staging and production on this machine, one caught and put back, one regretted.
///
/// Makes a temporary folder, runs the tools in it as separate processes on free ports of 127.0.0.1, and leaves nothing
/// behind, also when interrupted. Exits 1 when any of its claims does not hold.
#[derive(Debug, Parser)]
#[command(name = "demo", version)]
pub(crate) struct Arguments {
    /// Leave everything running and in place, to play with
    #[arg(long)]
    keep: bool,
    /// Write standard output in this form
    #[arg(long, value_enum, default_value_t, value_name = "FORM")]
    format: Format,
    /// Say only what is wrong
    #[arg(short, long)]
    quiet: bool,
}

/// Runs the demo.
pub(crate) fn run(context: Context) -> ExitCode {
    let arguments = match tool::arguments::<Arguments>(&context) {
        Ok(arguments) => arguments,
        Err(code) => return code,
    };
    match play(&context, &arguments) {
        Ok(result) => {
            let text = match arguments.format {
                Format::Human => result.text(),
                Format::Json => {
                    let json = serde_json::to_string_pretty(&result).expect("a result has only string keys");
                    format!("{json}\n")
                }
            };
            let outcome = result.outcome;
            match tool::finish("demo", Ok(text)) {
                code if code == ExitCode::SUCCESS => ExitCode::from(outcome.code()),
                code => code,
            }
        }
        Err(failure) => tool::finish("demo", Err(failure)),
    }
}

/// Runs the sample's service.
pub(crate) fn run_service(context: Context) -> ExitCode {
    #[derive(Parser)]
    #[command(name = "demo-service", version)]
    struct Arguments {
        #[command(flatten)]
        service: service::ServiceArgs,
    }
    match tool::arguments::<Arguments>(&context) {
        Ok(arguments) => service::run(&arguments.service),
        Err(code) => code,
    }
}

fn play(context: &Context, arguments: &Arguments) -> Result<claims::Result> {
    let impossible =
        |error: io::Error| Failure::unknown(&topics::REPORT_FILE, "cannot set the demo up").because(error);
    let folder = tempfile::Builder::new().prefix("windlass-demo-").tempdir().map_err(impossible)?;
    let program = std::env::current_exe().map_err(impossible)?;
    let today = jiff::tz::Offset::UTC.to_datetime(context.started).date();
    let sample = Sample::lay_out(folder.path(), &program, today).map_err(|error| {
        impossible(error).hint("the demo needs git and a writable folder for temporary files")
    })?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::unknown(&topics::BUG, "cannot start the async runtime").because(error))?;
    let common = Common { quiet: arguments.quiet, ..Common::default() };
    let progress = Progress::new(&common, context);
    let mut story = Story::new(program, sample.clone(), progress.clone(), context);
    let told = runtime.block_on(async {
        let told = tokio::select! {
            told = story.tell() => told,
            () = interrupted() => Err(io::Error::new(io::ErrorKind::Interrupted, "interrupted")),
        };
        if !arguments.keep || told.is_err() {
            sweep_up(&sample.state).await;
        }
        told
    });
    progress.clear();
    drop(runtime);
    told.map_err(|error| {
        let failure = Failure::unknown(&topics::BUG, "the demo could not go on").because(error);
        failure.hint("nothing was left behind")
    })?;
    if arguments.keep {
        let kept = folder.keep();
        stream::err(&format!("kept in {}: try `windlass status` in its folder shop/\n", kept.display()));
    }
    Ok(story.result(arguments.keep))
}

async fn interrupted() {
    match windlass_target::stop::on_signals() {
        Ok(mut stop) => {
            let _ = stop.wait_for(|stopped| *stopped).await;
        }
        Err(_) => std::future::pending().await,
    }
}

/// Ends every agent and every instance.
async fn sweep_up(state: &Path) {
    for environment in ["dev", "staging", "production"] {
        let _ = host(state, environment).shutdown(true).await;
    }
}

/// The demo's host target of one environment.
fn host(state: &Path, environment: &str) -> Host {
    let place = Place::plain("shop", environment, "127.0.0.1:0");
    Host::new(&root(state, environment), place, Span::seconds(30))
}

fn root(state: &Path, environment: &str) -> PathBuf {
    state.join(environment)
}

/// The outcome of a demo: passed when every claim holds.
fn outcome(claims: &[claims::Claim]) -> Outcome {
    if !claims.is_empty() && claims.iter().all(|claim| claim.holds) {
        Outcome::Passed
    } else {
        Outcome::Failed
    }
}
