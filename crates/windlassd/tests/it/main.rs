//! The real agent, with real processes, over its real socket.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

mod access;
mod answers;
mod conformance;
mod control;
mod groups;
mod handover;
mod heirs;
mod http;
mod http2;
mod ledger;
mod limits;
mod metrics;
mod migrate;
mod recovery;
mod release;
mod retries;
mod rollouts;
mod secrets;
mod service;
mod smuggling;
mod sticky;
mod support;
mod testers;
mod tls;
mod tools;
mod traffic;
mod units;
mod usage;
mod websocket;
