//! Commands about a running environment: status, history, hold, unhold, stop. They look through the target's driver;
//! where a host's agent does not run, at what its files say.

mod history;
mod hold;
mod status;
mod stop;
mod target;
mod watch;

use std::process::ExitCode;

pub(crate) use self::history::Arguments as History;
pub(crate) use self::hold::{Hold, Unhold};
pub(crate) use self::status::Arguments as Status;
pub(crate) use self::stop::Arguments as Stop;

use windlass_ci::context::Context;
use windlass_ci::tool;
use windlass_domain::explain::Topic;

/// `windlass status`.
pub(crate) fn status(context: Context) -> ExitCode {
    tool::run("status", context, status::look)
}

/// `windlass history`.
pub(crate) fn history(context: Context) -> ExitCode {
    tool::run("history", context, history::tell)
}

/// `windlass hold`.
pub(crate) fn hold(context: Context) -> ExitCode {
    tool::run("hold", context, hold::hold)
}

/// `windlass unhold`.
pub(crate) fn unhold(context: Context) -> ExitCode {
    tool::run("unhold", context, hold::unhold)
}

/// `windlass stop`.
pub(crate) fn stop(context: Context) -> ExitCode {
    tool::run("stop", context, stop::stop)
}

static TARGET: Topic = Topic {
    key: "live.target",
    means: "The target of the environment cannot be reached or read.",
    next: "Look at the cause in the message, and at agent.log in the target's root.",
};

static DRIVER: Topic = Topic {
    key: "live.driver",
    means: "This build cannot reach targets of that kind, or the target cannot be used as windlass.yml describes it.",
    next: "The cause is in the message; `windlass check` shows the file's mistakes.",
};

static FENCE: Topic = Topic {
    key: "live.fence",
    means: "Another run holds the environment, so that its ledger cannot be written now. Nothing was changed.",
    next: "Wait for the run that the message names; its lease ends by itself soon after it dies.",
};

static LEFT: Topic = Topic {
    key: "live.left",
    means: "The rollout that is watched is open, and no run holds the environment any more: nothing will change by itself.",
    next: "Run `deploy` to go on with it, or `rollback` to turn it back.",
};

/// All topics of these commands.
pub(crate) static TOPICS: &[&Topic] = &[&TARGET, &DRIVER, &FENCE, &LEFT];
