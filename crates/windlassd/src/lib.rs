//! The host agent: supervises, routes, drains, measures and keeps the ledger.
