//! The receivers that `notify` in `windlass.yml` lists, as listeners.

use std::sync::Arc;

use async_trait::async_trait;
use windlass_ci::session::{Located, Session};
use windlass_domain::announcement::Announcement;
use windlass_domain::policy::Environment;
use windlass_notify::{Bounds, Teller, tellers};

use crate::announce::{Listener, Unheard};

struct Receiver(Teller);

#[async_trait]
impl Listener for Receiver {
    fn name(&self) -> String {
        self.0.name()
    }

    async fn tell(&self, said: &Announcement) -> Result<(), Unheard> {
        if self.0.hears(said.moment, &said.environment) {
            self.0.tell(said).await.map_err(Unheard::new)
        } else {
            Ok(())
        }
    }
}

/// Those that may hear of the environment; with `--offline` none, and it is said.
pub(crate) fn receivers(
    session: &Session,
    located: &Located,
    environment: &Environment,
) -> Vec<Arc<dyn Listener>> {
    let notify: Vec<_> =
        located.policy.notify.iter().filter(|one| one.is_about(&environment.name)).cloned().collect();
    if session.common.offline && !notify.is_empty() {
        let count = notify.len();
        let who = if count == 1 { "1 receiver is".to_owned() } else { format!("{count} receivers are") };
        session.progress.say(&format!("  {who} not told of this: --offline"));
        return Vec::new();
    }
    tellers(&notify, &located.folder, &session.context.vars, Bounds::default())
        .into_iter()
        .map(|teller| Arc::new(Receiver(teller)) as Arc<dyn Listener>)
        .collect()
}
