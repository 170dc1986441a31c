//! The real agent, with real processes, over its real socket.

mod control;
mod http;
mod ledger;
mod recovery;
mod release;
mod support;
mod traffic;
