//! A run: watch, then write down what was seen and what it means.

use std::fs;
use std::path::Path;

use windlass_ci::fail::{Failure, Result};
use windlass_ci::file::write_whole;
use windlass_ci::report::Report;
use windlass_ci::session::Session;
use windlass_domain::policy::OnInconclusive;
use windlass_domain::verdict::Verdict;
use windlass_signal::judge::{CancelSignal, Judgement, Tick, watch};
use windlass_signal::record::{Recording, replay_with};

use crate::args::HealthVerify;
use crate::own::Own;
use crate::plan::{self, Plan};
use crate::platform::told_to_stop;
use crate::{attest, chart, report, topics};

/// The largest recording that is read, in bytes.
const LARGEST: u64 = 512 * 1024 * 1024;

/// Judges what runs.
///
/// # Errors
/// Invalid (2) for wrong usage or policy; unknown (3) when the agent cannot be asked or a report not be written.
pub(crate) fn judge(session: &Session, arguments: &HealthVerify) -> Result<Report<Own>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::unknown(&topics::RUNTIME, "cannot start the runtime").because(error))?;
    // A bad key is wrong usage: it must show before anything is judged.
    session.signer()?;
    let (plan, judgement) = runtime.block_on(async {
        let plan = if arguments.alone() {
            plan::alone(session, arguments)
        } else {
            let located = session.policy()?;
            let environment = session.environment(&located.policy)?;
            plan::environment(session, arguments, &located, environment).await?
        };
        let judgement = measure(session, &plan).await;
        Ok::<_, Failure>((plan, judgement))
    })?;
    let mut report = report::of(&plan, &judgement);
    keep(session, &judgement, "health", &mut report)?;
    if let Some(note) = attest::append(session, &plan, &judgement, report.outcome)? {
        report::note(&mut report, &note);
    }
    Ok(report)
}

async fn measure(session: &Session, plan: &Plan) -> Judgement {
    let (handle, cancel) = CancelSignal::new();
    let progress = session.progress.clone();
    let mut tell = |tick: &Tick| progress.now(&report::standing(tick));
    let mut watching = std::pin::pin!(watch(&plan.watch, &cancel, &mut tell));
    tokio::select! {
        judgement = &mut watching => return judgement,
        () = told_to_stop() => handle.cancel(),
    }
    watching.await
}

/// Judges a recorded run again.
///
/// # Errors
/// Unknown (3) when the file is not a whole recording, or a report cannot be written.
pub(crate) fn replay(session: &Session, file: &Path) -> Result<Report<Own>> {
    let recording = recording(&session.context.folder.join(file))?;
    let judgement = replay_with(recording, |_| {});
    let mut report = report::again(&judgement);
    chart_of(session, &judgement, "health-verify-replay.html", &mut report)?;
    Ok(report)
}

/// Reads a recording.
///
/// # Errors
/// Unknown (3) when it cannot be read whole.
pub(crate) fn recording(path: &Path) -> Result<Recording> {
    let failed =
        || Failure::unknown(&topics::RECORDING, format!("cannot read the recording at {}", path.display()));
    let size = fs::metadata(path).map_err(|error| failed().because(error))?.len();
    if size > LARGEST {
        return Err(failed().because("larger than 512 MiB"));
    }
    let text = fs::read_to_string(path).map_err(|error| failed().because(error))?;
    Recording::parse(&text).map_err(|error| failed().because(error))
}

/// Writes the recording and the chart into the report folder.
fn keep(session: &Session, judgement: &Judgement, name: &str, report: &mut Report<Own>) -> Result<()> {
    let path = session.report_dir().join(format!("{name}.recording.jsonl"));
    write(&path, &judgement.recording.to_json_lines())?;
    report.files.push(("recording-path".to_owned(), path));
    chart_of(session, judgement, "health-verify.html", report)
}

fn chart_of(session: &Session, judgement: &Judgement, name: &str, report: &mut Report<Own>) -> Result<()> {
    let mut ticks = Vec::new();
    let _ = replay_with(judgement.recording.clone(), |tick| ticks.push(tick.clone()));
    let path = session.report_dir().join(name);
    write(&path, &chart::page(judgement, &ticks))?;
    report.files.push(("chart-path".to_owned(), path));
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<()> {
    write_whole(path, text.as_bytes()).map_err(|error| {
        Failure::unknown(&windlass_ci::topics::REPORT_FILE, format!("cannot write {}", path.display()))
            .because(error)
    })
}

/// What an inconclusive verdict comes to. `pass` is never silent: the report says that nothing was proved.
pub(crate) const fn passes_unproved(verdict: Verdict, on_inconclusive: OnInconclusive) -> bool {
    matches!((verdict, on_inconclusive), (Verdict::Inconclusive, OnInconclusive::Pass))
}
