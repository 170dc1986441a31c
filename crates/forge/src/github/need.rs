//! What a token needs for each question, as `permissions:` of a job names it.

use crate::need::{Need, Remedy};

pub(super) const REPOSITORY: Need =
    Need { permission: "contents: read", remedy: Remedy::Job { own: "must reach this repository" } };
pub(super) const DEPLOYMENTS_WRITE: Need = Need {
    permission: "deployments: write",
    remedy: Remedy::Job { own: "needs Deployments: read and write, or the scope repo_deployment" },
};
pub(super) const DEPLOYMENTS_READ: Need = Need {
    permission: "deployments: read",
    remedy: Remedy::Job { own: "needs Deployments: read, or the scope repo_deployment" },
};
pub(super) const ACTIONS_READ: Need = Need {
    permission: "actions: read",
    remedy: Remedy::Job { own: "needs Actions: read, or the scope repo" },
};
pub(super) const PULLS_READ: Need = Need {
    permission: "pull-requests: read",
    remedy: Remedy::Job { own: "needs Pull requests: read, or the scope repo" },
};
pub(super) const MEMBERS_READ: Need = Need {
    permission: "members: read of the organisation",
    remedy: Remedy::Token(
        "GITHUB_TOKEN cannot have it: set WINDLASS_FORGE_TOKEN to a token with Members: read (fine-grained, or of an app) or the scope read:org, as `env: { WINDLASS_FORGE_TOKEN: \"${{ secrets.WINDLASS_FORGE_TOKEN }}\" }`",
    ),
};
