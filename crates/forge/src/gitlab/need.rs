//! What a token needs for each question: its scope, and the role of whoever it is of.

use crate::need::{Need, Remedy};

pub(super) const READ: Need = Need {
    permission: "the scope read_api, and the role Reporter",
    remedy: Remedy::Token(
        "make a project access token with the scope `read_api` and the role Reporter, and set it as the masked variable WINDLASS_FORGE_TOKEN: CI_JOB_TOKEN reads deployments and environments alone",
    ),
};
pub(super) const RECORD: Need = Need {
    permission: "the scope api, and the role Developer",
    remedy: Remedy::Token(
        "make a project access token with the scope `api` and the role Developer (Maintainer for a protected environment), and set it as the masked variable WINDLASS_FORGE_TOKEN",
    ),
};
pub(super) const GUARDS: Need = Need {
    permission: "the scope read_api, and the role Maintainer",
    remedy: Remedy::Token(
        "make a project access token with the scope `read_api` and the role Maintainer, and set it as the masked variable WINDLASS_FORGE_TOKEN",
    ),
};
pub(super) const MEMBERS: Need = Need {
    permission: "the scope read_api, and membership of the group",
    remedy: Remedy::Token(
        "set WINDLASS_FORGE_TOKEN to a token with the scope `read_api` of somebody who is in the group, or to a token of the group",
    ),
};
