//! What `windlass explain` says of `health-verify`'s own failures.

windlass_domain::topics! {
    [pub(crate), pub static TOPICS]
    /// Nothing to verify.
    NOTHING_TO_VERIFY = "health.nothing-to-verify": "The environment has no `verify` in windlass.yml, so that there is nothing to judge by. That is never a pass.",
        "Add probes, errors or latency under `verify`, or check a service alone with --url, --tcp or --command.";
    /// The agent cannot be asked.
    AGENT = "health.agent": "The agent of the host target does not answer on its control socket. Whether the service is healthy could not be judged.",
        "Deploy once (that starts the agent), or start `windlassd --root DIR`; run as the user who owns the socket.";
    /// Nothing is live.
    NOTHING_LIVE = "health.nothing-live": "The agent answers, and no revision gets requests. There is nothing that could be healthy.",
        "Deploy a release first.";
    /// Another artifact is live.
    OTHER_ARTIFACT = "health.other-artifact": "The artifact that --artifact names is not the one that is live. A verdict about the one must not become evidence about the other.",
        "Leave --artifact out to judge what is live, or deploy the artifact first.";
    /// A recording cannot be replayed.
    RECORDING = "health.recording": "The file is not a whole recording of a health verdict. A cut-off recording is not a shorter one.",
        "Take health.recording.jsonl from the report folder of the run, unchanged.";
    /// The runtime cannot start.
    RUNTIME = "health.runtime": "The process could not start its network runtime.",
        "Check the limits on threads and open files.";
    /// The evidence against a release.
    VERDICT = "health.verdict": "Evidence is an e-value: 1 says nothing, and a release that is no worse reaches 100 at most once in 100 runs, however often one looks. It fails at 100 against it (times the number of metrics), and passes at 20 for each metric.",
        "Open health-verify.html in the report folder for both curves; `health-verify replay` judges the recording again.";
}
