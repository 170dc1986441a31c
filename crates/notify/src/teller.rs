//! One receiver of the policy, ready to be told: its secrets found, its template read.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use windlass_domain::announcement::{Announcement, Moment};
use windlass_domain::policy::{Notify, Receiver, Template, Variable};
use windlass_domain::secret::Secret;

use crate::bounds::Bounds;
use crate::post::Post;
use crate::{discord, email, slack, teams, webhook};

/// A receiver, as `windlass.yml` lists it.
pub struct Teller {
    notify: Notify,
    /// What it is told, where that is not the text that comes with Windlass.
    template: Result<Option<String>, String>,
    /// The secrets that its variables hold.
    secrets: BTreeMap<Variable, Secret<String>>,
    bounds: Bounds,
}

/// What is sent to a receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Letter {
    /// The body of a POST, JSON.
    Post(String),
    /// A mail.
    Mail {
        /// Its subject.
        subject: String,
        /// Its text.
        text: String,
    },
}

/// The receivers of a policy, in its order. What one of them lacks is told when it is to be told something: a run goes on
/// without it.
#[must_use]
pub fn tellers(
    notify: &[Notify],
    folder: &Path,
    vars: &BTreeMap<String, String>,
    bounds: Bounds,
) -> Vec<Teller> {
    let teller = |notify: &Notify| Teller {
        template: notify.template.as_ref().map(|template| read(template, folder)).transpose(),
        secrets: notify
            .receiver
            .variables()
            .into_iter()
            .filter_map(|name| Some((name.clone(), Secret::new(vars.get(&name.0)?.trim().to_owned()))))
            .collect(),
        notify: notify.clone(),
        bounds,
    };
    notify.iter().map(teller).collect()
}

impl Teller {
    /// What it is called in reports: `slack (SLACK_URL)`.
    #[must_use]
    pub fn name(&self) -> String {
        let word = self.notify.receiver.word();
        match &self.notify.receiver {
            Receiver::Slack(url) | Receiver::Teams(url) | Receiver::Discord(url) => format!("{word} ({url})"),
            Receiver::Webhook(webhook) => format!("{word} ({})", webhook.url),
            Receiver::Email(email) => format!("{word} ({})", email.to.join(", ")),
        }
    }

    /// Whether it is told of this moment of this environment.
    #[must_use]
    pub fn hears(&self, moment: Moment, environment: &str) -> bool {
        self.notify.hears(moment, environment)
    }

    /// What it would be sent.
    ///
    /// # Errors
    /// A sentence where its template fails.
    pub fn letter(&self, said: &Announcement) -> Result<Letter, String> {
        let template = self.template.as_ref().map_err(Clone::clone)?.as_deref();
        match &self.notify.receiver {
            Receiver::Slack(_) => Ok(Letter::Post(slack::body(said, template)?.to_string())),
            Receiver::Teams(_) => Ok(Letter::Post(teams::body(said, template)?.to_string())),
            Receiver::Discord(_) => Ok(Letter::Post(discord::body(said, template)?.to_string())),
            Receiver::Webhook(_) => webhook::body(said, template).map(Letter::Post),
            Receiver::Email(_) => {
                let (subject, text) = email::texts(said, template)?;
                Ok(Letter::Mail { subject, text })
            }
        }
    }

    /// Tells it, whatever it usually hears; within the bounds.
    ///
    /// # Errors
    /// A sentence without any secret: what it lacks, or how it could not be told.
    pub async fn tell(&self, said: &Announcement) -> Result<(), String> {
        match tokio::time::timeout(self.bounds.whole, self.send(said)).await {
            Ok(told) => told,
            Err(_) => Err(format!("no answer within {} s", self.bounds.whole.as_secs())),
        }
    }

    async fn send(&self, said: &Announcement) -> Result<(), String> {
        let letter = self.letter(said)?;
        match (&self.notify.receiver, letter) {
            (Receiver::Email(email), Letter::Mail { subject, text }) => {
                let login = match &email.login {
                    None => None,
                    Some(login) => Some(email::Login {
                        user: self.secret(&login.user)?.clone(),
                        password: self.secret(&login.password)?.clone(),
                    }),
                };
                email::send(email, login.as_ref(), &(subject, text), &self.bounds).await
            }
            (Receiver::Webhook(hook), Letter::Post(body)) => {
                let headers = webhook::headers(said, &body, self.secret(&hook.secret)?.expose());
                self.post(&hook.url, body, headers).await
            }
            (Receiver::Slack(url) | Receiver::Teams(url) | Receiver::Discord(url), Letter::Post(body)) => {
                self.post(url, body, Vec::new()).await
            }
            (Receiver::Email(_), Letter::Post(_)) | (_, Letter::Mail { .. }) => {
                unreachable!("`letter` writes a mail for a mail's receiver, and for no other")
            }
        }
    }

    async fn post(
        &self,
        url: &Variable,
        body: String,
        headers: Vec<(&'static str, String)>,
    ) -> Result<(), String> {
        Post { url: self.secret(url)?, body, headers }.send(&self.bounds).await
    }

    fn secret(&self, name: &Variable) -> Result<&Secret<String>, String> {
        self.secrets
            .get(name)
            .filter(|value| !value.expose().is_empty())
            .ok_or_else(|| format!("the variable {name} is not set: give it to this job"))
    }
}

fn read(template: &Template, folder: &Path) -> Result<String, String> {
    match template {
        Template::Source(text) => Ok(text.clone()),
        Template::File(name) => {
            let path = folder.join(name);
            fs::read_to_string(&path)
                .map_err(|error| format!("cannot read its template at {}: {error}", path.display()))
        }
    }
}
