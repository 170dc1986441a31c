//! What `windlass explain` says of a deploy's own failures.

windlass_domain::topics! {
    [pub(crate), pub static TOPICS]
    EVIDENCE = "deploy.evidence":
        "The gate of the environment has no verdict that counts for this artifact: none was given, it is about another artifact, environment or policy, it is unsigned or altered, or it is too old. Nothing was touched.",
        "Run `gate-check -e ENV` on exactly this artifact, with the key that windlass.yml lists, then deploy again.";
    GATE = "deploy.gate":
        "The newest verdict of the environment's gate on this artifact is not a pass. Nothing was touched.",
        "See what gate-check said, mend it, and run gate-check again.";
    APPROVAL = "deploy.approval":
        "The environment demands approvals that are not there, are too old, or were given to another plan. Nothing was touched.",
        "Have someone whom `approval.from` names run `windlass approve -e ENV --plan HASH`, or approve the run's environment or the change on the forge, where it names `user:` or `team:`. `windlass doctor` says what the token may not read.";
    FREEZE = "deploy.freeze": "A freeze of windlass.yml holds: nothing may enter now. Nothing was touched.",
        "Wait for its end, which the message gives, or change `freeze` in windlass.yml by review.";
    HOLD = "deploy.hold":
        "The environment is on hold, usually because someone rolled it back: the next push must not undo that. Nothing was touched.",
        "Find out why (`windlass history -e ENV`), then run `windlass unhold -e ENV`.";
    TARGET = "deploy.target":
        "The target cannot be reached, or could not judge: no agent, a socket of somebody else, a full disk, a corrupted ledger, an exec target's command that broke off. What is open stays open and the next run goes on.",
        "Look at the cause in the message, and at agent.log in the target's root; then run the same command again.";
    DRIVER = "deploy.driver": "This build cannot reach targets of that kind, or the target's root is unusable. Nothing was touched.",
        "Use a target of kind host or exec, or a shorter root.";
    WEIGHTS = "deploy.weights": "The strategy sends a share of the requests to the new release, and the target can only send all of them to one: a share would be made up. Nothing was touched.",
        "Use `strategy: blue-green` there, or a target that can split requests; an exec target says so with `weights: true`.";
    FENCE = "deploy.fence":
        "Another run holds the environment, or took it over from this one. Nothing was changed under a lost fence.",
        "Wait for the run that the message names; its lease ends by itself soon after it dies.";
    ORDER = "deploy.order":
        "The live release was built from a newer commit, or from one that this commit does not contain: deploying would take it back silently. Nothing was touched.",
        "Deploy the newer commit, merge the live one into your branch, or go back on purpose with `rollback`.";
    ORDER_UNKNOWN = "deploy.order-unknown":
        "Whether this commit contains the live one cannot be told, for instance because the clone is shallow. Nothing was touched.",
        "Fetch the whole history (fetch-depth: 0, GIT_DEPTH: 0).";
    WAY_BACK = "deploy.way-back":
        "There would be no way back: the live release is not staged any more, its code cannot read the data schema that the new one writes, or the new one's migration is not reversible. Nothing was touched.",
        "Deploy a release that the old can live with (expand, then contract), or accept it with --no-way-back; an approval of exactly this plan accepts a migration that is not reversible.";
    HOOK = "deploy.hook": "A hook of the plan has a word in braces that is not known. Nothing was touched.",
        "Correct it under `hooks`: there are {environment}, {revision} and {url}.";
    PROOF = "deploy.proof":
        "The environment demands that the way back from this artifact to the one that is live was walked before (`rollback.proved`), and no evidence of exactly this pair says so. Nothing was touched.",
        "Deploy both, the live one first, in an environment with `prove_rollback: true`; the evidence of that counts here.";
    SCHEMA = "deploy.schema": "The release cannot read the data schema that is in use. Nothing was touched.",
        "Deploy a release whose `reads` contains the schema in use.";
    SECRET = "deploy.secret": "A secret of the target cannot be given to the release: its file on the host is missing, cannot be read by the agent's user, is no file, or is open to all users. Nothing was touched.",
        "The message names variable and file. Make the file readable for the agent's user and closed to others (`chmod o=`), or correct `secrets` in windlass.yml.";
    APPROVED = "deploy.approved": "The plan is not the one that was approved: the release, the policy or the target changed since. Nothing was touched.",
        "Look at `deploy --plan` again and approve the plan it prints.";
    VERIFY = "deploy.verify": "The new release did not hold while it was judged, and was put back.",
        "The reasons name the deciding metric; the report folder has the recording of what was seen.";
    REVERTED = "deploy.reverted": "The release was refused by its checks and the environment was put back as it was.",
        "The reason names the step; the log of the release is in the target's root under revisions/N/log.";
    STUCK = "deploy.stuck": "The environment could not be put back, or there was no way back. A human is needed.",
        "The reason names where it stopped. Mend that, then run `deploy` with a good release or `rollback`: both go on from the ledger.";
    OPEN = "deploy.open": "The run left the rollout open: interrupted, held by an inconclusive verdict, or the target was lost.",
        "Run the same command again: it goes on from the ledger. `rollback` turns it back instead.";
}
