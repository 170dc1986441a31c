//! Locks that one panic does not take away from everybody else.
//!
//! A panic ends the connection or the task in which it happens. The agent supervises and routes for others, and goes on.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Takes a lock, also where somebody panicked while holding it. What is behind such a lock must be sound at any moment:
/// replaced whole, changed by one assignment, or, as the fleet is, named whole again by the next step. The ledger is not:
/// see [`crate::ledger::lock`].
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_takes_a_lock_from_nobody_else() {
        let settings = Mutex::new(1);
        let broke_off = std::thread::scope(|scope| {
            let panics = || {
                let mut held = lock(&settings);
                *held = 2;
                panic!("injected");
            };
            scope.spawn(panics).join()
        });
        assert!(broke_off.is_err() && settings.is_poisoned());
        assert_eq!(*lock(&settings), 2);
    }
}
