//! `branch`: the default branch is protected. Gates are read from it, so who may push there may change them.

use windlass_forge::Kind;

use super::Line;
use super::facts::Facts;

pub(super) async fn judge(facts: &Facts<'_>) -> Vec<Line> {
    let (Ok(forge), Ok(meeting)) = (&facts.forge, &facts.meeting) else {
        return vec![Line::nothing("no forge was asked: see token")];
    };
    let branch = &meeting.default_branch;
    vec![match forge.branch(branch).await {
        Ok(found) if found.is_protected => {
            let reviews = found.reviews.map(|reviews| format!(", and a change needs {reviews} reviews"));
            Line::good(format!("{branch} is protected{}", reviews.unwrap_or_default()))
        }
        Ok(_) => {
            let fix = match forge.place().kind {
                Kind::Github => "add a ruleset for it under Settings > Rules that requires a pull request and its status checks".to_owned(),
                Kind::Gitlab => "protect it under Settings > Repository > Protected branches: nobody may push, maintainers may merge".to_owned(),
            };
            Line::wrong(
                format!(
                    "{branch} is not protected: whoever may push can change windlass.yml and what it demands"
                ),
                fix,
            )
        }
        Err(fault) => Line::untold(&fault),
    }]
}
