//! Steps that failed and held nothing up: hooks of the way back, and whatever comes after the commit.

use windlass_ci::report::{Annotation, Level};
use windlass_domain::outcome::Reason;
use windlass_target::document::Own;

/// A warning for each, so that a rollout that went well does not hide them.
pub fn unheeded(own: &Own, tool: &str, environment: &str) -> Vec<(Reason, Annotation)> {
    let warning = |(step, why): (String, String)| {
        let reason = Reason::new("unheeded")
            .place(step.clone())
            .why(format!("`{step}` failed and held nothing up: {why}"));
        let annotation = Annotation {
            level: Level::Warning,
            title: format!("{tool} of {environment}: {step} failed"),
            message: why,
            path: None,
            line: None,
        };
        (reason, annotation)
    };
    own.unheeded().into_iter().map(warning).collect()
}
