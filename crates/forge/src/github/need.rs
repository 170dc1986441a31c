//! What a token needs for each question, as the line of a workflow that grants it.

use crate::fault::Need;

pub(super) const REPOSITORY: Need = Need {
    permission: "contents: read",
    remedy: "add `permissions: { contents: read }` to the job, and hand it `GITHUB_TOKEN: ${{ github.token }}` under `env:`; a token of your own must reach this repository",
};
pub(super) const DEPLOYMENTS_WRITE: Need = Need {
    permission: "deployments: write",
    remedy: "add `permissions: { deployments: write }` to the job; a token of your own needs Deployments: read and write, or the scope repo_deployment",
};
pub(super) const DEPLOYMENTS_READ: Need = Need {
    permission: "deployments: read",
    remedy: "add `permissions: { deployments: read }` to the job; a token of your own needs Deployments: read, or the scope repo_deployment",
};
pub(super) const ACTIONS_READ: Need = Need {
    permission: "actions: read",
    remedy: "add `permissions: { actions: read }` to the job; a token of your own needs Actions: read, or the scope repo",
};
pub(super) const PULLS_READ: Need = Need {
    permission: "pull-requests: read",
    remedy: "add `permissions: { pull-requests: read }` to the job; a token of your own needs Pull requests: read, or the scope repo",
};
pub(super) const MEMBERS_READ: Need = Need {
    permission: "members: read of the organisation",
    remedy: "GITHUB_TOKEN cannot have it: set WINDLASS_FORGE_TOKEN to a token with Members: read (fine-grained, or of an app) or the scope read:org, as `env: { WINDLASS_FORGE_TOKEN: \"${{ secrets.WINDLASS_FORGE_TOKEN }}\" }`",
};
