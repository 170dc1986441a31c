//! `clock`: ours agrees with the forge's. Evidence, approvals and freezes are judged by it.

use jiff::SignedDuration;

use super::Line;
use super::facts::Facts;

/// The most that may lie between the two.
const MOST: SignedDuration = SignedDuration::from_secs(60);

pub(super) async fn judge(facts: &Facts<'_>) -> Vec<Line> {
    vec![match (&facts.meeting, facts.ahead) {
        (Ok(_), Some(ahead)) => compare(ahead),
        (Ok(_), None) => {
            Line::unknown("the forge does not say its time", "compare `date -u` with another clock")
        }
        (Err(_), _) => {
            Line::unknown("there is no other clock to compare with: no forge was asked", "see token")
        }
    }]
}

fn compare(ahead: SignedDuration) -> Line {
    if ahead.abs() <= MOST {
        return Line::good("it agrees with the forge's within a minute");
    }
    let which = if ahead.is_negative() { "behind" } else { "before" };
    Line::wrong(
        format!(
            "it is {} s {which} the forge's: evidence and approvals would be judged too old or of the future",
            ahead.abs().as_secs()
        ),
        "start its synchronisation: `timedatectl set-ntp true`",
    )
}

#[cfg(test)]
mod tests {
    use super::super::Health;
    use super::*;

    #[test]
    fn a_minute_is_let_pass_either_way_and_more_is_wrong() {
        for (seconds, health) in [
            (0, Health::Good),
            (60, Health::Good),
            (-60, Health::Good),
            (61, Health::Wrong),
            (-3600, Health::Wrong),
        ] {
            assert_eq!(compare(SignedDuration::from_secs(seconds)).health, health, "{seconds}");
        }
    }
}
