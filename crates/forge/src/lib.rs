//! Asking GitHub and GitLab: who agreed, what guards a repository, and records of deployments that people see there.
//!
//! The only crate that names octocrab. Knows neither targets nor CI systems: variables come as a value. Whatever cannot be
//! read is a [`Fault`] with the permission that is missing and what grants it; never an empty answer.

mod answer;
mod carrier;
mod fault;
mod github;
mod gitlab;
mod limit;
mod need;
mod place;
mod question;

use async_trait::async_trait;

pub use self::carrier::Patience;
pub use self::fault::Fault;
pub use self::need::{Need, Remedy, remedies};
pub use self::place::{Kind, Place, Token, Vars};
pub use self::question::{
    BranchProtection, Mark, Matter, Means, Meeting, Opened, Opinion, Opinions, Protection, Record, Standing,
};

/// What can be asked of a forge.
#[async_trait]
pub trait Forge: Send + Sync {
    /// Where it is.
    fn place(&self) -> &Place;
    /// What it says of the repository and of the token.
    async fn meet(&self) -> Result<Meeting, Fault>;
    /// How it guards an environment; `None` where there is no such environment.
    async fn environment(&self, name: &str) -> Result<Option<Protection>, Fault>;
    /// How it guards a branch.
    async fn branch(&self, name: &str) -> Result<BranchProtection, Fault>;
    /// In which order it lets waiting jobs of a group in; `None` where there is nothing to ask.
    async fn queue(&self, key: &str) -> Result<Option<String>, Fault>;
    /// Who spoke about a commit in an environment. What could not be read stands in the answer's `missing`.
    async fn opinions(&self, matter: &Matter) -> Result<Opinions, Fault>;
    /// Whether somebody is in a team, which has the form of its forge: `slug` or `organisation/slug`; `group/below`.
    async fn is_member(&self, team: &str, login: &str) -> Result<bool, Fault>;
    /// Begins a record, or finds that this run has one.
    async fn open(&self, record: &Record) -> Result<Opened, Fault>;
    /// Says how it stands now.
    async fn mark(&self, id: &str, mark: &Mark) -> Result<(), Fault>;
}

/// A client of the forge at `place`. Call it inside a tokio runtime.
///
/// # Errors
/// Not set, where there is no token or the proxy's address is wrong; unreachable, where the system's certificates cannot
/// be loaded.
pub fn connect(place: &Place, patience: Patience) -> Result<Box<dyn Forge>, Fault> {
    if place.token.is_none() {
        let (why, remedy) = match place.kind {
            Kind::Github => (
                "no token for GitHub is set",
                "hand the job `GITHUB_TOKEN: ${{ github.token }}` under `env:`, or set WINDLASS_FORGE_TOKEN",
            ),
            Kind::Gitlab => (
                "no token for GitLab is set",
                "set the masked variable WINDLASS_FORGE_TOKEN, or GITLAB_TOKEN, to a project access token",
            ),
        };
        return Err(Fault::NotSet { why: why.to_owned(), remedy: remedy.to_owned() });
    }
    let carrier = carrier::Carrier::new(place, patience)?;
    Ok(match place.kind {
        Kind::Github => Box::new(github::Github::new(place, carrier)),
        Kind::Gitlab => Box::new(gitlab::Gitlab::new(place, carrier)),
    })
}
