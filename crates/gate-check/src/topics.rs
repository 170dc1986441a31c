//! What `windlass explain` says of `gate-check`'s own failures and conditions.

windlass_domain::topics! {
    [pub(crate), pub static TOPICS]
    /// Nothing to judge.
    NOTHING_TO_JUDGE = "gate.nothing-to-judge": "The environment has gates, and not one condition was judged. That is never a pass.",
        "Put conditions under gates, or say `gates: none`.";
    /// `needs`.
    NEEDS = "gate.needs": "The same artifact must have been deployed in another environment, have passed there, and not have been rolled back since; the newest statement about it decides.",
        "Deploy it there first, under the same windlass.yml, with a key that may sign deploys.";
    /// `soak`.
    SOAK = "gate.soak": "The same artifact must have been live in the other environment for so long, without another release taking its place.",
        "Wait until the moment that gate-check names, then run it again.";
    /// `approval`.
    APPROVAL = "gate.approval": "So many different people of those named under approval.from must have approved this artifact for this environment; one person counts once, whatever keys they hold.",
        "Let them run `windlass approve -e ENVIRONMENT`; keys need an owner where not_author is set.";
    /// `freeze`.
    FREEZE = "gate.freeze": "Nothing enters the environment during a freeze. Where a boundary falls into a change of clocks, the freeze is the longer.",
        "Wait until the moment that gate-check names, or change windlass.yml.";
    /// The JUnit file cannot be written.
    JUNIT_FILE = "gate.junit-file": "The conditions cannot be written as JUnit XML.",
        "Check --junit, --report-dir, their permissions and the space on the disk.";
    /// A report cannot be read.
    REPORT = "gate.report": "A report is empty, truncated, not well-formed or of an unknown form. No condition on reports passes while one cannot be read, since what is missing may be what stands against it.",
        "Run `gate-check read FILE`, which names the line; let the job write its reports whole.";
}
