//! Which connections rest for too long, begin too slowly, or get stuck: looked at now and then, so that a request
//! needs no timer of its own.

use std::time::Duration;

use super::downstream::{Downstream, Order, Phase, Upload, Why};
use super::settings::Limits;
use super::worker::TICK;

/// How long a connection rests before it gives its memory back: longer than a busy client's pause.
const PARK: Duration = Duration::from_millis(500);

/// What becomes of a connection or a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It goes on.
    Fine,
    /// It is told something.
    Order(Order),
    /// It is ended at once; what is under way on it is counted as broken off.
    End(Option<Why>),
}

/// Judges a connection or a stream.
pub(super) fn judge(downstream: &Downstream, limits: &Limits) -> Verdict {
    let (age, rest) = downstream.ages();
    let (age, rest) = (TICK * age, TICK * rest);
    let is_late = limits.request.is_some_and(|limit| age >= limit);
    let is_stuck = rest >= limits.idle;
    match downstream.phase() {
        Phase::Parked if is_stuck => Verdict::Order(Order::Close),
        Phase::Resting if !downstream.is_quiet() && is_stuck => Verdict::End(None),
        Phase::Resting if is_stuck => Verdict::Order(Order::Close),
        Phase::Resting if rest >= PARK && downstream.is_quiet() => Verdict::Order(Order::Park),
        Phase::Beginning if age >= limits.idle => Verdict::Order(Order::Late),
        Phase::Asking if is_late || (is_stuck && downstream.upload() == Upload::Awaited) => {
            Verdict::Order(Order::Late)
        }
        Phase::Answering if is_late => Verdict::End(Some(Why::Late)),
        Phase::Answering if is_stuck && is_clients_turn(downstream) => Verdict::End(None),
        // One that does not answer when it is told to go is not there any more.
        Phase::Carrying if !downstream.has_streams() && rest >= limits.idle * 2 => Verdict::End(None),
        Phase::Carrying if !downstream.has_streams() && is_stuck && !downstream.is_ordered(Order::Close) => {
            Verdict::Order(Order::Close)
        }
        Phase::Parked
        | Phase::Resting
        | Phase::Beginning
        | Phase::Asking
        | Phase::Answering
        | Phase::Tunnelling
        | Phase::Ending
        | Phase::Carrying => Verdict::Fine,
    }
}

/// A service may be silent for as long as a request may take; a client may not keep it waiting.
fn is_clients_turn(downstream: &Downstream) -> bool {
    downstream.is_blocked() || downstream.upload() == Upload::Awaited
}
