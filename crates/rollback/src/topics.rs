//! What `windlass explain` says of a rollback's own failures.

windlass_domain::topics! {
    [pub(crate), pub static TOPICS]
    NOTHING = "rollback.nothing": "There is nothing to go back to: nothing is live, or nothing was live before it. Nothing was touched.",
        "See `windlass history -e ENV`; name a release with --to.";
    WHICH = "rollback.which": "The release named by --to was never live in this environment. Nothing was touched.",
        "See `windlass history -e ENV` for the releases that were live.";
    GONE = "rollback.gone": "The files of that release are not on the target any more: retention has removed them. Nothing was touched.",
        "Go to a newer release, or deploy the old artifact again; raise `keep` for the environment.";
    HOOK = "rollback.hook": "A hook of the plan has a word in braces that is not known. Nothing was touched.",
        "Correct it under `hooks`: there are {environment}, {revision} and {url}.";
    SCHEMA = "rollback.schema":
        "The old release cannot read the data schema in use, or a migration that is not reversible has come after it. Nothing was touched.",
        "Go forward with a corrected release, or take the data back first by hand.";
    APPROVED = "rollback.approved": "The plan is not the one that was approved: what is live or staged changed since. Nothing was touched.",
        "Look at `rollback --plan` again and approve the plan it prints.";
    TARGET = "rollback.target": "The target cannot be reached, or could not judge. What is open stays open and the next run goes on.",
        "Look at the cause in the message, and at agent.log in the target's root; then run the same command again.";
    DRIVER = "rollback.driver": "This build cannot reach targets of that kind, or the target's root is unusable. Nothing was touched.",
        "Use a target of kind host or exec, or a shorter root.";
    FENCE = "rollback.fence": "Another run holds the environment, or took it over from this one. Nothing was changed under a lost fence.",
        "Wait for the run that the message names, or stop it: its lease ends by itself soon after it dies.";
    STUCK = "rollback.stuck": "The old release did not get well, so that requests still go where they went. A human is needed.",
        "See the log of the old release in the target's root under revisions/N/log; go elsewhere with --to, or forward with a good release.";
    OPEN = "rollback.open": "The run left the rollback open: it was interrupted, or the target was lost.",
        "Run the same command again: it goes on from the ledger.";
}
