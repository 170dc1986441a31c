//! What a metric's verdict says, in words.

use windlass_domain::outcome::Reason;
use windlass_domain::verdict::{Arm, MetricVerdict, Standing, Verdict};

/// The reason of one metric under this verdict; `None` where it has nothing to say.
pub(super) fn metric(metric: &MetricVerdict, verdict: Verdict, more: Option<u64>) -> Option<Reason> {
    let reason = Reason::new(&metric.name).observed(observed(metric));
    let notes = metric.notes.join("; ");
    match (metric.standing, metric.no_data) {
        (Standing::NotApplicable, _) => Some(reason.why(notes)),
        (Standing::BaselineUnhealthy, _) => Some(
            reason
                .why("the old revision violates the objective too, so that it says nothing of the new one")
                .next("mend or roll back what is live first"),
        ),
        (Standing::Critical, Some(missing)) => Some(
            reason
                .required("data: silence is never a pass")
                .why(missing.words())
                .next("send traffic to the new revision, and check that its metrics are served"),
        ),
        // A hard gate fell, and the counts say nothing against it.
        (Standing::Critical, None) if verdict == Verdict::Failed && metric.evidence_fail <= 1.0 => None,
        (Standing::Critical, None) => Some(match verdict {
            Verdict::Failed => reason
                .required(format!("evidence against it below {:.0}", metric.threshold_fail))
                .why(joined(&format!("evidence against it {}", number(metric.evidence_fail)), &notes)),
            Verdict::Passed => reason
                .required(format!("evidence for it of {:.0}", metric.threshold_pass))
                .why(joined(&format!("evidence for it {}", number(metric.evidence_pass)), &notes)),
            Verdict::Inconclusive => {
                let reason =
                    reason.required(format!("evidence for it of {:.0}", metric.threshold_pass)).why(joined(
                        &format!(
                            "evidence for it {}, against it {} (fails at {:.0})",
                            number(metric.evidence_pass),
                            number(metric.evidence_fail),
                            metric.threshold_fail
                        ),
                        &notes,
                    ));
                match more {
                    Some(more) => {
                        reason.next(format!("about {more} more requests to the new revision would decide"))
                    }
                    None => reason,
                }
            }
        }),
    }
}

fn observed(metric: &MetricVerdict) -> String {
    match metric.arm_old {
        Some(old) => format!("new {}, old {}", arm(metric.arm_new), arm(old)),
        None => format!("new {}", arm(metric.arm_new)),
    }
}

fn arm(arm: Arm) -> String {
    match arm.share() {
        None => "nothing served".to_owned(),
        Some(share) => format!("{} of {} ({:.2}%)", arm.bad, arm.requests, share * 100.0),
    }
}

fn number(evidence: f64) -> String {
    if evidence >= 1e6 { format!("{evidence:.0e}") } else { format!("{evidence:.2}") }
}

fn joined(first: &str, notes: &str) -> String {
    if notes.is_empty() { first.to_owned() } else { format!("{first}; {notes}") }
}
