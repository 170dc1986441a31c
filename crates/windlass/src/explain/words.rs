//! Topics that belong to no error: exit codes, outcomes, strategies, steps of a rollout.

use windlass_domain::explain::Topic;

const fn topic(key: &'static str, means: &'static str, next: &'static str) -> Topic {
    Topic { key, means, next }
}

macro_rules! outcomes {
    ($($code:literal $word:literal: $means:literal, $next:literal;)*) => {
        /// The exit codes.
        pub(super) static CODES: &[&Topic] = &[$(&topic($code, concat!($word, ": ", $means), $next)),*];
        /// The words for them.
        pub(super) static OUTCOMES: &[&Topic] = &[$(&topic($word, concat!("Exit code ", $code, ": ", $means), $next)),*];
    };
}

outcomes! {
    "0" "passed": "yes. The gate holds, the scan is clean, the release is live, the service is healthy, the rollback is done.",
        "Nothing; the next step may begin.";
    "1" "failed": "judged no. For deploy: the release was refused by its checks and the environment was put back as it was.",
        "Read the reasons: each says what was seen, what is required and where the evidence lies. Mend it and run again.";
    "2" "invalid": "the command line or windlass.yml is wrong. Nothing was touched.",
        "Read the message, run `windlass check`, then run again.";
    "3" "unknown": "could not judge: a provider, the network, a report or the evidence could not be read. It fails closed and is no verdict on the release.",
        "Mend what could not be read, then run again: the same release may well pass.";
    "4" "held": "it waits for someone: an approval is missing, the verdict is inconclusive, or the environment is on hold.",
        "Approve with `windlass approve`, or look and then lift the hold with `windlass unhold`; then run again.";
    "5" "stuck": "the environment could not be put back. A human is needed.",
        "Follow the report's last step, look with `windlass status`, and run `rollback` once the cause is mended.";
    "6" "refused": "superseded by a newer release, or another run holds the environment.",
        "Wait for the run that the message names, or release the newer commit.";
}

/// How a release takes over.
pub(super) static STRATEGIES: &[&Topic] = &[
    &topic(
        "rolling",
        "A strategy: instance by instance, the share of requests following the instances; the old stays warm until the end.",
        "Write `strategy: rolling`, or `{ kind: rolling, batch: 2, bake: 30s }`.",
    ),
    &topic(
        "blue-green",
        "A strategy: all instances of the new beside the old, then one flip of all requests, and the old stays until the bake is over.",
        "Write `strategy: blue-green`, or `{ kind: blue-green, bake: 5m }`.",
    ),
    &topic(
        "canary",
        "A strategy: a rising share of requests goes to the new release, and each step is judged before the next.",
        "Write `strategy: { kind: canary, steps: [5%, 25%, 50%], bake: 10m }`; 100% follows by itself.",
    ),
    &topic(
        "custom",
        "A strategy: your own list of steps, each with a weight or a batch, and whether it is settled, judged and waited after.",
        "Begin with the list of the strategy that is nearest, as `windlass explain strategy canary` prints it.",
    ),
];

/// The steps of a rollout.
pub(super) static STEPS: &[&Topic] = &[
    &topic(
        "fence",
        "The lease that a run must hold to change a target. Its epoch goes with each change, so that a run which lost it can change nothing more.",
        "Nothing; a run that died loses it after a while, or look with `windlass status`.",
    ),
    &topic(
        "stage",
        "A step: the artifact and its configuration are copied to the target as a new revision and checked against their digest. No request reaches it.",
        "When it fails, look at the space and the permissions at the target.",
    ),
    &topic(
        "migrate",
        "A step: `release.migrate.up` brings the data to the schema that the new release writes, once, before any request reaches it.",
        "When it fails, read its last lines in the report; make `up` safe to run again.",
    ),
    &topic(
        "hook",
        "A step: a command of your own runs before or after a phase, as `hooks` of the environment says.",
        "When it fails before the commit, the environment is put back; its output is kept with the report.",
    ),
    &topic(
        "await-ready",
        "A step: the new revision's instances are started, and must say that they are ready within `ready.within`.",
        "When it fails, read the last lines of the release's log in the report.",
    ),
    &topic(
        "shift",
        "A step: shares of requests are set, each absolute and never relative, so that doing it twice changes nothing.",
        "When it fails, the environment is put back; look at the agent's log.",
    ),
    &topic(
        "settle",
        "A step: waits until the new shares are in effect, not merely accepted, and counts what is still in flight on the old.",
        "When it takes long, requests on the old last long: see `drain` of the target.",
    ),
    &topic(
        "verify",
        "A step: the new release is watched under its share of requests and judged by probes, errors and latency as `verify` of the environment says.",
        "When it fails, the environment is put back; the report has the figures, and `health-verify replay` judges them again.",
    ),
    &topic(
        "pause",
        "A step: nothing changes for a while, so that time can show what requests do not.",
        "Nothing; it ends by itself.",
    ),
    &topic(
        "withdraw",
        "A step of a revert: the refused revision is drained and stopped once no request can reach it.",
        "Nothing; its log stays with the report.",
    ),
    &topic(
        "commit",
        "A step: the new release becomes the live one in the ledger. From here on, returning is a rollback.",
        "Nothing; the release before stays staged as the anchor.",
    ),
    &topic(
        "retire",
        "A step: instances of the old revision are drained and stopped. Its files stay as long as it is the anchor or `keep` covers it.",
        "Nothing; a failure here leaves an old instance running, never a release undone.",
    ),
    &topic(
        "anchor",
        "The committed revision that a rollback returns to. No deploy starts unless it is there, with its configuration, and can read the data.",
        "See it with `windlass history`; return to it with `rollback`.",
    ),
];
